//! `failure-codes.md`, from the rows of the failure codes.

use shared_models::domain::FailureCode;

use super::markdown::{Page, code};

pub(super) fn page() -> String {
    let mut page = Page::new("Failure codes", "`shared-models/src/domain/diagnosis/failure_codes.rs`");
    let row = |failure: &FailureCode| vec![code(failure.as_str()), failure.remedy_template().to_owned()];
    page.table(&["code", "remedy"], FailureCode::ALL.iter().map(row));
    page.finish()
}

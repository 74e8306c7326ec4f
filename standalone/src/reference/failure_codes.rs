//! `failure-codes.md`, from the rows of the failure codes.

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::Category;

use super::markdown::{Page, code};

pub(super) fn page() -> String {
    let mut page = Page::new("Failure codes", "`shared-models/src/domain/diagnosis/failure_codes.rs`");
    page.paragraph(
        "Each failed check of a mailbox has one of these codes, in the member `code`. A code never changes and is never \
         used again; the texts may change, and new codes are added.",
    );
    page.paragraph(
        "*Class* says whether repeating helps: a `permanent` fault stays until somebody changes something, a \
         `temporary` one goes away by itself and is retried, a `warning` never fails a mailbox. *Fault* is the party \
         that can put it right: the `user` who entered the settings, the `admin` of the mail domain, the operator of \
         the mail `server`, the `net` between, or `us`, Mailmoor and its operator. Class, fault and remedy are \
         defaults: where a server's reply says more, the answer has better ones.",
    );
    page.paragraph(
        "The remedy is for the end user. In braces are values that the answer fills in. No check makes a reserved code \
         yet; the note names the feature that will.",
    );
    for category in Category::ALL {
        let codes = FailureCode::ALL.iter().filter(|failure| failure.category() == category);
        page.heading(2, &format!("{} (`{}_`)", category.title(), category.prefix()));
        page.table(&["code", "class", "fault", "remedy"], codes.map(row));
    }
    page.finish()
}

fn row(failure: &FailureCode) -> Vec<String> {
    let remedy = failure.remedy_template();
    let reserved = failure.reserved_for().map_or(String::new(), |feature| format!(" *(Reserved: {feature}.)*"));
    let (class, fault) = (failure.class().as_str(), failure.fault().as_str());
    vec![code(failure.as_str()), code(class), code(fault), format!("{remedy}{reserved}")]
}

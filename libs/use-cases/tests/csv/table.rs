//! `tests/fixtures/accounts/*.csv` against the `expected.json` beside them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use shared_models::domain::{Security, ServerEndpoint};
use use_cases::imports::csv::{AccountRow, FileFault, MAX_ROWS, read};

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Expected {
    /// The file is refused: the variant's name, and a part of the text.
    Refused { fault: String, text: String },
    /// One for each row that counts, in the order of the file.
    Read { rows: Vec<Row> },
}

#[derive(Deserialize)]
struct Row {
    line: u64,
    email: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Outcome {
    #[serde(rename_all = "camelCase")]
    Good { password: String, display_name: String, smtp: Server, imap: Server },
    /// `remedy` is a part of it.
    Faulty { error: String, code: String, remedy: String },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Server {
    host: String,
    port: u16,
    secure: bool,
}

impl From<&ServerEndpoint> for Server {
    fn from(endpoint: &ServerEndpoint) -> Self {
        let secure = endpoint.security() == Security::Required;
        Self { host: endpoint.host().to_owned(), port: endpoint.port(), secure }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/accounts")
}

#[test]
fn every_file_is_read_as_expected() {
    let expected = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let mut expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).unwrap();
    let mut wrong = vec![];
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".csv") {
            continue;
        }
        files += 1;
        let expected = expected.remove(&name).unwrap_or_else(|| panic!("{name} is not in expected.json"));
        let bytes = std::fs::read(folder().join(&name)).unwrap();
        wrong.extend(compare(&bytes, &expected).map(|what| format!("{name}: {what}")));
    }
    assert!(expected.is_empty(), "no such files: {:?}", expected.keys());
    assert!(files >= 70, "{files} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Describes the first difference from `expected`; `None` if there is none.
fn compare(bytes: &[u8], expected: &Expected) -> Option<String> {
    match (read(bytes, Some(MAX_ROWS)), expected) {
        (Err(found), Expected::Refused { fault, text }) => {
            let as_expected = kind(&found) == *fault && found.to_string().contains(text);
            (!as_expected).then(|| format!("{found:?}: {found}"))
        }
        (Ok(file), Expected::Read { rows }) => {
            if file.rows.len() != rows.len() {
                return Some(format!("{} rows instead of {}", file.rows.len(), rows.len()));
            }
            file.rows.iter().zip(rows).find_map(|(row, expected)| compare_row(row, expected))
        }
        (Ok(file), Expected::Refused { .. }) => Some(format!("was read: {file:?}")),
        (Err(found), Expected::Read { .. }) => Some(format!("was refused: {found}")),
    }
}

fn kind(fault: &FileFault) -> String {
    format!("{fault:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn compare_row(row: &AccountRow, expected: &Row) -> Option<String> {
    if (row.line, &row.email) != (expected.line, &expected.email) {
        return Some(format!("line {}, {:?} instead of line {}", row.line, row.email, expected.line));
    }
    let outcome = match &row.account {
        Ok(account) => {
            assert_eq!(account.email.as_str(), row.email);
            Outcome::Good {
                password: account.password.expose().to_owned(),
                display_name: account.display_name.clone(),
                smtp: Server::from(&account.smtp),
                imap: Server::from(&account.imap),
            }
        }
        Err(fault) => {
            let remedy = match &expected.outcome {
                Outcome::Faulty { remedy, .. } if fault.remedy.contains(remedy) => remedy.clone(),
                _ => fault.remedy.clone(),
            };
            Outcome::Faulty { error: fault.error.clone(), code: fault.code.to_string(), remedy }
        }
    };
    // Only where the cells may be in the wrong columns, none of them is shown.
    let misaligned = row.account.as_ref().is_err_and(|fault| fault.code.as_str() == "CFG_ROW_MISALIGNED");
    assert_eq!(row.cells.is_none(), misaligned, "line {}", row.line);
    (outcome != expected.outcome).then(|| format!("line {}: {outcome:?}", row.line))
}

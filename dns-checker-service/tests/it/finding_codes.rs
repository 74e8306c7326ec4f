//! Every finding code is made somewhere: the reference documents no code that cannot occur.

use std::fs;
use std::path::Path;

use shared_models::domain::diagnosis::DnsFindingCode;

#[test]
fn every_code_is_made_somewhere() {
    let mut sources = String::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let words: Vec<&str> = sources.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).collect();
    let is_not_made = |code: &&DnsFindingCode| !words.contains(&format!("DnsFindingCode::{code:?}").as_str());
    let never_made: Vec<_> = DnsFindingCode::ALL.iter().filter(is_not_made).collect();
    assert!(never_made.is_empty(), "{never_made:?}");
}

/// All sources below a folder, without their unit tests.
fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
}

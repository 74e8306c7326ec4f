//! Each failure code is made somewhere, or says which feature will make it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shared_models::domain::FailureCode;

/// The sources of the whole repository without tests and without the table of the codes itself.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_source = !["target", "tests", "dev"].contains(&name.as_str()) && !name.starts_with('.');
            if is_source {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !["failure_codes.rs", "tests.rs"].contains(&name.as_str()) {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
        }
    }
}

/// The words of a source that may make a code. A comment makes none, nor does the pattern of a `match` arm.
fn words(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
        let made = line.split_once(" => ").map_or(line, |(_, arm)| arm);
        made.split(|c: char| !c.is_alphanumeric() && c != '_')
    })
}

#[test]
fn every_code_is_made_or_reserved() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = vec![];
    sources(root, &mut found);
    let words: BTreeSet<&str> = found.iter().flat_map(|source| words(source)).collect();
    for &code in FailureCode::ALL {
        let is_made = words.contains(code.name());
        match code.reserved_for() {
            None => assert!(is_made, "{code} is never made: remove its row, or reserve it for a feature"),
            Some(feature) => assert!(!is_made, "{code} is made, so it is no longer reserved for: {feature}"),
        }
    }
}

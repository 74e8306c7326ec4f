//! `mailmoor docs --out DIR`: the pages of `docs/reference` that are generated from the code, one file a page. A test
//! compares them with what is committed.

mod cli;
mod dns_findings;
mod events;
mod failure_codes;
mod markdown;
mod settings;

use std::path::Path;

use service_runtime::service::StartError;

/// Writes the text of a page.
type Render = fn() -> String;

/// Name of the file and its text. Nothing but the code goes into a page, so that it is the same on every machine.
const PAGES: &[(&str, Render)] = &[
    ("cli.md", cli::page),
    ("settings.md", settings::page),
    ("failure-codes.md", failure_codes::page),
    ("dns-findings.md", dns_findings::page),
    ("events.md", events::page),
];

/// Writes all pages into a folder, which it makes.
pub(crate) fn write(folder: &Path) -> Result<(), StartError> {
    let fault = |error: std::io::Error| StartError::new(format!("cannot write into {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(fault)?;
    for (name, page) in PAGES {
        std::fs::write(folder.join(name), page()).map_err(fault)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_pages_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
        for (name, page) in PAGES {
            let committed = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                committed == page(),
                "docs/reference/{name} is stale; run: cargo run -p standalone -- docs --out docs/reference"
            );
        }
    }

    #[test]
    fn lines_are_short_except_in_tables() {
        for (name, page) in PAGES {
            for line in page().lines() {
                assert!(line.starts_with('|') || line.chars().count() <= 120, "{name}: {line}");
                assert_eq!(line.trim_end(), line, "{name}");
            }
        }
    }
}

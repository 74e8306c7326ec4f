//! The programs under test, built once in a test process: by the cargo, into the target directory
//! and with the profile of the test itself. `scripts/test` has built them before, so this is a look.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Names a folder with programs that are to be tested instead, those of a release for example.
const READY_MADE: &str = "MAILMOOR_E2E_PROGRAMS";

/// The executable of a program of this workspace.
///
/// # Panics
/// When the workspace cannot be built, or has no such program.
pub(crate) fn executable(name: &str) -> &'static Path {
    static FOUND: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let find = || std::env::var_os(READY_MADE).map_or_else(build, |folder| list(Path::new(&folder)));
    FOUND.get_or_init(find).get(name).unwrap_or_else(|| panic!("there is no program {name}"))
}

fn list(folder: &Path) -> HashMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{READY_MADE}={}: {e}", folder.display()));
    entries.flatten().filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}

fn build() -> HashMap<String, PathBuf> {
    // TARGET/PROFILE/deps/THIS_TEST
    let this = std::env::current_exe().expect("a running program has a path");
    let profile_dir = this.ancestors().nth(2).expect("cargo puts tests into TARGET/PROFILE/deps");
    let target_dir = profile_dir.parent().expect("cargo puts tests into TARGET/PROFILE/deps");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        // The variables that cargo sets for a test about its package make build scripts (ring's, for one) run again.
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of_package| name.to_string_lossy().starts_with(of_package)) {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the workspace does not build");
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    text.lines().filter_map(|line| program(&serde_json::from_str(line).ok()?)).collect()
}

/// Name and path, when the message is about a finished program.
fn program(message: &Value) -> Option<(String, PathBuf)> {
    let path = message["executable"].as_str()?;
    Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
}

//! Programs of others in Python, each in an environment of its own.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

/// The interpreter that has the packages of `python/requirements-{name}.txt`, installed when it is first needed.
pub(crate) async fn with(name: &str) -> PathBuf {
    // Nobody uses what somebody else has installed half.
    static ALONE: Mutex<()> = Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let requirements = script(&format!("requirements-{name}.txt"));
    let (python, done) = (folder.join("bin/python"), folder.join("requirements.txt"));
    let same = std::fs::read(&done).ok().is_some_and(|made| made == std::fs::read(&requirements).unwrap());
    if !same {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).await;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(quiet).arg(&requirements)).await;
        std::fs::copy(&requirements, &done).unwrap();
    }
    python
}

/// A file of the folder `python`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// Its standard output, once it has succeeded.
pub(crate) async fn run(command: &mut Command) -> String {
    let output = command.output().await.expect("python3 was not found; install it with: apt-get install python3-venv");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} (package python3-venv?)\n{out}{err}");
    out.into_owned()
}

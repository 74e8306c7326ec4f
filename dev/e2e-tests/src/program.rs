//! One process of the system: started, ended, and its output kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::AddressFile;
use crate::{LIMIT, binaries};

pub(crate) const DATA_DIR: &str = "MAILMOOR__DATA_DIR";

/// A program that ran to its end.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The line that says why the program did not do what it was asked to.
    ///
    /// # Panics
    /// When it succeeded, or printed something as if it had.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self.stderr.lines().last().unwrap_or_default()
    }
}

/// A program with these settings and nothing of ours from the environment of the test.
pub(crate) fn command(executable: &Path, arguments: &[&str], settings: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(executable);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MAILMOOR") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(settings).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a program to its end.
pub(crate) async fn run(mut command: Command) -> Ended {
    let output = timeout(LIMIT, command.output()).await.expect("the program ends").expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("programs write UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A long-running program with a data directory of its own. Killed on drop.
pub(crate) struct Program {
    name: &'static str,
    arguments: &'static [&'static str],
    data_dir: PathBuf,
    /// Both files grow over all starts.
    stdout: PathBuf,
    stderr: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// Not started yet. `dir` is its working directory, to which its output goes under the title.
    pub(crate) fn new(
        name: &'static str,
        arguments: &'static [&'static str],
        title: &str,
        dir: &Path,
        data_dir: PathBuf,
    ) -> Self {
        let file = |kind: &str| dir.join(format!("{title}.{kind}"));
        Self { name, arguments, data_dir, stdout: file("stdout"), stderr: file("stderr"), child: None }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where it says on which address it listens.
    pub(crate) fn address_file(&self) -> AddressFile {
        self.data_dir.join("http.addr").into()
    }

    pub(crate) fn is_started(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn start(&mut self, settings: &BTreeMap<String, String>) {
        assert!(!self.is_started(), "{} runs already", self.name);
        let append = |path: &Path| File::options().append(true).create(true).open(path).expect("a file for the output");
        let mut command = self.command(&[], settings);
        command.stdout(append(&self.stdout)).stderr(append(&self.stderr));
        self.child = Some(command.spawn().expect("the program starts"));
    }

    /// The program with its settings, and with further arguments.
    pub(crate) fn command(&self, arguments: &[&str], settings: &BTreeMap<String, String>) -> Command {
        let arguments = [arguments, self.arguments].concat();
        let mut command = command(binaries::executable(self.name), &arguments, settings);
        command.env(DATA_DIR, &self.data_dir);
        command.current_dir(self.stdout.parent().expect("the output is in a folder"));
        command
    }

    /// The process is gone, and its port may soon be somebody else's.
    fn forget_address(&self) {
        let _ = fs::remove_file(self.address_file());
    }

    /// The exit status of a program that has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child can be waited for"))
    }

    /// SIGKILL, and waits for the end.
    pub(crate) async fn kill9(&mut self) {
        let mut child = self.child.take().expect("the program runs");
        child.kill().await.expect("the program can be killed");
        self.forget_address();
    }

    /// Sends SIGTERM.
    pub(crate) async fn ask_to_stop(&self) {
        let pid = self.child.as_ref().and_then(Child::id).expect("the program runs");
        // The shell's own `kill`, as the standard library has none and the program may not be installed.
        let kill = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid.to_string()]).status();
        assert!(kill.await.expect("sh runs").success(), "no SIGTERM for {}", self.name);
    }

    /// Waits for the end after [`Self::ask_to_stop`].
    pub(crate) async fn stopped(&mut self, limit: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("the program runs");
        let begin = Instant::now();
        let status = timeout(limit, child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("{} still runs {:?} after SIGTERM", self.name, begin.elapsed()));
        self.forget_address();
        status.expect("a child can be waited for")
    }

    /// Everything written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// Everything written to standard error, the log, so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }
}

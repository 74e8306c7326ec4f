//! The system under test: which programs it consists of, with which settings they run, how they
//! are started and ended. Today that is the embedded default, one process with everything in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mail_lab::{Knot, TestCa};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Address, Client, Transcript};
use crate::program::{self, Ended, Program};
use crate::{binaries, eventually};

/// Longest orderly end. Work in flight has ten seconds; the rest is for a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(14);

/// The settings of a deployment, by the names in the README.
#[derive(Clone)]
pub struct Setup(BTreeMap<String, String>);

impl Default for Setup {
    /// What every test wants: mail servers on loopback addresses, the laboratory's authority, no
    /// request limits, a name server that knows nothing, and the log at `debug`.
    fn default() -> Self {
        let ca = TestCa::shared().path().display().to_string();
        let names = name_server().addr().to_string();
        let settings = [
            ("MAILMOOR__HTTP__LISTEN", "127.0.0.1:0"),
            ("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "127.0.0.0/8"),
            ("MAILMOOR__EGRESS__EXTRA_CA_FILE", &ca),
            ("MAILMOOR__RATE_LIMIT__SENDKIT_PER_MINUTE", "0"),
            ("MAILMOOR__DNS__SERVERS", &names),
            ("RUST_LOG", "debug"),
        ];
        Self(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

impl Setup {
    /// Sets a variable of the environment, for example `MAILMOOR__VERIFIER__ATTEMPTS`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// Starts the system with an empty data directory; it is ready when this returns.
    pub async fn start(self) -> Deployment {
        let mut deployment = Deployment::prepare(self);
        deployment.restart().await;
        deployment
    }
}

/// A name server for tests that do not care: no look-up of a test may leave the machine.
fn name_server() -> &'static Knot {
    static SERVER: OnceLock<Knot> = OnceLock::new();
    SERVER.get_or_init(|| Knot::start(&[("lab.test", "")]).unwrap())
}

/// The system under test and its data. Killed and removed on drop.
pub struct Deployment {
    settings: BTreeMap<String, String>,
    /// Before `dir`: what runs is killed before its data goes.
    programs: Vec<Program>,
    address: Arc<Address>,
    transcript: Arc<Transcript>,
    anonymous: Client,
    dir: TempDir,
}

impl Deployment {
    /// Folders and settings; nothing runs yet.
    pub fn prepare(setup: Setup) -> Self {
        let dir = tempfile::Builder::new().prefix("mailmoor-e2e-").tempdir().expect("a temporary folder");
        let mut settings = setup.0;
        settings.insert("MAILMOOR__DATA_DIR".to_owned(), dir.path().join("data").display().to_string());
        let address = Arc::new(Address::default());
        let transcript = Arc::new(Transcript::default());
        Self {
            settings,
            programs: vec![Program::new(binaries::executable("mailmoor"), &["serve"], dir.path())],
            anonymous: Client::new(address.clone(), transcript.clone()),
            address,
            transcript,
            dir,
        }
    }

    /// Changes a setting; counts from the next start on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.settings.insert(name.to_owned(), value.to_string());
    }

    /// Takes back what [`Self::set`] did; counts from the next start on.
    pub fn unset(&mut self, name: &str) {
        match Setup::default().0.remove(name) {
            Some(usual) => self.settings.insert(name.to_owned(), usual),
            None => self.settings.remove(name),
        };
    }

    /// Starts all programs, which must not be running, on the data that is there. Ready when this returns.
    pub async fn restart(&mut self) {
        // The port is chosen anew, and the old one may already be somebody else's.
        self.address.forget();
        let _ = std::fs::remove_file(self.address_file());
        for program in &mut self.programs {
            program.start(&self.settings);
        }
        let file = self.address_file();
        eventually("the system to be ready", || {
            for program in &mut self.programs {
                if let Some(status) = program.ended() {
                    panic!("the system did not start ({status}):\n{}", tail(&program.stderr()));
                }
            }
            let (file, address, probe) = (&file, &self.address, &self.anonymous);
            async move {
                let text = std::fs::read_to_string(file).map_err(|e| format!("no address: {e}"))?;
                if text.is_empty() {
                    return Err("the address is not written yet".to_owned());
                }
                address.set(&text);
                let reply = probe.try_get("/readyz").await.map_err(|e| e.to_string())?;
                if reply.status == 200 { Ok(()) } else { Err(reply.text) }
            }
        })
        .await;
    }

    fn address_file(&self) -> PathBuf {
        self.data_dir().join("http.addr")
    }

    /// `kill -9` of all programs, at once.
    pub async fn kill9(&mut self) {
        for program in &mut self.programs {
            program.kill9().await;
        }
    }

    /// SIGTERM to all programs; each must end in time and with exit code 0. Returns how long it took.
    pub async fn terminate(&mut self) -> Duration {
        let begin = Instant::now();
        for program in &self.programs {
            program.ask_to_stop().await;
        }
        for program in &mut self.programs {
            let status = program.stopped(STOP_LIMIT).await;
            assert!(status.success(), "{status} after SIGTERM:\n{}", tail(&program.stderr()));
        }
        begin.elapsed()
    }

    /// A client without a key.
    pub fn anonymous(&self) -> Client {
        self.anonymous.clone()
    }

    /// `mailmoor ARGUMENTS` with the settings of this deployment, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let mut settings = self.settings.clone();
        // As people run it: only what concerns them on their terminal.
        settings.remove("RUST_LOG");
        let mut command = program::command(binaries::executable("mailmoor"), arguments, &settings);
        command.env_remove("RUST_LOG").current_dir(self.dir.path());
        program::run(command).await
    }

    /// `mailmoor admin ARGUMENTS --json`, which must succeed and print one JSON object.
    pub async fn admin(&self, arguments: &[&str]) -> Value {
        let arguments = [&["admin"], arguments, &["--json"]].concat();
        let ended = self.run(&arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {ended:?}"))
    }

    /// What the programs have logged since the first start.
    pub fn log(&self) -> String {
        self.programs.iter().map(Program::stderr).collect()
    }

    /// Waits until a line with this text has been logged.
    pub async fn logged(&self, text: &str) {
        eventually(&format!("the log line {text:?}"), || async {
            if self.log().contains(text) { Ok(()) } else { Err("not logged".to_owned()) }
        })
        .await;
    }

    /// What the programs have printed since the first start.
    pub fn output(&self) -> String {
        self.programs.iter().map(Program::stdout).collect()
    }

    /// Every body that was answered to any client of this deployment.
    pub fn answers(&self) -> String {
        self.transcript.text()
    }

    /// The folder with everything that the system keeps.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder that goes with the deployment, for files of the test.
    pub fn scratch_dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- end of the system's log ----\n{}", tail(&self.log()));
        }
    }
}

/// The last lines that are worth reading.
fn tail(log: &str) -> String {
    let telling: Vec<&str> =
        log.lines().filter(|line| !line.contains(" TRACE ") && !line.contains(" DEBUG ")).collect();
    telling[telling.len().saturating_sub(40)..].join("\n")
}

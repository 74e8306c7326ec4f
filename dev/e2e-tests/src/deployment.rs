//! The system under test: which programs it consists of, how they are started and ended, and what they leave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::backing::{Backing, MASTER_KEY, files_below};
use crate::client::{Client, Transcript};
use crate::program::{self, DATA_DIR, Ended, Program};
use crate::setup::{Mode, SERVICES, Setup};
use crate::{binaries, eventually};

/// Longest orderly end. Work in flight has ten seconds; the rest is for a busy machine.
const STOP_LIMIT: Duration = Duration::from_secs(14);

/// The system under test and its data. Killed and removed on drop.
pub struct Deployment {
    mode: Mode,
    settings: BTreeMap<String, String>,
    /// The settings as they were prepared.
    usual: BTreeMap<String, String>,
    /// Before what they work on: what runs is killed before its data goes. Gateways come first.
    programs: Vec<Program>,
    backing: Backing,
    transcript: Arc<Transcript>,
    anonymous: Client,
    dir: TempDir,
}

impl Deployment {
    /// Folders and settings; nothing runs yet.
    pub fn prepare(setup: Setup) -> Self {
        let dir = tempfile::Builder::new().prefix("mailmoor-e2e-").tempdir().expect("a temporary folder");
        let Setup { mode, mut settings } = setup;
        let data = data_dir(dir.path());
        let (programs, backing) = match mode {
            Mode::Embedded => {
                (vec![Program::new("mailmoor", &["serve"], "mailmoor", dir.path(), data)], Backing::default())
            }
            Mode::Distributed(copies) => {
                let all =
                    SERVICES.into_iter().zip(copies).flat_map(|(name, copies)| (0..copies).map(move |n| (name, n)));
                let program = |(name, number)| {
                    let title = format!("{name}-{number}");
                    Program::new(name, &[], &title, dir.path(), data.join(&title))
                };
                (all.map(program).collect(), Backing::complete(&mut settings))
            }
        };
        let transcript = Arc::new(Transcript::default());
        let anonymous = Client::new(programs[0].address_file(), transcript.clone());
        Self { mode, usual: settings.clone(), settings, programs, backing, transcript, anonymous, dir }
    }

    /// Changes a setting; counts from the next start on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.settings.insert(name.to_owned(), value.to_string());
    }

    /// Takes back what [`Self::set`] did; counts from the next start on.
    pub fn unset(&mut self, name: &str) {
        match self.usual.get(name) {
            Some(usual) => self.settings.insert(name.to_owned(), usual.clone()),
            None => self.settings.remove(name),
        };
    }

    /// Starts all programs, which must not be running, on the data that is there. Ready when this returns.
    pub async fn restart(&mut self) {
        for program in &mut self.programs {
            program.start(&self.settings);
        }
        self.ready().await;
    }

    /// Waits until every program that was started is ready.
    pub async fn ready(&mut self) {
        eventually("the system to be ready", || {
            for program in &mut self.programs {
                if let Some(status) = program.ended() {
                    panic!("{} did not start ({status}):\n{}", program.name(), tail(&program.stderr()));
                }
            }
            let started = self.programs.iter().filter(|program| program.is_started());
            let probes: Vec<_> = started.map(|p| (p.name(), self.anonymous.of(p.address_file()))).collect();
            async move {
                for (name, probe) in probes {
                    let reply = probe.try_get("/readyz").await.map_err(|error| format!("{name}: {error}"))?;
                    if reply.status != 200 {
                        return Err(format!("{name}: {}", reply.text));
                    }
                }
                Ok(())
            }
        })
        .await;
    }

    /// `kill -9` of all programs, at once.
    pub async fn kill9(&mut self) {
        for program in self.programs.iter_mut().filter(|program| program.is_started()) {
            program.kill9().await;
        }
    }

    /// `kill -9` of one copy of a service. In the embedded mode that is the whole system.
    pub async fn kill9_one(&mut self, service: &str, copy: usize) {
        self.copy(service, copy).kill9().await;
    }

    /// Starts a copy of a service that does not run; see [`Self::ready`].
    pub fn start_one(&mut self, service: &str, copy: usize) {
        let settings = self.settings.clone();
        self.copy(service, copy).start(&settings);
    }

    fn copy(&mut self, service: &str, copy: usize) -> &mut Program {
        let name = self.program_of(service);
        let mut copies = self.programs.iter_mut().filter(|program| program.name() == name);
        copies.nth(copy).unwrap_or_else(|| panic!("there is no {service} {copy}"))
    }

    /// The program that holds a service.
    pub fn program_of(&self, service: &str) -> &'static str {
        let known = SERVICES.into_iter().find(|name| *name == service);
        let name = known.unwrap_or_else(|| panic!("there is no service {service}"));
        if matches!(self.mode, Mode::Embedded) { "mailmoor" } else { name }
    }

    /// Runs the program of a service, with these arguments and settings that do not let it start, to its end.
    pub async fn start_in_vain(&self, service: &str, arguments: &[&str]) -> Ended {
        let name = self.program_of(service);
        let program = self.programs.iter().find(|program| program.name() == name).expect("a program for each service");
        program::run(program.command(arguments, &self.on_a_terminal())).await
    }

    /// SIGTERM to all programs; each must end in time and with exit code 0. Returns how long it took.
    pub async fn terminate(&mut self) -> Duration {
        let begin = Instant::now();
        let mut started: Vec<_> = self.programs.iter_mut().filter(|program| program.is_started()).collect();
        for program in &started {
            program.ask_to_stop().await;
        }
        for program in &mut started {
            let status = program.stopped(STOP_LIMIT).await;
            assert!(status.success(), "{}: {status} after SIGTERM:\n{}", program.name(), tail(&program.stderr()));
        }
        begin.elapsed()
    }

    /// A client of the first gateway, without a key.
    pub fn anonymous(&self) -> Client {
        self.anonymous.clone()
    }

    /// A client of one of several gateways, without a key.
    pub fn client_of(&self, gateway: usize) -> Client {
        let name = self.program_of("api-gateway");
        let mut gateways = self.programs.iter().filter(|program| program.name() == name);
        let gateway = gateways.nth(gateway).unwrap_or_else(|| panic!("there is no gateway {gateway}"));
        self.anonymous.of(gateway.address_file())
    }

    /// `mailmoor ARGUMENTS` with the settings of this deployment, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = program::command(binaries::executable("mailmoor"), arguments, &self.on_a_terminal());
        let data_dir = match self.mode {
            Mode::Embedded => self.data_dir(),
            Mode::Distributed(_) => self.data_dir().join("mailmoor"),
        };
        command.env(DATA_DIR, data_dir).current_dir(self.dir.path());
        program::run(command).await
    }

    /// As people run a program: only what concerns them on their terminal.
    fn on_a_terminal(&self) -> BTreeMap<String, String> {
        let mut settings = self.settings.clone();
        settings.remove("RUST_LOG");
        settings
    }

    /// `mailmoor admin ARGUMENTS --json`, which must succeed and print one JSON object.
    pub async fn admin(&self, arguments: &[&str]) -> Value {
        let arguments = [&["admin"], arguments, &["--json"]].concat();
        let ended = self.run(&arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {ended:?}"))
    }

    /// The log of all programs since the first start.
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

    /// The standard output of all programs since the first start.
    pub fn output(&self) -> String {
        self.programs.iter().map(Program::stdout).collect()
    }

    /// The database of a distributed deployment.
    pub fn database_url(&self) -> String {
        self.settings.get("MAILMOOR__DATABASE__URL").cloned().expect("a database of its own")
    }

    /// The database file of the embedded mode.
    pub(crate) fn sqlite_file(&self) -> Option<PathBuf> {
        matches!(self.mode, Mode::Embedded).then(|| self.data_dir().join("mailmoor.db"))
    }

    /// The text of the master key.
    pub fn master_key(&self) -> String {
        let file = || std::fs::read_to_string(self.data_dir().join("master.key")).expect("the file of the master key");
        self.settings.get(MASTER_KEY).cloned().unwrap_or_else(file).trim().to_owned()
    }

    /// Everything that the system has logged, answered and kept, with the name of each place; but not the file of
    /// the master key.
    pub fn traces(&self) -> Vec<(String, Vec<u8>)> {
        let mut traces = files_below(self.dir.path());
        traces.retain(|(path, _)| !path.ends_with("/master.key"));
        traces.extend(self.backing.kept());
        traces.push(("the answers".to_owned(), self.transcript.text().into_bytes()));
        traces
    }

    /// The folder that holds the data directory of every program; in the embedded mode, that directory.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.dir.path())
    }

    /// A folder that goes with the deployment, for files of the test.
    pub fn scratch_dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for program in &self.programs {
                eprintln!("---- end of the log of {} ----\n{}", program.name(), tail(&program.stderr()));
            }
        }
    }
}

fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// The last lines that are worth reading.
fn tail(log: &str) -> String {
    let telling: Vec<&str> =
        log.lines().filter(|line| !line.contains(" TRACE ") && !line.contains(" DEBUG ")).collect();
    telling[telling.len().saturating_sub(40)..].join("\n")
}

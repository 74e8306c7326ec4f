//! A private PostgreSQL server: trust authentication, usually no fsync, thrown away at the end.

mod wire;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::LabError;
use crate::net::free_port;
use crate::process::{Launch, RunAs, Supervised, find_binary, make_dir, make_dir_on_disk, run, with_other_ports};

const PACKAGE: &str = "postgresql";
const INITDB: [&str; 9] =
    ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"];
/// 1 MB segments in place of 16 MB: half as much to copy.
const SMALL: [&str; 1] = ["--wal-segsize=1"];
const SETTINGS: [&str; 2] = ["listen_addresses=127.0.0.1", "max_connections=300"];
/// For tests, which do not care for power cuts.
const QUICK: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "shared_buffers=64MB",
    "autovacuum=off",
];
/// For benchmarks and crashes: flushes as in production, which is the default.
const DURABLE: [&str; 2] = ["shared_buffers=512MB", "max_wal_size=2GB"];

/// A running server, or one that is stopped for a while.
pub struct Postgres {
    server: Supervised,
    addr: SocketAddr,
    databases: AtomicU64,
}

impl Postgres {
    /// The server of this test process, started at first use and stopped when the process ends, however it ends.
    pub fn shared() -> Result<&'static Self, &'static LabError> {
        static SHARED: OnceLock<Result<Postgres, LabError>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A server of one's own: for tests that stop it.
    pub fn start() -> Result<Self, LabError> {
        with_other_ports(|| Self::start_once(make_dir()?, &SMALL, &QUICK))
    }

    /// A server of one's own on a real disk, which has every commit flushed before it is answered: for benchmarks,
    /// and for tests that [`crash`](Self::crash) it.
    pub fn start_durable() -> Result<Self, LabError> {
        with_other_ports(|| Self::start_once(make_dir_on_disk()?, &[], &DURABLE))
    }

    fn start_once(dir: tempfile::TempDir, initdb: &[&str], tuning: &[&str]) -> Result<Self, LabError> {
        let user = RunAs::detect("postgres")?;
        user.own(dir.path())?;
        fill_data_dir(initdb, &user, dir.path())?;
        let port = free_port(Ipv4Addr::LOCALHOST.into())?;
        let socket = format!("unix_socket_directories={}", dir.path().display());
        let mut arguments = vec!["-D".to_string(), data_dir(dir.path()), "-p".to_string(), port.to_string()];
        for setting in SETTINGS.iter().chain(tuning).chain([&socket.as_str()]) {
            arguments.extend(["-c".to_string(), (*setting).to_string()]);
        }
        let server = Supervised::spawn(Launch {
            dir: &dir.keep(),
            user: &user,
            // Immediate shutdown: no checkpoint, and shared memory is given back (SIGKILL would leave it behind).
            stop: "QUIT",
            low_ports: false,
            program: &postgres_program("postgres")?,
            arguments,
        })?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let this = Self { server, addr, databases: AtomicU64::new(0) };
        this.wait_ready()?;
        Ok(this)
    }

    fn wait_ready(&self) -> Result<(), LabError> {
        self.server.wait_ready("PostgreSQL", || wire::execute(self.addr, "postgres", "SELECT 1").is_ok())
    }

    /// Ends the server as an administrator would (fast shutdown): connections break, what was committed is kept.
    pub fn stop(&mut self) -> Result<(), LabError> {
        self.server.stop("INT")
    }

    /// Ends the server without a farewell (immediate shutdown), to be followed by recovery. Only a
    /// [durable](Self::start_durable) server keeps all that was committed.
    pub fn crash(&mut self) -> Result<(), LabError> {
        self.server.stop("QUIT")
    }

    /// Starts it again after [`Self::stop`] or [`Self::crash`], on the same port and with its data.
    pub fn start_again(&mut self) -> Result<(), LabError> {
        self.server.start_again()?;
        self.wait_ready()
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A new, empty database, dropped with the value.
    pub fn database(&self) -> Result<Database, LabError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("lab_{}_{number}", self.addr.port());
        wire::execute(self.addr, "postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(Database { addr: self.addr, name })
    }
}

/// A database of one test.
pub struct Database {
    addr: SocketAddr,
    name: String,
}

impl Database {
    /// `postgres://postgres@127.0.0.1:PORT/NAME`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/{}", self.addr, self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements (divided by `;`) and gives the rows of all of them, each column as text.
    pub fn execute(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, LabError> {
        wire::execute(self.addr, &self.name, sql)
    }

    /// All that is in it, as `pg_dump` writes it.
    pub fn dump(&self) -> Result<String, LabError> {
        let command = [postgres_program("pg_dump")?.display().to_string(), self.url()];
        run("pg_dump", &command)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Fails when the server is gone, and then there is nothing left to drop.
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let _ = wire::execute(self.addr, "postgres", &drop);
    }
}

/// Where a program of PostgreSQL's is, such as `pgbench`.
pub fn postgres_program(name: &str) -> Result<PathBuf, LabError> {
    find_binary(name, &program_folders(), PACKAGE)
}

/// Debian keeps them off PATH, one folder for each version; the newest wins.
fn program_folders() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.iter().map(|version| format!("/usr/lib/postgresql/{version}/bin").into()).collect()
}

fn data_dir(dir: &Path) -> String {
    dir.join("data").display().to_string()
}

/// initdb takes a second, a copy of its result a tenth: the first server leaves a copy in `target`.
fn fill_data_dir(options: &[&str], user: &RunAs, dir: &Path) -> Result<(), LabError> {
    let data = dir.join("data");
    let initdb = postgres_program("initdb")?;
    let template = template_dir(&initdb, options, user);
    if template.is_dir() && copy(&template, &data).is_ok() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&data);
    let mut command = user.prefix(false);
    command.extend([initdb.display().to_string(), "-D".to_string(), data_dir(dir)]);
    command.extend(INITDB.iter().chain(options).map(ToString::to_string));
    run("initdb", &command)?;

    // Made in a folder of its own, then renamed: nobody ever sees half a template, however many servers of how
    // many processes are started at once. Without one all works as well.
    if let Some(parent) = template.parent()
        && fs::create_dir_all(parent).is_ok()
        && let Ok(workshop) = tempfile::tempdir_in(parent)
    {
        let fresh = workshop.path().join("data");
        if copy(&data, &fresh).is_ok() {
            // Somebody else's is as good.
            let _ = fs::rename(&fresh, &template);
        }
    }
    Ok(())
}

fn template_dir(initdb: &Path, options: &[&str], user: &RunAs) -> PathBuf {
    let mut hash = DefaultHasher::new();
    (initdb, INITDB, options, user.uid).hash(&mut hash);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/mail-lab/initdb-{:016x}", hash.finish()))
}

fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    let command = ["cp".to_string(), "-a".to_string(), from.display().to_string(), to.display().to_string()];
    run("copying a data folder", &command).map(drop)
}

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
const INITDB: [&str; 10] = [
    "-U",
    "postgres",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
    // 1 MB segments in place of 16 MB: half as much to copy.
    "--wal-segsize=1",
];
const SETTINGS: [&str; 4] =
    ["listen_addresses=127.0.0.1", "wal_level=minimal", "max_wal_senders=0", "max_connections=300"];
/// For tests, which do not care for power cuts.
const QUICK: [&str; 5] =
    ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "autovacuum=off"];
/// For benchmarks: as in production.
const DURABLE: [&str; 2] = ["shared_buffers=512MB", "max_wal_size=2GB"];

/// A server, which may be stopped and started again with its data.
pub struct Postgres {
    /// First of all: it is stopped before its data goes.
    server: Option<Supervised>,
    folder: Supervised,
    addr: SocketAddr,
    durable: bool,
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
        with_other_ports(|| Self::start_once(false))
    }

    /// A server that flushes every commit to a disk, for benchmarks.
    pub fn start_durable() -> Result<Self, LabError> {
        with_other_ports(|| Self::start_once(true))
    }

    fn start_once(durable: bool) -> Result<Self, LabError> {
        let bin = Binaries::find()?;
        let user = RunAs::detect("postgres")?;
        let folder = if durable { make_dir_on_disk()? } else { make_dir()? };
        user.own(folder.path())?;
        fill_data_dir(&bin, &user, folder.path())?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(Ipv4Addr::LOCALHOST.into())?));
        let folder = Supervised::keep(&folder.keep())?;
        let mut server = Self { server: None, folder, addr, durable, databases: AtomicU64::new(0) };
        server.start_again()?;
        Ok(server)
    }

    /// Ends the server at once, breaking all connections; what is committed is kept.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again after [`Self::stop`], on the same port and with its data.
    pub fn start_again(&mut self) -> Result<(), LabError> {
        let user = RunAs::detect("postgres")?;
        let dir = make_dir()?;
        user.own(dir.path())?;
        let socket = format!("unix_socket_directories={}", dir.path().display());
        let port = self.addr.port().to_string();
        let mut arguments = ["-D", &data_dir(self.folder.dir()), "-p", &port].map(String::from).to_vec();
        let tuning: &[&str] = if self.durable { &DURABLE } else { &QUICK };
        for setting in SETTINGS.iter().chain(tuning).chain([&socket.as_str()]) {
            arguments.extend(["-c".to_string(), (*setting).to_string()]);
        }
        let server = Supervised::spawn(Launch {
            dir: &dir.keep(),
            user: &user,
            // Immediate shutdown: no checkpoint, and shared memory is given back (SIGKILL would leave it behind).
            stop: "QUIT",
            low_ports: false,
            program: &Binaries::find()?.postgres,
            arguments,
        })?;
        let addr = self.addr;
        server.wait_ready("PostgreSQL", || wire::execute(addr, "postgres", "SELECT 1").is_ok())?;
        self.server = Some(server);
        Ok(())
    }

    /// Where it listens.
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

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements (divided by `;`) and gives the rows of all of them, each column as text.
    pub fn execute(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, LabError> {
        wire::execute(self.addr, &self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Fails when the server is gone, and then there is nothing left to drop.
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let _ = wire::execute(self.addr, "postgres", &drop);
    }
}

/// A program of PostgreSQL's, such as `pgbench`.
pub fn postgres_program(name: &str) -> Result<PathBuf, LabError> {
    find_binary(name, &program_folders(), PACKAGE)
}

struct Binaries {
    initdb: PathBuf,
    postgres: PathBuf,
}

impl Binaries {
    fn find() -> Result<Self, LabError> {
        Ok(Self { initdb: postgres_program("initdb")?, postgres: postgres_program("postgres")? })
    }
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
fn fill_data_dir(bin: &Binaries, user: &RunAs, dir: &Path) -> Result<(), LabError> {
    let data = dir.join("data");
    let template = template_dir(bin, user);
    if template.is_dir() && copy(&template, &data).is_ok() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(&data);
    let mut command = user.prefix(false);
    command.extend([bin.initdb.display().to_string(), "-D".to_string(), data_dir(dir)]);
    command.extend(INITDB.map(String::from));
    run("initdb", &command)?;

    // Made under another name, then renamed: nobody ever sees half a template. Without one all works as well.
    if let Some(parent) = template.parent()
        && fs::create_dir_all(parent).is_ok()
    {
        let fresh = template.with_extension(format!("{}", std::process::id()));
        if copy(&data, &fresh).is_err() || fs::rename(&fresh, &template).is_err() {
            let _ = fs::remove_dir_all(&fresh);
        }
    }
    Ok(())
}

fn template_dir(bin: &Binaries, user: &RunAs) -> PathBuf {
    let mut hash = DefaultHasher::new();
    (&bin.initdb, INITDB, user.uid).hash(&mut hash);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/mail-lab/initdb-{:016x}", hash.finish()))
}

fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    let command = ["cp".to_string(), "-a".to_string(), from.display().to_string(), to.display().to_string()];
    run("copying a data folder", &command)
}

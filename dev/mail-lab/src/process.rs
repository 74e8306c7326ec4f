//! Child processes that never outlive the test process, however it ends.
//!
//! Each server runs under a tiny `sh` watchdog in a process group of its own. The watchdog reads orders from a pipe
//! whose other end only the test process holds. End of file means "the handle was dropped, or the test process is
//! gone", be it by panic, Ctrl-C or SIGKILL: the watchdog kills the server's group and removes its folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::WAIT_LIMIT;
use crate::error::{IoContext, LabError};

/// Arguments: folder, stop signal, log file, program, its arguments. Answers every order with the server's process
/// id (0 = none runs).
const WATCHDOG: &str = r#"
dir=$1; stop=$2; log=$3; shift 3
pid=0
# Whoever gave the order may be gone before the answer.
trap : PIPE
launch() {
    setsid -- "$@" >>"$log" 2>&1 </dev/null &
    pid=$!
}
# Signal, and seconds until it is too late for a good end.
end() {
    [ "$pid" -gt 0 ] || return
    if [ "$1" != KILL ]; then
        kill -s "$1" "$pid"
        (sleep "$2"; kill -s KILL "$pid") >/dev/null &
        timer=$!
        wait "$pid"
        kill "$timer"
    fi
    kill -s KILL -- "-$pid" "$pid"
    wait "$pid"
    pid=0
}
[ $# -eq 0 ] || launch "$@"
echo "$pid"
while read -r order; do
    case $order in
        start) launch "$@" ;;
        *) end "$order" 20 ;;
    esac
    echo "$pid"
done
end "$stop" 3
rm -rf -- "$dir"
"#;

/// A folder with a watchdog, and perhaps a server in it.
pub(crate) struct Supervised {
    watchdog: Child,
    /// Closing it is the signal to end everything.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pid: u32,
    dir: PathBuf,
}

/// A program to start in a folder that [`make_dir`] made.
pub(crate) struct Launch<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) user: &'a RunAs,
    /// Name of the signal that ends the server for good; `KILL` when it needs no farewell.
    pub(crate) stop: &'static str,
    /// Permission to bind ports below 1024 (as root only).
    pub(crate) low_ports: bool,
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
}

impl Supervised {
    /// Starts a server; its output goes to `dir/log`.
    pub(crate) fn spawn(launch: Launch<'_>) -> Result<Self, LabError> {
        let mut command = launch.user.prefix(launch.low_ports);
        command.push(launch.program.display().to_string());
        command.extend(launch.arguments);
        Self::watch(launch.dir, launch.stop, &command)
    }

    fn watch(dir: &Path, stop: &str, command: &[String]) -> Result<Self, LabError> {
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "mail-lab-watchdog"])
            .arg(dir)
            .arg(stop)
            .arg(dir.join("log"))
            .args(command)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .doing("starting a watchdog")?;
        let (orders, answers) = (watchdog.stdin.take(), watchdog.stdout.take());
        let answers = answers.ok_or_else(|| LabError::failed("starting a watchdog", "it has no output"))?;
        let (answers, dir) = (BufReader::new(answers), dir.to_path_buf());
        let mut this = Self { watchdog, orders, answers, pid: 0, dir };
        this.read_pid()?;
        Ok(this)
    }

    fn read_pid(&mut self) -> Result<(), LabError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).doing("reading from a watchdog")?;
        self.pid = line.trim().parse().map_err(|_| LabError::failed("a watchdog", "it gave no process id"))?;
        Ok(())
    }

    fn order(&mut self, order: &str) -> Result<(), LabError> {
        if let Some(pipe) = &mut self.orders {
            writeln!(pipe, "{order}").doing("telling a watchdog what to do")?;
        }
        self.read_pid()
    }

    /// Ends the server with this signal, and keeps its folder. A server that runs 20 seconds later is killed.
    pub(crate) fn stop(&mut self, signal: &str) -> Result<(), LabError> {
        self.order(signal)
    }

    /// Starts the server that was stopped with the same command line.
    pub(crate) fn start_again(&mut self) -> Result<(), LabError> {
        if self.pid == 0 { self.order("start") } else { Err(LabError::failed("starting a server", "it runs already")) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn is_running(&self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        // proc(5): "pid (name) state ..."; Z is a process that has ended.
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        !state.starts_with(['Z', 'X'])
    }

    /// Asks `ready` until it says yes; an error with the end of the log when the server ends or takes too long.
    pub(crate) fn wait_ready(&self, what: &str, mut ready: impl FnMut() -> bool) -> Result<(), LabError> {
        let begin = Instant::now();
        // A server that lost its port to another one is not ready, even if the other one answers.
        while !ready() || !self.is_running() {
            if !self.is_running() {
                return Err(LabError::failed(format!("{what}: the start"), self.log_tail()));
            }
            if begin.elapsed() > WAIT_LIMIT {
                let seconds = WAIT_LIMIT.as_secs();
                return Err(LabError::failed(format!("{what}: getting ready in {seconds} s"), self.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The last lines of the server's own output.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.orders.take();
        let _ = self.watchdog.wait();
    }
}

/// The user that servers run as.
pub(crate) struct RunAs {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    switch: bool,
}

impl RunAs {
    /// `preferred` when the test process is root (PostgreSQL and others refuse to be root), else the current user.
    pub(crate) fn detect(preferred: &str) -> Result<Self, LabError> {
        let current = fs::metadata("/proc/self").doing("reading /proc/self")?.uid();
        let switch = current == 0;
        let wanted = |name: &str, uid: u32| {
            if switch { name == preferred } else { uid == current }
        };
        let users = fs::read_to_string("/etc/passwd").doing("reading /etc/passwd")?;
        for line in users.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
                && wanted(name, uid)
            {
                return Ok(Self { name: name.to_string(), uid, gid, switch });
            }
        }
        Err(LabError::failed(
            "choosing a user",
            format!("no user for `{preferred}` (current uid {current}) in /etc/passwd"),
        ))
    }

    /// For servers that have to start as root. It is an error not to be root.
    pub(crate) fn root() -> Result<Self, LabError> {
        let root = Self::detect("root")?;
        if root.switch {
            Ok(root)
        } else {
            Err(LabError::failed("starting Postfix", "only root may do that: run the tests as root, or with sudo"))
        }
    }

    pub(crate) fn group_name(&self) -> Result<String, LabError> {
        let groups = fs::read_to_string("/etc/group").doing("reading /etc/group")?;
        let named = groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == self.gid.to_string()).then(|| name.to_string())
        });
        named.ok_or_else(|| LabError::failed("reading /etc/group", format!("no group {}", self.gid)))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.switch
    }

    /// Command line that changes to the user; empty when there is nothing to change.
    pub(crate) fn prefix(&self, low_ports: bool) -> Vec<String> {
        if !self.switch {
            return Vec::new();
        }
        let mut prefix = vec![
            "setpriv".to_string(),
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            "--clear-groups".to_string(),
        ];
        if low_ports {
            prefix.push("--inh-caps=+net_bind_service".to_string());
            prefix.push("--ambient-caps=+net_bind_service".to_string());
        }
        prefix.push("--".to_string());
        prefix
    }

    /// Makes the user the owner of everything below `path`.
    pub(crate) fn own(&self, path: &Path) -> Result<(), LabError> {
        if !self.switch {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).doing("changing an owner")?;
        if path.is_dir() {
            for entry in fs::read_dir(path).doing("reading a folder")? {
                self.own(&entry.doing("reading a folder")?.path())?;
            }
        }
        Ok(())
    }
}

/// A new folder `ml-XXXXXX`, to be handed to [`Supervised::spawn`], whose watchdog removes it.
pub(crate) fn make_dir() -> Result<tempfile::TempDir, LabError> {
    let base = temp_base();
    tempfile::Builder::new().prefix("ml-").tempdir_in(base).doing(format!("making a folder in {}", base.display()))
}

/// The same on a disk, for what is to be flushed.
pub(crate) fn make_dir_on_disk() -> Result<tempfile::TempDir, LabError> {
    let in_memory = |folder: &&str| {
        let kind = Command::new("stat").args(["-f", "-c", "%T", folder]).stderr(Stdio::null()).output();
        kind.is_ok_and(|output| ["tmpfs", "ramfs"].contains(&String::from_utf8_lossy(&output.stdout).trim()))
    };
    let base = ["/var/tmp", "/tmp"].into_iter().find(|folder| !in_memory(folder));
    let base = base.ok_or_else(|| LabError::failed("finding a disk", "/var/tmp and /tmp are in memory"))?;
    tempfile::Builder::new().prefix("ml-").tempdir_in(base).doing(format!("making a folder in {base}"))
}

/// In memory when there is room: a PostgreSQL server is a thousand files, a database three hundred, and a disk may
/// need a second for that. Never `$TMPDIR`, which may be too long for the path of a socket (107 bytes).
fn temp_base() -> &'static Path {
    static BASE: OnceLock<&Path> = OnceLock::new();
    BASE.get_or_init(|| {
        let free = Command::new("df").args(["--output=avail", "-BM", "/dev/shm"]).stderr(Stdio::null()).output();
        let text = free.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let megabytes = text.lines().last().and_then(|line| line.trim().trim_end_matches('M').parse::<u64>().ok());
        Path::new(if megabytes.is_some_and(|free| free >= 1024) { "/dev/shm" } else { "/tmp" })
    })
}

/// One folder for small files of this test process, removed when the process ends.
pub(crate) fn scratch_dir() -> Result<&'static Path, LabError> {
    static SCRATCH: OnceLock<Supervised> = OnceLock::new();
    if SCRATCH.get().is_none() {
        let dir = make_dir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).doing("opening a folder")?;
        // Two threads may get here at once; the folder of the second is then removed with its handle.
        let _ = SCRATCH.set(Supervised::watch(&dir.keep(), "KILL", &[])?);
    }
    SCRATCH.get().map(Supervised::dir).ok_or_else(|| LabError::failed("making a scratch folder", "lost"))
}

/// First of `folders` (then of PATH) that holds `binary`.
pub(crate) fn find_binary(binary: &str, folders: &[PathBuf], package: &'static str) -> Result<PathBuf, LabError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from);
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .chain(system)
        .map(|folder| folder.join(binary))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| LabError::MissingBinary { binary: binary.to_string(), package })
}

/// Runs a short command to its end and gives what it printed; an error with its output when it fails.
pub(crate) fn run(what: &str, command: &[String]) -> Result<String, LabError> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(String::new());
    };
    let output = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .doing(format!("running {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(LabError::failed(what, String::from_utf8_lossy(&text).trim()))
}

/// Up to three starts: another process may take a port between choosing and binding it.
pub(crate) fn with_other_ports<T>(mut start: impl FnMut() -> Result<T, LabError>) -> Result<T, LabError> {
    for _ in 0..2 {
        match start() {
            Err(LabError::Failed { detail, .. }) if detail.to_lowercase().contains("in use") => {}
            result => return result,
        }
    }
    start()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_binary_names_its_package() {
        let error = find_binary("no-such-server", &[], "some-package").unwrap_err();
        assert!(error.to_string().contains("apt-get install some-package"), "{error}");
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error_with_its_log() {
        let dir = make_dir().unwrap().keep();
        let launch = Launch {
            dir: &dir,
            user: &RunAs::detect("nobody").unwrap(),
            stop: "KILL",
            low_ports: false,
            program: Path::new("/bin/sh"),
            arguments: vec!["-c".to_string(), "echo no such luck; exit 1".to_string()],
        };
        let server = Supervised::spawn(launch).unwrap();
        let error = server.wait_ready("sh", || false).unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
        drop(server);
        assert!(!dir.exists());
    }
}

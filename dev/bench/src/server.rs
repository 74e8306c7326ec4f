//! Release builds of the programs, each in a folder of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mail_lab::Knot;
use tempfile::TempDir;

const ZONE: &str = r#"
@       MX   10 mx
@       TXT  "v=spf1 mx -all"
mx      A    203.0.113.9
_dmarc  TXT  "v=DMARC1; p=reject"
"#;

/// A running `mailmoor` with a name server of its own; killed on drop.
pub(crate) struct Mailmoor {
    process: Child,
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
    _data: TempDir,
    _names: Knot,
}

impl Mailmoor {
    /// Builds and starts it. It may dial loopback addresses and trusts the lab's certificates.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Result<Self, Box<dyn Error>> {
        let data = data_dir()?;
        let names = Knot::start(&[("bench.example", ZONE), ("example.test", "mail A 127.0.0.1\n")])?;
        let ca = mail_lab::TestCa::shared().path();
        let mut process = Command::new(binary("standalone", "mailmoor")?)
            .env("MAILMOOR__DATA_DIR", data.path())
            .env("MAILMOOR__HTTP__LISTEN", "127.0.0.1:0")
            .env("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "127.0.0.0/8")
            .env("MAILMOOR__EGRESS__EXTRA_CA_FILE", ca)
            .env("MAILMOOR__DNS__SERVERS", names.addr().to_string())
            .env("MAILMOOR__RATE_LIMIT__SENDKIT_PER_MINUTE", "0")
            .env("RUST_LOG", "warn")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let (mut key, mut addr) = (None, None);
        while addr.is_none() {
            let line = lines.next().ok_or("mailmoor ended before it was ready")??;
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("sendkit-workspace"), Some(text)) => key = Some(text.to_owned()),
                (Some("open"), Some(url)) => {
                    addr = url.trim_start_matches("http://").split('/').next().map(str::parse).transpose()?;
                }
                _ => {}
            }
        }
        let (addr, key) = (addr.ok_or("no address")?, key.ok_or("no key")?);
        Ok(Self { process, addr, key, _data: data, _names: names })
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> Result<f64, Box<dyn Error>> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time used so far, in clock ticks of 10 ms.
    pub(crate) fn ticks(&self) -> Result<u64, Box<dyn Error>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let after_name = stat.rsplit_once(')').ok_or("no name in stat")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        Ok(fields.get(11).ok_or("no utime")?.parse::<u64>()? + fields.get(12).ok_or("no stime")?.parse::<u64>()?)
    }
}

impl Drop for Mailmoor {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A service of the distributed deployment; killed on drop.
pub(crate) struct Service {
    process: Child,
    data: TempDir,
}

impl Service {
    /// Builds and starts it, and waits until it is ready.
    pub(crate) fn start(name: &str, settings: &[(&str, String)]) -> Result<Self, Box<dyn Error>> {
        let mut service = Self::spawn(name, settings)?;
        loop {
            if let Some(status) = service.process.try_wait()? {
                return Err(format!("{name} ended before it was ready: {status}").into());
            }
            if service.addr().is_some_and(is_ready) {
                return Ok(service);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens, once it does.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        std::fs::read_to_string(self.data.path().join("http.addr")).ok()?.parse().ok()
    }

    /// Builds and starts it.
    pub(crate) fn spawn(name: &str, settings: &[(&str, String)]) -> Result<Self, Box<dyn Error>> {
        Self::run(&binary(name, name)?, settings)
    }

    /// Starts what is built.
    pub(crate) fn run(program: &Path, settings: &[(&str, String)]) -> Result<Self, Box<dyn Error>> {
        let data = data_dir()?;
        let process = Command::new(program)
            .env("MAILMOOR__DATA_DIR", data.path())
            .env("MAILMOOR__HTTP__LISTEN", "127.0.0.1:0")
            .env("MAILMOOR__RATE_LIMIT__SENDKIT_PER_MINUTE", "0")
            .env("RUST_LOG", "warn,lapin=off")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .spawn()?;
        Ok(Self { process, data })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_ready(addr: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A folder on the disk of `target/`: a memory file system would flatter every flush.
pub(crate) fn data_dir() -> Result<TempDir, Box<dyn Error>> {
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(target_dir()?)?)
}

fn target_dir() -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    Ok(program.parent().and_then(Path::parent).ok_or("no target folder")?.to_owned())
}

/// Builds a program and says where it is.
pub(crate) fn binary(package: &str, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let built = Command::new("cargo").args(["build", "--quiet", "--release", "--package", package]).status()?;
    if !built.success() {
        return Err(format!("{package} does not build").into());
    }
    Ok(target_dir()?.join("release").join(name))
}

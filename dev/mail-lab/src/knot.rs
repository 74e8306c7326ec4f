//! A private authoritative name server (Knot DNS) with made-up zones.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dns;
use crate::error::{IoContext, LabError};
use crate::net::free_port;
use crate::process::{Launch, RunAs, Supervised, find_binary, make_dir, run, with_other_ports};
use crate::runtime::lock;

const PACKAGE: &str = "knot";

/// A running name server; UDP and TCP on one port of 127.0.0.1.
pub struct Knot {
    server: Supervised,
    user: RunAs,
    knotc: PathBuf,
    addr: SocketAddr,
    origins: Mutex<BTreeSet<String>>,
}

impl Knot {
    /// Starts with these zones: origin and text in master-file format (RFC 1035, section 5).
    ///
    /// A text without an SOA record gets one, with a rising serial, TTL 5, the name server `ns` at 127.0.0.1.
    pub fn start(zones: &[(&str, &str)]) -> Result<Self, LabError> {
        with_other_ports(|| Self::start_at(free_port(Ipv4Addr::LOCALHOST.into())?, zones))
    }

    /// The same on this port of 127.0.0.1, which must be free (UDP and TCP).
    pub fn start_at(port: u16, zones: &[(&str, &str)]) -> Result<Self, LabError> {
        let knotd = find_binary("knotd", &[], PACKAGE)?;
        let knotc = find_binary("knotc", &[], PACKAGE)?;
        let user = RunAs::detect("knot")?;
        let dir = make_dir()?;
        for folder in ["run", "db", "zones"] {
            fs::create_dir(dir.path().join(folder)).doing("making a folder")?;
        }
        let origins: BTreeSet<String> = zones.iter().map(|(origin, _)| normal(origin)).collect();
        for (origin, text) in zones {
            write_zone(dir.path(), origin, text)?;
        }
        let config = dir.path().join("knot.conf");
        fs::write(&config, configuration(dir.path(), port, &origins)).doing("writing knot.conf")?;
        user.own(dir.path())?;
        let server = Supervised::spawn(Launch {
            dir: &dir.keep(),
            user: &user,
            stop: "KILL",
            low_ports: false,
            program: &knotd,
            arguments: vec!["-c".to_string(), config.display().to_string()],
        })?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        server.wait_ready("Knot", || {
            dns::ask(addr, "", "SOA").is_some() && server.dir().join("run/knot.sock").exists()
        })?;
        let knot = Self { server, user, knotc, addr, origins: Mutex::new(origins.clone()) };
        for origin in &origins {
            knot.wait_served(origin)?;
        }
        Ok(knot)
    }

    /// Where it listens, UDP and TCP.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Replaces a zone, or adds it; the new content is served when this returns.
    ///
    /// An error with Knot's own words when the text cannot be read; the old content, if any, is then still served.
    pub fn set_zone(&self, origin: &str, text: &str) -> Result<(), LabError> {
        let origin = normal(origin);
        let mut origins = lock(&self.origins);
        let zone = write_zone(self.server.dir(), &origin, text)?;
        self.user.own(&zone)?;
        if origins.insert(origin.clone()) {
            let text = configuration(self.server.dir(), self.addr.port(), &origins);
            fs::write(self.server.dir().join("knot.conf"), text).doing("writing knot.conf")?;
            self.control(&["reload"])?;
        }
        self.control(&["-b", "zone-reload", &origin])?;
        self.wait_served(&origin)
    }

    fn control(&self, command: &[&str]) -> Result<(), LabError> {
        let socket = self.server.dir().join("run/knot.sock").display().to_string();
        let mut line = vec![self.knotc.display().to_string(), "-s".to_string(), socket];
        line.extend(command.iter().map(ToString::to_string));
        run("knotc", &line).map(drop).map_err(|error| LabError::failed(error.to_string(), self.server.log_tail()))
    }

    fn wait_served(&self, origin: &str) -> Result<(), LabError> {
        let served = || dns::ask(self.addr, origin, "SOA").is_some_and(|reply| dns::has_answer(&reply));
        if !served() {
            // Loading it once more, and waiting for the end, shows what is wrong with it.
            self.control(&["-b", "zone-reload", origin])?;
        }
        self.server.wait_ready(&format!("Knot: zone {origin}"), served)
    }
}

fn normal(origin: &str) -> String {
    origin.trim_end_matches('.').to_ascii_lowercase()
}

fn write_zone(dir: &Path, origin: &str, text: &str) -> Result<PathBuf, LabError> {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let path = dir.join("zones").join(format!("{}.zone", normal(origin)));
    let has_soa = text.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("SOA"));
    let text = if has_soa {
        text.to_string()
    } else {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        format!("$TTL 5\n@ SOA ns hostmaster {serial} 3600 600 86400 5\n@ NS ns\nns A 127.0.0.1\n{text}\n")
    };
    fs::write(&path, text).doing("writing a zone")?;
    Ok(path)
}

fn configuration(dir: &Path, port: u16, origins: &BTreeSet<String>) -> String {
    let dir = dir.display();
    let mut text = format!(
        "server:
    rundir: \"{dir}/run\"
    listen: \"127.0.0.1@{port}\"
    udp-workers: 1
    tcp-workers: 2
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: \"{dir}/db\"
template:
  - id: default
    storage: \"{dir}/zones\"
    file: \"%s.zone\"
    zonefile-sync: -1
    journal-content: none
zone:
"
    );
    for origin in origins {
        text.push_str(&format!("  - domain: {origin}\n"));
    }
    text
}

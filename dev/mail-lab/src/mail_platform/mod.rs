//! The mail platform as it is deployed: Dovecot and Postfix over a PostgreSQL database, with the configuration of
//! `deploy/mail-platform`.
//!
//! Different from a deployment: free ports, the laboratory's certificate, no penalty for failed logins, and mail to the
//! world ends in a scripted server ([`MailPlatform::world`]), which keeps it.

mod config;

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use crate::certs::{CertSpec, TestCa};
use crate::error::{IoContext, LabError};
use crate::net::free_port;
use crate::postgres::postgres_program;
use crate::process::{Launch, RunAs, Supervised, find_binary, make_dir, run};
use crate::runtime;
use crate::scripted::{Behaviour, Listener, ScriptedServer, Starttls};

const DOVECOT: &str = "dovecot-core dovecot-imapd dovecot-submissiond dovecot-lmtpd dovecot-pgsql";
const POSTFIX: &str = "postfix postfix-pgsql";
/// A secret in a deployment.
const DOVEADM_KEY: &str = "laboratory";

/// Ports of a mail platform, all at 127.0.0.1. Chosen before it starts, for those who have to know them before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailPlatformPorts {
    /// Mail from the world (SMTP).
    pub mx: u16,
    /// IMAP in implicit TLS.
    pub imaps: u16,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// Submission in implicit TLS.
    pub submissions: u16,
    /// Dovecot's administration (HTTP).
    pub doveadm: u16,
    /// Where Postfix will ask about senders; not a port of the platform itself.
    pub policy: u16,
    /// Where Postfix will have what is submitted checked and signed; no port of the platform either.
    pub milter: u16,
    lmtp: u16,
    relay: u16,
    quota: u16,
    auth: u16,
}

impl MailPlatformPorts {
    /// Ports that nobody listens on.
    pub fn free() -> Result<Self, LabError> {
        let port = || free_port(Ipv4Addr::LOCALHOST.into());
        Ok(Self {
            mx: port()?,
            imaps: port()?,
            submission: port()?,
            submissions: port()?,
            doveadm: port()?,
            policy: port()?,
            milter: port()?,
            lmtp: port()?,
            relay: port()?,
            quota: port()?,
            auth: port()?,
        })
    }

    /// Base of Dovecot's HTTP API.
    pub fn doveadm_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.doveadm)
    }

    /// The key for it.
    pub fn doveadm_key(&self) -> &'static str {
        DOVEADM_KEY
    }
}

/// A running mail platform. Dovecot ends before Postfix, which it talks to.
pub struct MailPlatform {
    dovecot: Supervised,
    postfix: Supervised,
    ports: MailPlatformPorts,
    world: ScriptedServer,
}

impl MailPlatform {
    /// Starts it over a database that has the views of the mail servers (`postgres://...`, trust authentication);
    /// it answers on all its ports when this returns. Needs root, because Postfix does.
    ///
    /// `gateway`: there is one, which Postfix asks at [`MailPlatformPorts::policy`] before it accepts a message, and
    /// at [`MailPlatformPorts::milter`] about what is submitted.
    pub fn start(database_url: &str, ports: MailPlatformPorts, gateway: bool) -> Result<Self, LabError> {
        let dovecot = find_binary("dovecot", &[], DOVECOT)?;
        let folders: [PathBuf; 2] = ["/usr/lib/dovecot".into(), "/usr/libexec/dovecot".into()];
        for service in ["imap-login", "submission-login", "lmtp"] {
            find_binary(service, &folders, DOVECOT)?;
        }
        find_binary("libdriver_pgsql.so", &[folders[0].join("modules"), folders[1].join("modules")], DOVECOT)?;
        let postfix = find_binary("postfix", &[], POSTFIX)?;
        find_binary("postfix-pgsql.so", &["/usr/lib/postfix".into()], POSTFIX)?;
        let root = RunAs::root()?;
        grant(database_url)?;
        let world = world()?;
        let values = config::Values {
            ports,
            database_url: as_mail_servers(database_url)?,
            relay_port: world.port(Listener::SmtpStarttls),
            gateway,
        };
        let postfix = start_postfix(&postfix, &root, &values)?;
        let dovecot = start_dovecot(&dovecot, &RunAs::detect("nobody")?, &values)?;
        let this = Self { dovecot, postfix, ports, world };
        this.postfix.wait_ready("Postfix", || greets(ports.mx, "220") && greets(ports.relay, "220"))?;
        let administration = || TcpStream::connect((Ipv4Addr::LOCALHOST, ports.doveadm)).is_ok();
        this.dovecot.wait_ready("Dovecot", || {
            greets(ports.submission, "220") && greets(ports.lmtp, "220") && administration()
        })?;
        Ok(this)
    }

    pub fn ports(&self) -> MailPlatformPorts {
        self.ports
    }

    /// Address of one of the ports.
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Where mail to the world ends up.
    pub fn world(&self) -> &ScriptedServer {
        &self.world
    }

    /// Where the mail of an account is kept: `folder` as the database has it.
    pub fn mail_folder(&self, folder: &str) -> PathBuf {
        self.dovecot.dir().join("mail").join(folder)
    }

    /// Ends Dovecot, in the middle of what it is doing.
    pub fn stop_dovecot(&mut self) -> Result<(), LabError> {
        self.dovecot.stop("KILL")
    }

    pub fn start_dovecot_again(&mut self) -> Result<(), LabError> {
        self.dovecot.start_again()?;
        let ports = self.ports;
        self.dovecot.wait_ready("Dovecot", || greets(ports.submission, "220") && greets(ports.lmtp, "220"))
    }

    /// The logs of both servers.
    pub fn log(&self) -> String {
        let files =
            [self.dovecot.dir().join("log"), self.postfix.dir().join("log"), self.postfix.dir().join("run/log")];
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()).collect()
    }
}

/// Where mail to the world goes.
fn world() -> Result<ScriptedServer, LabError> {
    let behaviour = Behaviour { starttls: Starttls::NotOffered, open_relay: true, ..Behaviour::default() };
    ScriptedServer::builder().listen(Listener::SmtpStarttls).behaviour(Listener::SMTP, behaviour).start()
}

fn start_dovecot(program: &Path, user: &RunAs, values: &config::Values) -> Result<Supervised, LabError> {
    let dir = make_dir()?;
    prepare(dir.path(), &["run", "run/dovecot", "mail"])?;
    values.render(dir.path(), user)?;
    user.own(dir.path())?;
    Supervised::spawn(Launch {
        arguments: vec!["-F".to_owned(), "-c".to_owned(), dir.path().join("config/dovecot.conf").display().to_string()],
        dir: &dir.keep(),
        user,
        stop: "KILL",
        low_ports: false,
        program,
    })
}

fn start_postfix(program: &Path, root: &RunAs, values: &config::Values) -> Result<Supervised, LabError> {
    let dir = make_dir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).doing("opening a folder")?;
    prepare(dir.path(), &["run", "run/postfix", "queue"])?;
    values.render(dir.path(), root)?;
    let config = dir.path().join("config").display().to_string();
    let data = dir.path().join("run/postfix").display().to_string();
    run("giving folders to Postfix", &["chown", "postfix", &data].map(str::to_owned))?;
    run("giving folders to Postfix", &["chgrp", "-R", "postfix", &config].map(str::to_owned))?;
    // As `postfix start-fg`, but in the process group that is ended with the test.
    let start = format!(
        "'{}' -c '{config}' check && exec \"$(postconf -c '{config}' -h daemon_directory)/master\" -c '{config}' -d",
        program.display()
    );
    Supervised::spawn(Launch {
        dir: &dir.keep(),
        user: root,
        stop: "KILL",
        low_ports: false,
        program: Path::new("/bin/sh"),
        arguments: vec!["-c".to_owned(), start],
    })
}

fn prepare(dir: &Path, folders: &[&str]) -> Result<(), LabError> {
    for folder in folders.iter().chain(&["config"]) {
        fs::create_dir(dir.join(folder)).doing("making a folder")?;
    }
    TestCa::shared().issue(&CertSpec::default())?.write_into(dir)
}

/// Makes the role of the mail servers, as a deployment does.
fn grant(database_url: &str) -> Result<(), LabError> {
    // Roles belong to a server, not to a database, and cannot be changed twice at once.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = runtime::lock(&ALONE);
    let script = config::templates().join("grants.sql").display().to_string();
    let psql = postgres_program("psql")?.display().to_string();
    let command = ["env", "MAIL_DATABASE_PASSWORD_FILE=/etc/hostname", &psql, "-q", "-d", database_url, "-f", &script];
    run("grants.sql", &command.map(str::to_owned)).map(drop)
}

/// The same database for that role.
fn as_mail_servers(database_url: &str) -> Result<String, LabError> {
    let (_, place) = database_url
        .rsplit_once('@')
        .ok_or_else(|| LabError::failed("starting a mail platform", "the database URL names no user"))?;
    Ok(format!("postgres://mail_platform@{place}"))
}

fn greets(port: u16, expected: &str) -> bool {
    let read = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut begin = vec![0; expected.len()];
        stream.read_exact(&mut begin)?;
        Ok(begin == expected.as_bytes())
    };
    read().unwrap_or(false)
}

//! A private Dovecot: a real IMAP and submission server.
//!
//! Its users are files that it reads at each login, so a changed password counts at once. Submission relays to a
//! scripted server ([`Dovecot::relay`]), which keeps the mail.

mod config;
mod log;

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::certs::{CertSpec, IssuedCert, TestCa};
use crate::error::{IoContext, LabError};
use crate::net::{free_loopback, free_port};
use crate::process::{Launch, RunAs, Supervised, find_binary, make_dir, with_other_ports};
use crate::runtime;
use crate::scripted::{Behaviour, Listener, ScriptedServer, Starttls};

pub use log::LoginLog;

const PACKAGE: &str = "dovecot-core dovecot-imapd dovecot-submissiond";

/// How a Dovecot is to be.
#[derive(Clone, Default)]
pub struct DovecotOptions {
    pub users: Vec<(String, String)>,
    /// Listen on 143, 993, 587 and 465, at a loopback address of its own. Needs root (or a kernel that lets
    /// everybody have low ports).
    pub standard_ports: bool,
    /// These ports, which must be free; else the start fails. Without them, and without `standard_ports`: free ones.
    pub ports: Option<DovecotPorts>,
    /// Where to listen; 127.0.0.1, or a free 127.x.y.z with `standard_ports`.
    pub ip: Option<IpAddr>,
    /// Another certificate than the standard one of [`TestCa::shared`].
    pub certificate: Option<IssuedCert>,
}

impl DovecotOptions {
    /// The usual case: these users, free ports.
    pub fn users(users: &[(&str, &str)]) -> Self {
        let owned = |(user, password): &(&str, &str)| (user.to_string(), password.to_string());
        Self { users: users.iter().map(owned).collect(), ..Self::default() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DovecotPorts {
    /// IMAP with STARTTLS.
    pub imap: u16,
    /// IMAP in implicit TLS.
    pub imaps: u16,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// Submission in implicit TLS.
    pub submissions: u16,
}

const STANDARD: DovecotPorts = DovecotPorts { imap: 143, imaps: 993, submission: 587, submissions: 465 };

pub struct Dovecot {
    server: Supervised,
    user: RunAs,
    ip: IpAddr,
    ports: DovecotPorts,
    relay: ScriptedServer,
}

impl Dovecot {
    /// Starts it; all four ports answer when this returns.
    pub fn start(options: DovecotOptions) -> Result<Self, LabError> {
        with_other_ports(|| Self::start_once(&options))
    }

    fn start_once(options: &DovecotOptions) -> Result<Self, LabError> {
        let program = find_binary("dovecot", &[], PACKAGE)?;
        for service in ["imap-login", "submission-login"] {
            find_binary(service, &["/usr/lib/dovecot".into(), "/usr/libexec/dovecot".into()], PACKAGE)?;
        }
        let user = RunAs::detect("nobody")?;
        let (ip, ports) = choose_address(options, &user)?;
        let relay = ScriptedServer::builder()
            .listen(Listener::SmtpStarttls)
            .behaviour(
                Listener::SMTP,
                Behaviour { starttls: Starttls::NotOffered, open_relay: true, ..Behaviour::default() },
            )
            .start()?;
        let dir = make_dir()?;
        for folder in ["run", "state", "mail", "users", "incoming"] {
            fs::create_dir(dir.path().join(folder)).doing("making a folder")?;
        }
        let certificate = match &options.certificate {
            Some(certificate) => certificate.clone(),
            None => TestCa::shared().issue(&CertSpec::default().with_ip(ip))?,
        };
        certificate.write_into(dir.path())?;
        let relay_port = relay.port(Listener::SmtpStarttls);
        config::write(dir.path(), &user, ip, ports, relay_port)?;
        for (name, password) in &options.users {
            write_user(dir.path(), name, password)?;
        }
        user.own(dir.path())?;
        let config = dir.path().join("dovecot.conf").display().to_string();
        let server = Supervised::spawn(Launch {
            dir: &dir.keep(),
            user: &user,
            // A graceful stop takes a second.
            stop: "KILL",
            low_ports: options.standard_ports,
            program: &program,
            arguments: vec!["-F".to_string(), "-c".to_string(), config],
        })?;
        server.wait_ready("Dovecot", || {
            greets(SocketAddr::new(ip, ports.imap), "* OK") && greets(SocketAddr::new(ip, ports.submission), "220")
        })?;
        Ok(Self { server, user, ip, ports, relay })
    }

    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    pub fn ports(&self) -> DovecotPorts {
        self.ports
    }

    /// Address of one of the ports, named as for the scripted server.
    pub fn addr(&self, listener: Listener) -> SocketAddr {
        let port = match listener {
            Listener::SmtpStarttls => self.ports.submission,
            Listener::SmtpImplicit => self.ports.submissions,
            Listener::ImapStarttls => self.ports.imap,
            Listener::ImapImplicit => self.ports.imaps,
        };
        SocketAddr::new(self.ip, port)
    }

    /// The server that submitted mail ends up in.
    pub fn relay(&self) -> &ScriptedServer {
        &self.relay
    }

    /// Adds a user; counts from the next login on.
    pub fn add_user(&self, user: &str, password: &str) -> Result<(), LabError> {
        let path = write_user(self.server.dir(), user, password)?;
        self.user.own(&path)
    }

    /// Changes a password; counts from the next login on.
    pub fn set_password(&self, user: &str, password: &str) -> Result<(), LabError> {
        self.add_user(user, password)
    }

    /// Removes a user; counts from the next login on.
    pub fn remove_user(&self, user: &str) -> Result<(), LabError> {
        let path = self.server.dir().join("users").join(user);
        fs::remove_file(path).doing("removing a user")
    }

    /// Logins by user, read from Dovecot's log. The log is written a moment after the reply: see
    /// [`Self::wait_login_log`].
    pub fn login_log(&self) -> LoginLog {
        let text = fs::read(self.server.dir().join("log")).unwrap_or_default();
        log::parse(&String::from_utf8_lossy(&text))
    }

    /// Waits until the log is as wanted.
    ///
    /// # Panics
    /// After [`crate::WAIT_LIMIT`], with the log.
    pub async fn wait_login_log(&self, mut wanted: impl FnMut(&LoginLog) -> bool) {
        let done = async {
            while !wanted(&self.login_log()) {
                let pause = {
                    let _guard = runtime::handle().enter();
                    tokio::time::sleep(Duration::from_millis(5))
                };
                pause.await;
            }
        };
        if !runtime::within_limit(done).await {
            panic!("waited in vain; the log is {:?}", self.login_log());
        }
    }
}

fn choose_address(options: &DovecotOptions, user: &RunAs) -> Result<(IpAddr, DovecotPorts), LabError> {
    if options.standard_ports {
        let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
        let open_to_all = start.trim().parse::<u16>().is_ok_and(|first| first <= STANDARD.imap);
        if !user.is_root() && !open_to_all {
            let remedy = "only root may bind ports below 1024: run the tests as root, or with sudo";
            return Err(LabError::failed("starting Dovecot on its standard ports", remedy));
        }
        return Ok((options.ip.unwrap_or_else(free_loopback), STANDARD));
    }
    let ip = options.ip.unwrap_or(Ipv4Addr::LOCALHOST.into());
    if let Some(ports) = options.ports {
        return Ok((ip, ports));
    }
    let ports = DovecotPorts {
        imap: free_port(ip)?,
        imaps: free_port(ip)?,
        submission: free_port(ip)?,
        submissions: free_port(ip)?,
    };
    Ok((ip, ports))
}

/// One file for each user, replaced in one step. Dovecot's `dict` driver opens it at each login; a passwd-file
/// would be looked at once a second only.
fn write_user(dir: &Path, user: &str, password: &str) -> Result<std::path::PathBuf, LabError> {
    if user.is_empty() || user.starts_with('.') || user.contains('/') {
        return Err(LabError::failed("adding a Dovecot user", format!("the name {user:?} is no file name")));
    }
    let path = dir.join("users").join(user);
    let fresh = dir.join("incoming").join(user);
    fs::write(&fresh, format!("{{\"password\":\"{{PLAIN}}{}\"}}", json_escaped(password))).doing("writing a user")?;
    fs::rename(&fresh, &path).doing("writing a user")?;
    Ok(path)
}

fn json_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

fn greets(addr: SocketAddr, expected: &str) -> bool {
    let read = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut begin = vec![0; expected.len()];
        stream.read_exact(&mut begin)?;
        Ok(begin == expected.as_bytes())
    };
    read().unwrap_or(false)
}

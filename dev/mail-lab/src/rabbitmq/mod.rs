//! A private RabbitMQ server: one node, its own epmd, virtual hosts made through the management API.

mod management;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{IoContext, LabError};
use crate::net::free_port;
use crate::process::{Launch, RunAs, Supervised, find_binary, make_dir, with_other_ports};
use management::Management;

const PACKAGE: &str = "rabbitmq-server";
/// User and password.
const LOGIN: &str = "test";

/// A running server, or one that is stopped for a while.
pub struct RabbitMq {
    server: Supervised,
    _epmd: Supervised,
    ports: Ports,
    vhosts: AtomicU64,
}

#[derive(Clone, Copy)]
struct Ports {
    amqp: u16,
    management: u16,
    distribution: u16,
    epmd: u16,
}

impl RabbitMq {
    /// The server of this test process, started at first use and stopped when the process ends, however it ends.
    pub fn shared() -> Result<&'static Self, &'static LabError> {
        static SHARED: OnceLock<Result<RabbitMq, LabError>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A server of one's own: for tests that stop it. Ready in about five seconds.
    pub fn start() -> Result<Self, LabError> {
        with_other_ports(Self::start_once)
    }

    fn start_once() -> Result<Self, LabError> {
        let ip = Ipv4Addr::LOCALHOST.into();
        let (amqp, management) = (free_port(ip)?, free_port(ip)?);
        let ports = Ports { amqp, management, distribution: free_port(ip)?, epmd: free_port(ip)? };
        let user = RunAs::detect("rabbitmq")?;
        let dir = make_dir()?;
        lay_out(dir.path(), ports)?;
        user.own(dir.path())?;
        let arguments = command_line(dir.path(), ports)?;
        let epmd = start_epmd(&user, ports.epmd)?;
        let server = Supervised::spawn(Launch {
            dir: &dir.keep(),
            user: &user,
            stop: "KILL",
            low_ports: false,
            program: Path::new("/usr/bin/env"),
            arguments,
        })?;
        let this = Self { server, _epmd: epmd, ports, vhosts: AtomicU64::new(0) };
        this.wait_ready()?;
        Ok(this)
    }

    fn wait_ready(&self) -> Result<(), LabError> {
        let ready = || greets(self.addr()) && self.management().get("/api/vhosts").is_ok();
        self.server.wait_ready("RabbitMQ", ready)
    }

    /// Ends the server as an operator would; what was confirmed is kept.
    pub fn stop(&mut self) -> Result<(), LabError> {
        self.server.stop("TERM")
    }

    /// Ends the server by SIGKILL; what was confirmed is kept.
    pub fn kill9(&mut self) -> Result<(), LabError> {
        self.server.stop("KILL")
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill9`], on the same port and with what it had.
    pub fn start_again(&mut self) -> Result<(), LabError> {
        self.server.start_again()?;
        self.wait_ready()
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.amqp))
    }

    /// The folder with everything that it keeps.
    pub fn data_dir(&self) -> PathBuf {
        self.server.dir().join("mnesia")
    }

    /// A new, empty virtual host, dropped with the value.
    pub fn vhost(&self) -> Result<VirtualHost, LabError> {
        let name = format!("lab-{}", self.vhosts.fetch_add(1, Ordering::Relaxed));
        let management = self.management();
        management.put(&format!("/api/vhosts/{name}"), "{}")?;
        let everything = r#"{"configure":".*","write":".*","read":".*"}"#;
        management.put(&format!("/api/permissions/{name}/{LOGIN}"), everything)?;
        Ok(VirtualHost { amqp: self.addr(), management, name })
    }

    /// True if there is such a virtual host.
    pub fn has_vhost(&self, name: &str) -> bool {
        self.management().get(&format!("/api/vhosts/{name}")).is_ok()
    }

    fn management(&self) -> Management {
        Management { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.management)), login: LOGIN }
    }
}

/// A virtual host of one test.
pub struct VirtualHost {
    amqp: SocketAddr,
    management: Management,
    name: String,
}

impl VirtualHost {
    /// `amqp://test:test@127.0.0.1:PORT/NAME`.
    pub fn url(&self) -> String {
        format!("amqp://{LOGIN}:{LOGIN}@{}/{}", self.amqp, self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        // Fails when the server is gone, and then there is nothing left to drop.
        let _ = self.management.delete(&format!("/api/vhosts/{}", self.name));
    }
}

fn lay_out(folder: &Path, ports: Ports) -> Result<(), LabError> {
    for name in ["home", "mnesia", "logs"] {
        fs::create_dir(folder.join(name)).doing("making a folder for RabbitMQ")?;
    }
    let cookie = folder.join("home/.erlang.cookie");
    fs::write(&cookie, "MAILLAB").doing("writing the Erlang cookie")?;
    fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400)).doing("closing the Erlang cookie")?;
    let plugins = "[rabbitmq_management_agent,rabbitmq_management].";
    fs::write(folder.join("enabled_plugins"), plugins).doing("writing RabbitMQ's plugins")?;
    let Ports { amqp, management, .. } = ports;
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
         default_user = {LOGIN}\ndefault_pass = {LOGIN}\nlog.console = true\nlog.console.level = warning\n\
         log.file = false\ndisk_free_limit.absolute = 50MB\nmanagement_agent.disable_metrics_collector = true\n"
    );
    fs::write(folder.join("rabbitmq.conf"), settings).doing("writing RabbitMQ's settings")
}

/// An epmd of its own: the one that Erlang starts by itself would outlive the server.
fn start_epmd(user: &RunAs, port: u16) -> Result<Supervised, LabError> {
    let dir = make_dir()?;
    user.own(dir.path())?;
    let epmd = Supervised::spawn(Launch {
        dir: &dir.keep(),
        user,
        stop: "KILL",
        low_ports: false,
        program: &find_binary("epmd", &[], PACKAGE)?,
        arguments: ["-port", &port.to_string(), "-address", "127.0.0.1"].map(String::from).to_vec(),
    })?;
    epmd.wait_ready("epmd", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
    Ok(epmd)
}

/// Everything after `env`. Debian's wrapper in /usr/sbin insists on root and a fixed folder.
fn command_line(folder: &Path, ports: Ports) -> Result<Vec<String>, LabError> {
    let program = find_binary("rabbitmq-server", &[PathBuf::from("/usr/lib/rabbitmq/bin")], PACKAGE)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let variables = [
        ("PATH", "/usr/sbin:/usr/bin:/bin".to_string()),
        ("LANG", "C.UTF-8".to_string()),
        ("HOME", path("home")),
        ("RABBITMQ_NODENAME", "lab@localhost".to_string()),
        ("RABBITMQ_CONF_ENV_FILE", path("none")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("logs")),
        ("RABBITMQ_LOGS", "-".to_string()),
        ("RABBITMQ_DIST_PORT", ports.distribution.to_string()),
        ("ERL_EPMD_PORT", ports.epmd.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_string()),
        // Makes the script exec Erlang in place of watching it, so that there is one process to signal and wait for.
        ("RABBITMQ_ALLOW_INPUT", "true".to_string()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-noinput -kernel inet_dist_use_interface {127,0,0,1}".to_string()),
    ];
    let mut words = vec!["-i".to_string()];
    words.extend(variables.map(|(name, value)| format!("{name}={value}")));
    words.push(program.display().to_string());
    Ok(words)
}

/// A server that is ready answers the protocol header with Connection.Start (AMQP 0-9-1, section 4.2.2).
fn greets(addr: SocketAddr) -> bool {
    let greeting = || -> std::io::Result<u8> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first[0])
    };
    greeting().is_ok_and(|frame_type| frame_type == 1)
}

//! A real mail server and a real name server to try Mailmoor on, with nothing but loopback:
//! `cargo run -p mail-lab --example playground -- [FOLDER] [--free-ports]`. `scripts/demo` starts it together with
//! Mailmoor.
//!
//! FOLDER (default `target/playground`) gets `settings`, to be sourced by a shell before Mailmoor is started in it,
//! `ca.pem`, which the settings name, and `mail/`, with one file for each message that is sent. The ports are fixed,
//! unless something listens there already or `--free-ports` is given. Ctrl-C ends the servers.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail_lab::{Dovecot, DovecotOptions, DovecotPorts, Knot, LabError, TestCa, free_port};

/// `mail.example.test`, whose DKIM key is one that many receivers cannot check: something for the health page to say.
const ZONE: &str = r#"
@               MX   10 mx
mx              A    203.0.113.9
@               TXT  "v=spf1 mx -all"
mail            A    127.0.0.1
_dmarc          TXT  "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.test"
s1._domainkey   TXT  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
"#;

const PASSWORD: &str = "correct horse battery staple";
const USERS: [&str; 4] = ["dana@example.test", "kim@example.test", "lou@example.test", "pat@example.test"];

/// The ports of the protocols, raised into the range that needs no privileges.
const DNS: u16 = 2053;
const PORTS: DovecotPorts = DovecotPorts { imap: 2143, imaps: 2993, submission: 2587, submissions: 2465 };

/// How soon a message that was sent stands in its file.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

type Fault = Box<dyn std::error::Error>;

fn main() {
    let (options, folders): (Vec<_>, Vec<_>) = std::env::args_os().skip(1).partition(|word| word == "--free-ports");
    let folder = folders.first().map_or_else(|| PathBuf::from("target/playground"), PathBuf::from);
    if let Err(fault) = run(&folder, !options.is_empty()) {
        eprintln!("playground: {fault}");
        std::process::exit(1);
    }
}

fn run(folder: &Path, free_ports: bool) -> Result<(), Fault> {
    fs::create_dir_all(folder.join("mail"))?;
    let folder = folder.canonicalize()?;
    let port = |what, usual| if free_ports { free_port(Ipv4Addr::LOCALHOST.into()) } else { wanted(what, usual) };
    let ports = DovecotPorts {
        imap: port("IMAP with STARTTLS", PORTS.imap)?,
        imaps: port("IMAP with TLS", PORTS.imaps)?,
        submission: port("SMTP with STARTTLS", PORTS.submission)?,
        submissions: port("SMTP with TLS", PORTS.submissions)?,
    };
    let knot = Knot::start_at(port("DNS", DNS)?, &[("example.test", ZONE)])?;
    let users = USERS.map(|user| (user, PASSWORD));
    let dovecot = Dovecot::start(DovecotOptions { ports: Some(ports), ..DovecotOptions::users(&users) })?;
    let authority = folder.join("ca.pem");
    fs::write(&authority, TestCa::shared().pem()?)?;
    let settings = folder.join("settings");
    fs::write(&settings, shell_settings(&knot, ports, &authority))?;

    println!("The mailboxes {} have the password: {PASSWORD}", USERS.join(", "));
    println!("SMTP  mail.example.test  {} (STARTTLS) or {} (TLS)", ports.submission, ports.submissions);
    println!("IMAP  mail.example.test  {} (STARTTLS) or {} (TLS)", ports.imap, ports.imaps);
    println!("DNS   {}, with the zone example.test", knot.addr());
    println!("Messages that are sent are written into {}", folder.join("mail").display());
    println!("\nIn another terminal, start Mailmoor so that it uses these servers:\n");
    println!("    . {} && scripts/run", settings.display());
    println!("\nCtrl-C ends the playground.");
    keep_mail(&dovecot, &folder.join("mail"))
}

/// `port` of 127.0.0.1, or a free one, and a line that says so, if somebody listens there.
fn wanted(what: &str, port: u16) -> Result<u16, LabError> {
    let ip = Ipv4Addr::LOCALHOST;
    if TcpListener::bind((ip, port)).is_ok() && UdpSocket::bind((ip, port)).is_ok() {
        return Ok(port);
    }
    let other = free_port(ip.into())?;
    eprintln!("playground: port {port} of 127.0.0.1 is taken; {what} listens on {other} instead");
    Ok(other)
}

fn shell_settings(knot: &Knot, ports: DovecotPorts, authority: &Path) -> String {
    let mut text = String::new();
    let mut line = |assignment: String| {
        // A String takes everything.
        let _ = writeln!(text, "{assignment}");
    };
    line(format!("export MAILMOOR__DNS__SERVERS={}", knot.addr()));
    line("export MAILMOOR__EGRESS__ALLOWED_NETWORKS=127.0.0.0/8".to_owned());
    line(format!("export MAILMOOR__EGRESS__EXTRA_CA_FILE='{}'", authority.display()));
    line("export MAILMOOR__MAIL_PLATFORM__HOSTNAME=mail.example.test".to_owned());
    line(format!("SMTP_PORT={}", ports.submission));
    line(format!("IMAP_PORT={}", ports.imap));
    text
}

/// Writes every message that Dovecot relays into a file named after its Message-ID, for ever. The relay keeps the
/// newest hundred.
fn keep_mail(dovecot: &Dovecot, folder: &Path) -> Result<(), Fault> {
    loop {
        for message in dovecot.relay().messages() {
            write_message(folder, &message.data)?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// In one step, so that a reader never sees half a message.
fn write_message(folder: &Path, data: &[u8]) -> io::Result<()> {
    let text = String::from_utf8_lossy(data).replace("\r\n", "\n");
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>'));
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "-@.".contains(*c);
    let name: String = id.unwrap_or("no-id").chars().filter(allowed).collect();
    let file = folder.join(format!("{name}.eml"));
    if file.exists() {
        return Ok(());
    }
    let unfinished = folder.join(format!(".{name}"));
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, file)
}

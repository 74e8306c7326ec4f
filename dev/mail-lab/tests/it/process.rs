//! Servers end with the test process, even when it is killed.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mail_lab::scripted::Listener;
use mail_lab::{Dovecot, DovecotOptions, Knot, Postgres, RabbitMq, TestCa};

const ROLE: &str = "MAIL_LAB_VICTIM";

/// Does nothing by itself: the next test runs it in a process of its own and kills that.
#[test]
fn victim() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let postgres = Postgres::shared().unwrap();
    let rabbitmq = RabbitMq::shared().unwrap();
    let dovecot = Dovecot::start(DovecotOptions::default()).unwrap();
    let knot = Knot::start(&[("example.test", "")]).unwrap();
    eprintln!("{}", TestCa::shared().path().display());
    for addr in [postgres.addr(), rabbitmq.addr(), dovecot.addr(Listener::ImapImplicit), knot.addr()] {
        eprintln!("{addr}");
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn sigkill_leaves_nothing_behind() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::victim", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stderr.take().unwrap());
    let lines: Vec<String> = output.lines().take(5).map_while(Result::ok).collect();
    let [ca, servers @ ..] = lines.as_slice() else { panic!("the victim said nothing") };
    let servers: Vec<SocketAddr> = servers.iter().map(|addr| addr.parse().unwrap()).collect();
    let folder = Path::new(ca).parent().unwrap();
    let alive = |addr: &SocketAddr| TcpStream::connect(addr).is_ok();
    assert!(servers.len() == 4 && servers.iter().all(alive) && folder.exists());

    victim.kill().unwrap();
    victim.wait().unwrap();
    let begin = Instant::now();
    while servers.iter().any(alive) || folder.exists() {
        assert!(begin.elapsed() < Duration::from_secs(10), "something is left");
        std::thread::sleep(Duration::from_millis(10));
    }
}

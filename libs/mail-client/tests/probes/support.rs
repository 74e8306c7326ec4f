//! Probers, servers and names that the tests share.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use mail_client::{ProbeSettings, Prober, Urgency};
use mail_lab::TestCa;
use mail_lab::scripted::{Behaviour, Listener, Protocol, ScriptedServer};
use service_runtime::egress::{EgressGuard, EgressPolicy};
use service_runtime::resolver::{DnsResolverSettings, build_resolver};
use shared_models::domain::diagnosis::{Class, Finding, LegReport, Stage};
use shared_models::domain::{FailureCode, LoginSecret, Password, Security, ServerEndpoint};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub(crate) const USER: &str = "me@example.test";
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) fn settings() -> ProbeSettings {
    ProbeSettings {
        connect_timeout: Duration::from_secs(5),
        leg_timeout: Duration::from_secs(10),
        concurrency: 100,
        per_host_concurrency: 20,
        allow_plaintext_login: false,
        helo_name: None,
    }
}

/// Short deadlines, for servers that never answer.
pub(crate) fn hasty() -> ProbeSettings {
    ProbeSettings {
        connect_timeout: Duration::from_millis(1000),
        leg_timeout: Duration::from_millis(2500),
        ..settings()
    }
}

pub(crate) fn guard(networks: &[&str], dns: Option<SocketAddr>) -> EgressGuard {
    let allowed_networks = networks.iter().map(|n| n.parse().unwrap()).collect();
    let dns = DnsResolverSettings {
        // Port 9 of the documentation net, where every look-up fails.
        servers: vec![dns.unwrap_or_else(|| "192.0.2.1:9".parse().unwrap())],
        timeout: Duration::from_millis(500),
    };
    let resolver = build_resolver(&dns).unwrap();
    EgressGuard::new(EgressPolicy { allowed_networks }, resolver, dns.lookup_timeout())
}

pub(crate) fn prober_with(settings: ProbeSettings, dns: Option<SocketAddr>) -> Prober {
    let egress = guard(&["127.0.0.0/8"], dns);
    Prober::new(settings, egress, Some(&TestCa::shared().pem().unwrap())).unwrap()
}

pub(crate) fn prober() -> Prober {
    prober_with(settings(), None)
}

pub(crate) fn secret(password: &str) -> LoginSecret {
    LoginSecret { username: USER.to_owned(), password: Password::new(password) }
}

pub(crate) fn endpoint(address: SocketAddr, security: Security) -> ServerEndpoint {
    let host = address.ip().to_string();
    ServerEndpoint::parse(&host, address.port(), security).unwrap()
}

/// A server with one account and this behaviour everywhere.
pub(crate) fn server(behaviour: Behaviour) -> ScriptedServer {
    ScriptedServer::builder().account(USER, PASSWORD).behaviour(Listener::ALL, behaviour).start().unwrap()
}

/// Signs in at one listener with required encryption.
pub(crate) async fn probe(prober: &Prober, server: &ScriptedServer, listener: Listener, password: &str) -> LegReport {
    let endpoint = endpoint(server.addr(listener), Security::Required);
    probe_at(prober, &endpoint, listener, password).await
}

/// Signs in at any endpoint, in the protocol of the listener.
pub(crate) async fn probe_at(
    prober: &Prober,
    endpoint: &ServerEndpoint,
    listener: Listener,
    password: &str,
) -> LegReport {
    let secret = secret(password);
    match listener.protocol() {
        Protocol::Smtp => prober.smtp(endpoint, &secret, Urgency::Single).await,
        Protocol::Imap => prober.imap(endpoint, &secret, Urgency::Single).await,
    }
}

/// The failure of a report, which must have one with this code.
#[track_caller]
pub(crate) fn failed(report: &LegReport, code: FailureCode) -> &Finding {
    let failure = report.failure.as_ref();
    let failure = failure.unwrap_or_else(|| panic!("passed, {code} expected: {report:?}"));
    assert_eq!(failure.code, code, "{report:?}");
    assert!(!failure.remedy.contains('{'), "{failure:?}");
    failure
}

/// Like [`failed`], with stage and class.
#[track_caller]
pub(crate) fn failed_at(report: &LegReport, code: FailureCode, stage: Stage, class: Class) {
    let failure = failed(report, code);
    assert_eq!((failure.stage, failure.class), (stage, class), "{failure:?}");
}

#[track_caller]
pub(crate) fn passed(report: &LegReport) {
    assert!(report.passed(), "{report:?}");
}

/// A clear-text server for one connection: a greeting, then one answer for each line read, in which
/// `{tag}` stands for the first word of the line. Returns the lines.
pub(crate) fn plain_server(
    greeting: &'static str,
    answers: &'static [&'static str],
) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(greeting.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        let mut answers = answers.iter();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(0) | Err(_) => return seen,
                Ok(_) => {}
            }
            let tag = line.split(' ').next().unwrap_or_default();
            if let Some(answer) = answers.next() {
                let answer = answer.replace("{tag}", tag);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            seen.push(line.trim_end().to_owned());
        }
    });
    (address, task)
}

/// Answer of the DNS server to questions about a name.
#[derive(Clone)]
pub(crate) enum Answer {
    /// IPv4 addresses; empty = the name exists without address.
    A(Vec<Ipv4Addr>),
    /// Response code (RFC 1035 section 4.1.1).
    Code(u8),
}

/// A DNS server that knows these names; all others do not exist. It runs until the test process ends.
pub(crate) fn dns(names: &[(&str, Answer)]) -> SocketAddr {
    let names: HashMap<String, Answer> =
        names.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            if let Some(reply) = dns_reply(&query[..length], &names) {
                let _ = socket.send_to(&reply, client);
            }
        }
    });
    address
}

/// A reply (RFC 1035 section 4.1): header, the question, and answers that point to the question's name.
fn dns_reply(query: &[u8], names: &HashMap<String, Answer>) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let is_a = query.get(at..at + 2)? == [0, 1];
    let (code, addresses) = match names.get(&labels.join(".")) {
        Some(Answer::A(addresses)) if is_a => (0, addresses.clone()),
        Some(Answer::A(_)) => (0, vec![]),
        Some(Answer::Code(code)) => (*code, vec![]),
        None => (3, vec![]),
    };
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    reply.extend(&query[12..at + 4]);
    for address in addresses {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

pub(crate) fn v4(ip: IpAddr) -> Ipv4Addr {
    match ip {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(_) => panic!("the lab uses IPv4 loopback"),
    }
}

//! Mail programs: `async-imap`, `imap` and `lettre`, set up with the values that the API returned.

use std::time::Duration;

use e2e_tests::eventually;
use futures_util::TryStreamExt;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use mail_lab::TestCa;
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use super::Login;

pub(super) type ImapSession = async_imap::Session<TlsStream<TcpStream>>;
pub(super) type SmtpConnection = AsyncSmtpConnection;

const SERVER: &str = "mail.example.test";
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

/// Signs in to IMAP in implicit TLS.
pub(super) async fn imap(login: &Login) -> Result<ImapSession, String> {
    let root = native_tls::Certificate::from_pem(&TestCa::shared().pem().unwrap()).unwrap();
    let connector = native_tls::TlsConnector::builder().disable_built_in_roots(true).add_root_certificate(root).build();
    let stream = TcpStream::connect(("127.0.0.1", login.imap_port)).await.unwrap();
    let stream = tokio_native_tls::TlsConnector::from(connector.unwrap()).connect(SERVER, stream).await.unwrap();
    let mut client = async_imap::Client::new(stream);
    client.read_response().await.unwrap().expect("a greeting");
    client.login(&login.username, &login.password).await.map_err(|(error, _)| error.to_string())
}

/// Signs in to IMAP with another program, the crate `imap`, and out again.
pub(super) async fn imap_elsewhere(login: &Login) -> Result<(), String> {
    let login = login.clone();
    let session = move || {
        let root = native_tls::Certificate::from_pem(&TestCa::shared().pem().unwrap()).unwrap();
        let connector =
            native_tls::TlsConnector::builder().disable_built_in_roots(true).add_root_certificate(root).build();
        let stream = std::net::TcpStream::connect(("127.0.0.1", login.imap_port)).unwrap();
        let mut client = imap::Client::new(connector.unwrap().connect(SERVER, stream).unwrap());
        client.read_greeting().unwrap();
        let mut session = client.login(&login.username, &login.password).map_err(|(error, _)| error.to_string())?;
        session.select("INBOX").unwrap();
        session.logout().map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(session).await.unwrap()
}

/// Signs in to submission with STARTTLS.
pub(super) async fn submission(login: &Login) -> Result<SmtpConnection, String> {
    let mut connection = connect(login.smtp_port).await;
    let root = Certificate::from_pem(&TestCa::shared().pem().unwrap()).unwrap();
    let tls = TlsParameters::builder(SERVER.to_owned()).add_root_certificate(root).build().unwrap();
    connection.starttls(tls, &client_id()).await.unwrap();
    let credentials = Credentials::new(login.username.clone(), login.password.clone());
    match connection.auth(&[Mechanism::Plain], &credentials).await {
        Ok(_) => Ok(connection),
        Err(error) => Err(error.to_string()),
    }
}

/// A mail server of the world at the one of `acme.test`.
pub(super) async fn world(port: u16) -> SmtpConnection {
    connect(port).await
}

async fn connect(port: u16) -> SmtpConnection {
    AsyncSmtpConnection::connect_tokio1(("127.0.0.1", port), PATIENCE, &client_id(), None, None).await.unwrap()
}

fn client_id() -> ClientId {
    ClientId::Domain("client.test".to_owned())
}

/// The reply to an envelope of these two, which need not be addresses, or the first refusal.
pub(super) async fn envelope(connection: &mut SmtpConnection, from: &str, to: &str) -> String {
    let mut reply = Ok(String::new());
    for command in [format!("MAIL FROM:<{from}>\r\n"), format!("RCPT TO:<{to}>\r\n")] {
        if reply.is_ok() {
            let answer = connection.command(command).await;
            reply = answer.map(|reply| format!("{} {}", reply.code(), reply.message().collect::<String>()));
        }
    }
    connection.command("RSET\r\n").await.unwrap();
    reply.unwrap_or_else(|error| error.to_string())
}

/// The refusal, if it is one.
pub(super) async fn write(connection: &mut SmtpConnection, from: &str, to: &str, subject: &str) -> Result<(), String> {
    let envelope = Envelope::new(Some(from.parse().unwrap()), vec![to.parse().unwrap()]).unwrap();
    let message = format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nhello\r\n");
    connection.send(&envelope, message.as_bytes()).await.map(|_| ()).map_err(|error| error.to_string())
}

/// The subjects in the inbox, sorted, once there are so many messages.
pub(super) async fn inbox(session: &mut ImapSession, count: u32) -> Vec<String> {
    let session = tokio::sync::Mutex::new(session);
    eventually(&format!("{count} messages"), || async {
        let found = session.lock().await.select("INBOX").await.unwrap().exists;
        if found == count { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
    if count == 0 {
        return vec![];
    }
    let session = session.into_inner();
    let messages: Vec<_> = session.fetch("1:*", "ENVELOPE").await.unwrap().try_collect().await.unwrap();
    let subject = |message: &async_imap::types::Fetch| {
        String::from_utf8(message.envelope().unwrap().subject.clone().unwrap().into_owned()).unwrap()
    };
    let mut subjects: Vec<String> = messages.iter().map(subject).collect();
    subjects.sort();
    subjects
}

/// Used and allowed space in KiB.
pub(super) async fn quota(session: &mut ImapSession) -> (u64, u64) {
    let (_, quotas) = session.get_quota_root("INBOX").await.unwrap();
    let storage = quotas
        .into_iter()
        .flat_map(|quota| quota.resources)
        .find(|resource| matches!(resource.name, async_imap::types::QuotaResourceName::Storage));
    storage.map(|storage| (storage.usage, storage.limit)).unwrap()
}

/// Waits until the server has ended both; they were open.
pub(super) async fn are_ended(imap: ImapSession, smtp: SmtpConnection) {
    let (imap, smtp) = (tokio::sync::Mutex::new(imap), tokio::sync::Mutex::new(smtp));
    eventually("the IMAP session to be ended", || async {
        if imap.lock().await.noop().await.is_err() { Ok(()) } else { Err("it goes on".to_owned()) }
    })
    .await;
    eventually("the submission session to be ended", || async {
        if smtp.lock().await.test_connected().await { Err("it goes on".to_owned()) } else { Ok(()) }
    })
    .await;
}

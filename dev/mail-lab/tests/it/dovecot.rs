use mail_lab::scripted::{Listener, Protocol};
use mail_lab::{Dovecot, DovecotOptions};

use super::client::{Client, auth_plain, base64};

const USER: &str = "a@example.test";
const PASSWORD: &str = "p\"w\\d {x}:%u";

fn start() -> Dovecot {
    Dovecot::start(DovecotOptions::users(&[(USER, PASSWORD)])).unwrap()
}

async fn submission_login(client: &mut Client, user: &str, password: &str) -> String {
    client.smtp(&auth_plain(user, password)).await
}

async fn imap_login(client: &mut Client, user: &str, password: &str) -> String {
    client.line().await;
    let secret = base64(&format!("\0{user}\0{password}"));
    client.imap(&format!("a AUTHENTICATE PLAIN {secret}")).await
}

async fn imaps_login(dovecot: &Dovecot, user: &str, password: &str) -> String {
    let mut client = Client::tls(dovecot.addr(Listener::ImapImplicit)).await.unwrap();
    imap_login(&mut client, user, password).await
}

#[tokio::test]
async fn all_four_ports_log_in() {
    let dovecot = start();
    let mut client = Client::submission(dovecot.addr(Listener::SmtpStarttls)).await;
    let reply = submission_login(&mut client, USER, PASSWORD).await;
    assert!(reply.starts_with("235"), "{reply}");
    let mut client = Client::submissions(dovecot.addr(Listener::SmtpImplicit)).await;
    assert_eq!(client.smtp("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    client.smtp(&base64(USER)).await;
    assert!(client.smtp(&base64(PASSWORD)).await.starts_with("235"));

    assert!(imaps_login(&dovecot, USER, PASSWORD).await.contains("a OK"));
    let mut client = Client::imap_starttls(dovecot.addr(Listener::ImapStarttls)).await;
    client.send("n NOOP").await;
    assert!(imap_login(&mut client, USER, PASSWORD).await.contains("a OK"));
    assert!(client.imap("b SELECT INBOX").await.contains("b OK"));

    assert!(imaps_login(&dovecot, USER, "wrong").await.contains("AUTHENTICATIONFAILED"));
    assert!(imaps_login(&dovecot, "nobody@example.test", "x").await.contains("AUTHENTICATIONFAILED"));
    dovecot
        .wait_login_log(|log| {
            (log.accepted(Protocol::Imap, USER), log.accepted(Protocol::Smtp, USER)) == (2, 2)
                && (log.refused(USER), log.refused("nobody@example.test")) == (1, 1)
        })
        .await;
}

#[tokio::test]
async fn passwords_change_at_once() {
    let dovecot = start();
    for number in 0..3 {
        let password = format!("new{number}");
        dovecot.set_password(USER, &password).unwrap();
        assert!(imaps_login(&dovecot, USER, &password).await.contains("a OK"));
    }
    assert!(imaps_login(&dovecot, USER, PASSWORD).await.contains("a NO"));
    dovecot.add_user("b@example.test", "b").unwrap();
    assert!(imaps_login(&dovecot, "b@example.test", "b").await.contains("a OK"));
    dovecot.remove_user("b@example.test").unwrap();
    assert!(imaps_login(&dovecot, "b@example.test", "b").await.contains("a NO"));
}

#[tokio::test]
async fn submitted_mail_reaches_the_relay() {
    let dovecot = start();
    let mut client = Client::submission(dovecot.addr(Listener::SmtpStarttls)).await;
    submission_login(&mut client, USER, PASSWORD).await;
    assert!(client.smtp(&format!("MAIL FROM:<{USER}>")).await.starts_with("250"));
    assert!(client.smtp("RCPT TO:<b@example.test>").await.starts_with("250"));
    assert!(client.smtp("DATA").await.starts_with("354"));
    assert!(client.smtp("Subject: hello\r\n\r\nbody\r\n.").await.starts_with("250"));
    assert!(client.smtp("QUIT").await.starts_with("221"));
    let message = dovecot.relay().messages().remove(0);
    assert!(String::from_utf8_lossy(&message.data).contains("Subject: hello"));
}

#[tokio::test]
async fn standard_ports_at_an_address_of_its_own() {
    let options = DovecotOptions { standard_ports: true, ..DovecotOptions::users(&[(USER, PASSWORD)]) };
    let dovecot = Dovecot::start(options).unwrap();
    assert_eq!(dovecot.addr(Listener::ImapImplicit).port(), 993);
    let name = dovecot.ip().to_string();
    let client = Client::plain(dovecot.addr(Listener::ImapImplicit)).await;
    let mut client = client.upgrade(&name).await.unwrap();
    assert!(imap_login(&mut client, USER, PASSWORD).await.contains("a OK"));
    // The client's address is another one than the server's, so a password in the clear is refused.
    let mut client = Client::plain(dovecot.addr(Listener::ImapStarttls)).await;
    assert!(client.line().await.contains("LOGINDISABLED"));
}

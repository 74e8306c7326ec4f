//! The mail platform over tables that look like the views of the mail servers.

mod abuse;

use mail_lab::{Database, MailPlatform, MailPlatformPorts, Postgres};

use super::client::{Client, auth_plain, base64};

/// A mailbox of 1 MB; its key is `key_` and the name, filled up to 20 characters, and a secret.
const TABLES: &str = "
CREATE TABLE mail_logins (email TEXT, key_prefix TEXT, password_hash TEXT, quota_bytes BIGINT, folder TEXT);
CREATE VIEW mail_accounts AS SELECT email, quota_bytes, folder FROM mail_logins;
CREATE VIEW mail_senders AS SELECT email AS sender, email AS login FROM mail_logins;
CREATE VIEW mail_domains AS SELECT DISTINCT split_part(email, '@', 2) AS domain FROM mail_logins;
CREATE FUNCTION add(name TEXT) RETURNS void AS $$
    INSERT INTO mail_logins SELECT name || '@example.test', prefix,
        '{SHA256.HEX}' || encode(sha256((prefix || '_secret')::bytea), 'hex'), 1000000, 'of-' || name
    FROM (SELECT rpad('key_' || name, 20, 'x') AS prefix) key
$$ LANGUAGE sql;
SELECT add('a'), add('b'), add('c%d+e');
";

struct Bench {
    database: Database,
    platform: MailPlatform,
}

fn start() -> Bench {
    let database = Postgres::shared().unwrap().database().unwrap();
    database.execute(TABLES).unwrap();
    let platform = MailPlatform::start(&database.url(), MailPlatformPorts::free().unwrap(), false).unwrap();
    Bench { database, platform }
}

fn key(name: &str) -> String {
    format!("{:x<20}_secret", format!("key_{name}"))
}

impl Bench {
    async fn imap(&self, user: &str, password: &str) -> (Client, String) {
        let mut client = Client::imaps(self.platform.addr(self.platform.ports().imaps)).await;
        let secret = base64(&format!("\0{user}\0{password}"));
        let reply = client.imap(&format!("a AUTHENTICATE PLAIN {secret}")).await;
        (client, reply)
    }

    async fn submission(&self, name: &str) -> Client {
        let mut client = Client::submission(self.platform.addr(self.platform.ports().submission)).await;
        let reply = client.smtp(&auth_plain(&format!("{name}@example.test"), &key(name))).await;
        assert!(reply.starts_with("235"), "{reply}");
        client
    }

    async fn world(&self) -> Client {
        let mut client = Client::plain(self.platform.addr(self.platform.ports().mx)).await;
        assert!(client.reply().await.starts_with("220"));
        assert!(client.smtp("EHLO me.test").await.starts_with("250"));
        client
    }

    /// The subjects in the inbox, once there are so many messages.
    async fn subjects(&self, name: &str, count: usize) -> Vec<String> {
        let (mut client, _) = self.imap(&format!("{name}@example.test"), &key(name)).await;
        loop {
            let selected = client.imap("b SELECT INBOX").await;
            if selected.contains(&format!("* {count} EXISTS")) {
                break;
            }
            // IDLE would do, too, but answers at once are what a server under test is for.
            tokio::task::yield_now().await;
        }
        // `* 1 FETCH (ENVELOPE (NIL "subject" ...`: nobody adds a date.
        let fetched = client.imap("c FETCH 1:* ENVELOPE").await;
        let subject = |line: &str| line.contains("ENVELOPE").then(|| line.split('"').nth(1).unwrap().to_owned());
        let mut subjects: Vec<String> = fetched.lines().filter_map(subject).collect();
        subjects.sort();
        subjects
    }
}

/// The reply to the end of the message, or the first refusal.
async fn write(client: &mut Client, from: &str, to: &str, subject: &str, lines: usize) -> String {
    let size = lines * 72 + 50;
    for command in [format!("MAIL FROM:<{from}> SIZE={size}"), format!("RCPT TO:<{to}>"), "DATA".to_owned()] {
        let reply = client.smtp(&command).await;
        if !reply.starts_with(['2', '3']) {
            client.smtp("RSET").await;
            return reply;
        }
    }
    let body = format!("{}\r\n", "y".repeat(70)).repeat(lines);
    client.smtp(&format!("Subject: {subject}\r\n\r\n{body}.")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_sign_in_until_they_are_gone() {
    let bench = start();
    let (mut client, reply) = bench.imap("A@Example.test", &key("a")).await;
    assert!(reply.contains("a OK"), "{reply}");
    let quota = client.imap("b GETQUOTAROOT INBOX").await;
    assert!(quota.contains("(STORAGE 0 977)"), "{quota}");
    bench.submission("a").await;
    bench.submission("c%d+e").await;
    for (user, password) in [
        ("a@example.test", format!("{}_other_", &key("a")[..20])),
        ("a@example.test", key("b")),
        ("nobody@example.test", key("a")),
        ("a@example.test", "' OR '1'='1' --".to_owned()),
        // A quote where a password is cut, or a backslash, must not break the query.
        ("a@example.test", format!("{}'{}", "x".repeat(19), "y".repeat(9))),
        ("a@example.test", format!("{}\\", "x".repeat(19))),
    ] {
        let (_, reply) = bench.imap(user, &password).await;
        assert!(reply.contains("AUTHENTICATIONFAILED"), "{reply}");
    }
    bench.database.execute("DELETE FROM mail_logins WHERE email LIKE 'a@%'").unwrap();
    assert!(bench.imap("a@example.test", &key("a")).await.1.contains("AUTHENTICATIONFAILED"));
    assert!(!bench.platform.log().contains("_secret"), "{}", bench.platform.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_where_it_may() {
    let bench = start();
    let mut a = bench.submission("a").await;
    let (own, other) = ("a@example.test", "b@example.test");
    assert!(write(&mut a, own, other, "inside", 1).await.starts_with("250"));
    assert!(write(&mut a, own, "far@world.test", "outside", 1).await.starts_with("250"));
    for (from, to, code) in [
        (other, "b@example.test", "553 5.7.1"),
        ("x@world.test", "b@example.test", "553 5.7.1"),
        (own, "nobody@example.test", "550 5.1.1"),
    ] {
        let reply = write(&mut a, from, to, "refused", 1).await;
        assert!(reply.starts_with(code), "{from} to {to}: {reply}");
    }
    let mut world = bench.world().await;
    assert!(write(&mut world, "x@world.test", "B@Example.TEST", "from outside", 1).await.starts_with("250"));
    assert!(write(&mut world, "x@world.test", "c%d+e@example.test", "percent", 1).await.starts_with("250"));
    for (to, code) in [
        ("nobody@example.test", "550 5.1.1"),
        ("y@world.test", "554 5.7.1"),
        ("y%world.test@example.test", "550 5.1.1"),
    ] {
        let reply = write(&mut world, "x@world.test", to, "refused", 1).await;
        assert!(reply.starts_with(code), "{to}: {reply}");
    }
    assert_eq!(bench.subjects("b", 2).await, ["from outside", "inside"]);
    assert_eq!(bench.subjects("c%d+e", 1).await, ["percent"]);
    bench.platform.world().wait_until(|stats| stats.messages_accepted == 1).await;
    let message = String::from_utf8(bench.platform.world().messages().remove(0).data).unwrap();
    assert!(
        message.contains("Subject: outside") && message.contains("Authenticated sender: a@example.test"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_takes_no_more() {
    let bench = start();
    let mut a = bench.submission("a").await;
    let (own, other) = ("a@example.test", "b@example.test");
    for number in 1..=2 {
        assert!(write(&mut a, own, other, "large", 6_800).await.starts_with("250"));
        bench.subjects("b", number).await;
    }
    let mut world = bench.world().await;
    for (client, from) in [(&mut a, own), (&mut world, "x@world.test")] {
        let reply = write(client, from, other, "one too many", 6_800).await;
        assert!(reply.starts_with("552 5.2.2"), "{reply}");
    }
}

//! Hosted mailboxes on the real mail servers, used with mail programs that are not ours. Postfix starts as root only,
//! so the tests have to be run as root.

mod abuse;
mod access;
mod crashes;
mod mail;
mod programs;
mod signing;

use e2e_tests::{Client, Deployment, Plan, Reply, Setup, Tenant};
use mail_lab::{Database, Knot, MailPlatform, MailPlatformPorts, Postgres};
use programs::{ImapSession, SmtpConnection};
use reqwest::Method;
use serde_json::{Value, json};

const GIB: i64 = 1 << 30;

/// The system, its mail servers and a team with a domain `acme.test`.
struct World {
    /// Before what they work on.
    platform: MailPlatform,
    system: Deployment,
    tenant: Tenant,
    api: Client,
    database: Database,
    domain: String,
    names: Knot,
}

/// Settings of a mail program.
#[derive(Clone, Debug)]
struct Login {
    username: String,
    password: String,
    imap_port: u16,
    smtp_port: u16,
}

impl Login {
    fn of(credentials: &Value) -> Self {
        let port = |name: &str| u16::try_from(credentials[name].as_u64().unwrap()).unwrap();
        assert_eq!(credentials["server"], "mail.example.test");
        Self {
            username: text(&credentials["username"]),
            password: text(&credentials["password"]),
            imap_port: port("imap_port"),
            smtp_port: port("smtp_port"),
        }
    }
}

struct Mailbox {
    id: String,
    key_id: String,
    login: Login,
}

impl Mailbox {
    fn of(reply: &Reply) -> Self {
        let data = ok(reply, 201);
        Self {
            id: text(&data["mailbox"]["id"]),
            key_id: text(&data["credential"]["public_id"]),
            login: Login::of(&data["imap_smtp_credentials"]),
        }
    }
}

impl World {
    async fn start() -> Self {
        Self::with(crate::setup()).await
    }

    async fn with(setup: Setup) -> Self {
        let (database, ports) = (Postgres::shared().unwrap().database().unwrap(), MailPlatformPorts::free().unwrap());
        let names = Knot::start(&[("example.test", "mail A 127.0.0.1")]).unwrap();
        let setup = setup
            .with("MAILMOOR__DATABASE__URL", database.url())
            .with("MAILMOOR__DNS__SERVERS", names.addr())
            .with("MAILMOOR__MAIL_PLATFORM__HOSTNAME", "mail.example.test")
            .with("MAILMOOR__MAIL_PLATFORM__IMAP_PORT", ports.imaps)
            .with("MAILMOOR__MAIL_PLATFORM__SMTP_PORT", ports.submission)
            .with("MAILMOOR__MAIL_PLATFORM__DOVEADM_URL", ports.doveadm_url())
            .with("MAILMOOR__MAIL_PLATFORM__DOVEADM_API_KEY", ports.doveadm_key())
            .with("MAILMOOR__MAIL_PLATFORM__POLICY_LISTEN", format!("127.0.0.1:{}", ports.policy))
            .with("MAILMOOR__MAIL_PLATFORM__MILTER_LISTEN", format!("127.0.0.1:{}", ports.milter))
            .with("MAILMOOR__RATE_LIMIT__SENDMUX_PER_MINUTE", 0);
        let system = setup.start().await;
        let platform = MailPlatform::start(&database.url(), ports, true).unwrap();
        let tenant = system.tenant(Plan::Unlimited).await;
        let api = system.sendmux(&tenant).await;
        let domain = api.verified_domain("acme.test", &names).await;
        Self { platform, system, tenant, api, database, domain, names }
    }

    async fn provision(&self, email: &str) -> Mailbox {
        self.provision_with(&json!({"email": email})).await
    }

    async fn provision_with(&self, body: &Value) -> Mailbox {
        Mailbox::of(&self.api.post("/api/v1/mailboxes", body).await)
    }

    async fn of_mailbox(&self, method: Method, mailbox: &Mailbox, what: &str, body: &Value) -> Reply {
        let path = format!("/api/v1/mailboxes/{}{what}", mailbox.id);
        let request = self.api.request(method, &path);
        let request = if body.is_null() { request } else { request.json(body) };
        self.api.send(request).await.unwrap()
    }

    async fn post_for(&self, mailbox: &Mailbox, what: &str) {
        ok(&self.of_mailbox(Method::POST, mailbox, what, &Value::Null).await, 200);
    }

    /// Both of them, in a moment in which they work.
    async fn sign_in(&self, login: &Login) -> (ImapSession, SmtpConnection) {
        programs::imap_elsewhere(login).await.unwrap();
        (programs::imap(login).await.unwrap(), programs::submission(login).await.unwrap())
    }

    /// Neither lets this login in.
    async fn is_locked_out(&self, login: &Login) {
        let refusals = [programs::imap(login).await.err(), programs::submission(login).await.err()];
        let [Some(imap), Some(smtp)] = refusals else { panic!("let in: {refusals:?}") };
        assert!(imap.contains("AUTHENTICATIONFAILED") && smtp.contains("535"), "{imap} {smtp}");
        let elsewhere = programs::imap_elsewhere(login).await.unwrap_err();
        assert!(elsewhere.contains("Authentication failed"), "{elsewhere}");
    }
}

#[track_caller]
fn ok(reply: &Reply, status: u16) -> &Value {
    assert_eq!((reply.status, &reply.body["ok"]), (status, &json!(true)), "{}", reply.text);
    &reply.body["data"]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

//! Temporary faults are tried again as configured; a refused password never is.

use e2e_tests::{Plan, Setup, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Listener, LoginCounts, Protocol, Reply, ScriptedServer};
use mail_lab::{blackhole_port, silent_port};
use serde_json::{Value, json};

use crate::setup;

const BUSY: &str = "454 4.7.0 Temporary authentication failure";
const BUSY_IMAP: &str = "NO [UNAVAILABLE] Temporary authentication failure.";

fn patient() -> Setup {
    setup().with("MAILMOOR__VERIFIER__ATTEMPTS", 3).with("MAILMOOR__VERIFIER__RETRY_BASE_MS", 40)
}

fn at(server: &ScriptedServer, email: &str, password: &str) -> Value {
    mailbox(email, password, server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

fn always(reply: &str) -> Auth {
    Auth::Scripted(Reply::from(reply))
}

fn times(number: usize, reply: &str) -> Auth {
    Auth::Sequence(vec![Reply::from(reply); number])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_gets_its_tries_and_no_more() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = patient().start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let api = &tenant.api;

    server.set_auth(Protocol::Smtp, "smtp-once@example.test", times(1, BUSY));
    server.set_auth(Protocol::Imap, "imap-twice@example.test", times(2, BUSY_IMAP));
    server.set_auth(Protocol::Smtp, "smtp-always@example.test", always(BUSY));
    server.set_auth(Protocol::Imap, "imap-always@example.test", always(BUSY_IMAP));
    let mut ids = Vec::new();
    for name in ["smtp-once", "imap-twice", "smtp-always", "imap-always"] {
        ids.push(api.add(&at(&server, &format!("{name}@example.test"), "x")).await);
    }
    api.active(&ids[0]).await;
    let counts = server.logins(Protocol::Smtp, "smtp-once@example.test");
    assert_eq!(counts, LoginCounts { attempts: 2, temporary: 1, accepted: 1, ..LoginCounts::default() });
    api.active(&ids[1]).await;
    let counts = server.logins(Protocol::Imap, "imap-twice@example.test");
    assert_eq!(counts, LoginCounts { attempts: 3, temporary: 2, accepted: 1, ..LoginCounts::default() });

    for (id, stage, protocol) in [(&ids[2], "smtp", Protocol::Smtp), (&ids[3], "imap", Protocol::Imap)] {
        let test = api.refused(id).await;
        assert_eq!((&test["code"], &test["stage"]), (&json!("SYS_ATTEMPTS_EXHAUSTED"), &json!(stage)));
        assert!(test["serverReply"].as_str().unwrap().contains("Temporary authentication failure"), "{test}");
        let counts = server.logins(protocol, &format!("{stage}-always@example.test"));
        assert_eq!(counts, LoginCounts { attempts: 3, temporary: 3, ..LoginCounts::default() });
    }
    assert_eq!((api.count("").await, system.usage(&tenant, Plan::Unlimited).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_tried_exactly_once() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = patient().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let seen = |protocol, user: &str| server.logins(protocol, user).attempts;
    let refusal = "535 5.7.8 Authentication credentials invalid";

    // The other server is busy, which would be worth another try if it were alone.
    server.set_auth(Protocol::Smtp, "wrong@example.test", always(refusal));
    server.set_auth(Protocol::Imap, "wrong@example.test", always(BUSY_IMAP));
    let test = api.refused(&api.add(&at(&server, "wrong@example.test", "x")).await).await;
    assert_eq!((&test["code"], &test["stage"]), (&json!("AUTH_BAD_CREDENTIALS"), &json!("smtp")));

    // A guessed IMAP server says no, which is not held against the mailbox; SMTP needs all its tries.
    server.set_auth(Protocol::Smtp, "guess@example.test", times(2, BUSY));
    server.set_auth(Protocol::Imap, "guess@example.test", always("NO [AUTHENTICATIONFAILED] Invalid credentials"));
    let mut body = at(&server, "guess@example.test", "x");
    body["imap"].as_object_mut().unwrap().remove("host");
    api.active(&api.add(&body).await).await;

    let counts = |user| [Protocol::Smtp, Protocol::Imap].map(|protocol| seen(protocol, user));
    assert_eq!(counts("wrong@example.test"), [1, 1]);
    assert_eq!(counts("guess@example.test"), [3, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_never_answer_are_given_up() {
    let (hole, mute) = (blackhole_port().unwrap(), silent_port().unwrap());
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    server.set(Listener::SMTP, Behaviour { auth: Auth::Scripted(Reply::Silent), ..Behaviour::default() });
    let system = patient()
        .with("MAILMOOR__VERIFIER__ATTEMPTS", 2)
        .with("MAILMOOR__VERIFIER__CONNECT_TIMEOUT_MS", 300)
        .with("MAILMOOR__VERIFIER__LEG_TIMEOUT_MS", 900)
        .start()
        .await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let imap = server.addr(Listener::ImapImplicit);
    let cases = [("hole", hole.addr()), ("mute", mute.addr()), ("auth", server.addr(Listener::SmtpStarttls))];
    let mut ids = Vec::new();
    for (name, smtp) in cases {
        ids.push(tenant.api.add(&mailbox(&format!("{name}@example.test"), "x", smtp, imap)).await);
    }
    for id in &ids {
        let test = tenant.api.refused(id).await;
        assert_eq!((&test["code"], &test["stage"]), (&json!("SYS_ATTEMPTS_EXHAUSTED"), &json!("smtp")), "{test}");
    }
    assert_eq!(server.logins(Protocol::Smtp, "auth@example.test").attempts, 2);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, 0);
}

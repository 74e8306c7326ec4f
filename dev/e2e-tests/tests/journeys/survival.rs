//! Stopping, starting again, and starting wrongly.

use std::path::Path;
use std::time::Duration;

use e2e_tests::{Deployment, Plan, SERVICES, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, ScriptedServer};
use serde_json::{Value, json};

use crate::setup;

const DANA: &str = "dana@example.test";
const MASTER_KEY: &str = "MAILMOOR__SECRETS__MASTER_KEY";

fn body(server: &ScriptedServer, email: &str) -> Value {
    mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_is_there_after_a_restart() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut system = setup().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body(&server, DANA)).await;
    api.active(&id).await;
    api.health(&id).await;
    let before = api.mailbox(&id).await.body;

    for stop in ["SIGTERM", "SIGKILL"] {
        if stop == "SIGTERM" {
            system.terminate().await;
        } else {
            system.kill9().await;
        }
        assert!(api.try_get("/readyz").await.is_err());
        system.restart().await;
        assert_eq!(api.mailbox(&id).await.body, before, "{stop}");
        assert_eq!(api.connection_test(&id).await, json!({"status": "passed"}));
        api.create(&body(&server, DANA)).await.error(409, "CONFLICT");
    }
    // Nothing is done again.
    assert_eq!(server.logins(Protocol::Smtp, DANA).attempts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_master_key_nothing_starts_and_nothing_is_changed() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut system = setup().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body(&server, DANA)).await;
    api.active(&id).await;
    system.terminate().await;
    for wrong in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "no key", "AAEC"] {
        system.set(MASTER_KEY, wrong);
        let mut refused = vec![system.run(&["admin", "key", "list"]).await];
        for service in SERVICES {
            refused.push(system.start_in_vain(service, &[]).await);
        }
        for ended in &refused {
            let line = ended.refusal();
            assert!(line.contains("master key") || line.contains("master_key"), "{line}");
            assert!(!ended.stderr.contains(wrong), "{ended:?}");
        }
    }
    system.unset(MASTER_KEY);

    // With the right one everything is as it was, and passwords can be read: a new mailbox is verified.
    system.restart().await;
    assert_eq!(api.mailbox(&id).await.data(200)["status"], "active");
    api.active(&api.add(&body(&server, "erik@example.test")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_lets_logins_finish() {
    let slow = Behaviour { reply_delay: Duration::from_millis(150), ..Behaviour::default() };
    let server = ScriptedServer::builder().accept_all().behaviour(Listener::ALL, slow).start().unwrap();
    let mut system = setup().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body(&server, DANA)).await;
    server.wait_until(|stats| stats.open() == 2).await;
    let took = system.terminate().await;
    assert!(took < Duration::from_secs(9), "{took:?}");
    system.restart().await;
    // Not a login more: the result was stored before the process ended.
    assert_eq!(api.connection_test(&id).await, json!({"status": "passed"}));
    let seen = [Protocol::Smtp, Protocol::Imap].map(|protocol| server.logins(protocol, DANA).attempts);
    assert_eq!(seen, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_does_not_wait_for_a_dead_server() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    for protocol in [Protocol::Smtp, Protocol::Imap] {
        server.set_auth(protocol, DANA, Auth::Scripted(Reply::Silent));
    }
    let mut system = setup().with("MAILMOOR__VERIFIER__ATTEMPTS", 1).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body(&server, DANA)).await;
    let asked = |protocol| server.wait_until(move |stats| stats.logins(protocol, DANA).attempts == 1);
    tokio::join!(asked(Protocol::Smtp), asked(Protocol::Imap));
    assert_eq!(api.connection_test(&id).await, json!({"status": "pending"}));
    // Ten seconds are given to work in flight, which here never ends. `terminate` checks the limit and the code.
    system.terminate().await;
    for protocol in [Protocol::Smtp, Protocol::Imap] {
        server.clear_auth(protocol, DANA);
    }
    system.restart().await;
    // The only try was interrupted, not used up.
    api.active(&id).await;
}

fn write_config(system: &Deployment, text: &str) -> String {
    let path: &Path = &system.scratch_dir().join("mailmoor.toml");
    std::fs::write(path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_does_not_exist_is_named() {
    let mut system = Deployment::prepare(setup());
    let verifier = &["verifier-service"][..];
    for (name, value, named, who) in [
        ("MAILMOOR__VERIFIER__CONCURENCY", "5", "concurency", &SERVICES[..]),
        ("MAILMOOR__NONSENSE__KEY", "5", "nonsense", &SERVICES),
        ("MAILMOOR__VERIFIER__ATTEMPTS", "many", "verifier.attempts", &SERVICES),
        ("MAILMOOR__HTTP__LISTEN", "here", "http.listen", &SERVICES),
        ("MAILMOOR__BROKER__URL", "kafka://root:sesame@h", "broker.url", &SERVICES),
        ("MAILMOOR__DATABASE__URL", "mysql://root:sesame@h", "database.url", &SERVICES),
        ("MAILMOOR__EGRESS__EXTRA_CA_FILE", "/nowhere/ca.pem", "/nowhere/ca.pem", verifier),
        ("MAILMOOR__SECRETS__MASTER_KEY_FILE", "/nowhere/key", "/nowhere/key", &SERVICES),
    ] {
        system.set(name, value);
        for service in who {
            let ended = system.start_in_vain(service, &[]).await;
            let line = ended.refusal();
            assert!(line.contains(named), "{name}={value}: {line}");
            assert!(line.contains(system.program_of(service)), "{line}");
            assert!(!ended.stderr.contains("sesame"), "{}", ended.stderr);
        }
        system.unset(name);
    }
    let file = write_config(&system, "[verifier]\nconcurency = 5\n");
    for (file, named) in [(&*file, "concurency"), ("/nowhere/mailmoor.toml", "/nowhere/mailmoor.toml")] {
        for service in SERVICES {
            let ended = system.start_in_vain(service, &["--config", file]).await;
            assert!(ended.refusal().contains(named), "{ended:?}");
        }
    }
}

//! Stopping, starting again, and starting wrongly.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use e2e_tests::{Deployment, Ended, Plan, Setup, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, ScriptedServer};
use serde_json::{Value, json};

const DANA: &str = "dana@example.test";

fn body(server: &ScriptedServer, email: &str) -> Value {
    mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

/// The keys that the first start prints: kind and text.
fn printed_keys(output: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        ["sk_", "user_", "cs_", "smx_"].iter().any(|p| key.starts_with(p)).then(|| (kind.to_owned(), key.to_owned()))
    };
    output.lines().filter_map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_gives_keys_and_later_ones_keep_everything() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut system = Setup::default().start().await;
    let output = system.output();
    let keys = printed_keys(&output);
    let key = |kind: &str| keys.iter().find(|(of, _)| of == kind).map(|(_, key)| key.as_str());
    let workspace_key = key("sendkit-workspace").unwrap_or_else(|| panic!("no key in {output}"));
    assert!(key("sendkit-platform").is_some_and(|key| key.starts_with("sk_user_")), "{output}");
    assert!(!system.log().contains(workspace_key), "printed, not logged");
    let api = system.anonymous().with_header("X-Api-Key", workspace_key);
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
    assert_eq!(system.output(), output, "keys are shown once");
    // Nothing is done again.
    assert_eq!(server.logins(Protocol::Smtp, DANA).attempts, 1);
    for (path, mode) in [("", 0o700), ("master.key", 0o600)] {
        let path = system.data_dir().join(path);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

/// Ends by itself, with a failure that is told in one line. Returns that line.
#[track_caller]
fn refused_to_start(ended: &Ended) -> &str {
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("mailmoor: "), "{ended:?}");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_master_key_nothing_starts_and_nothing_is_changed() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut system = Setup::default().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body(&server, DANA)).await;
    api.active(&id).await;
    system.terminate().await;
    let file = system.data_dir().join("master.key");
    let key = std::fs::read_to_string(&file).unwrap();

    // Gone: the file is named, and no other one is made in its place.
    std::fs::remove_file(&file).unwrap();
    for command in [&["serve"][..], &["admin", "key", "list"]] {
        let ended = system.run(command).await;
        let line = refused_to_start(&ended);
        assert!(line.contains("master.key"), "{line}");
        assert!(!file.exists());
    }
    // Another one, from a file or from a setting, and one that is no key at all.
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for wrong in [other, "no key", "AAEC"] {
        std::fs::write(&file, wrong).unwrap();
        let ended = system.run(&["serve"]).await;
        let line = refused_to_start(&ended).to_owned();
        assert!(line.contains("master key") || line.contains("master_key"), "{line}");
        assert!(!line.contains(wrong), "{line}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong);
    }
    std::fs::write(&file, &key).unwrap();
    system.set("MAILMOOR__SECRETS__MASTER_KEY", other);
    let ended = system.run(&["serve"]).await;
    assert!(refused_to_start(&ended).contains("master key"), "{ended:?}");
    system.unset("MAILMOOR__SECRETS__MASTER_KEY");

    // With the right one everything is as it was, and passwords can be read: a new mailbox is verified.
    system.restart().await;
    assert_eq!(api.mailbox(&id).await.data(200)["status"], "active");
    api.active(&api.add(&body(&server, "erik@example.test")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_share_a_data_directory() {
    let system = Setup::default().start().await;
    let ended = system.run(&["serve"]).await;
    let line = refused_to_start(&ended);
    assert!(line.contains(&*system.data_dir().to_string_lossy()), "{line}");
    // The first one goes on, and is still the one that the file points to.
    system.tenant(Plan::Unlimited).await.api.get("/v1/mailboxes").await.data(200);
    let address = std::fs::read_to_string(system.data_dir().join("http.addr")).unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_lets_logins_finish() {
    let slow = Behaviour { reply_delay: Duration::from_millis(150), ..Behaviour::default() };
    let server = ScriptedServer::builder().accept_all().behaviour(Listener::ALL, slow).start().unwrap();
    let mut system = Setup::default().start().await;
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
    let mut system = Setup::default().with("MAILMOOR__VERIFIER__ATTEMPTS", 1).start().await;
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
    let mut system = Deployment::prepare(Setup::default());
    for (name, value, named) in [
        ("MAILMOOR__VERIFIER__CONCURENCY", "5", "concurency"),
        ("MAILMOOR__NONSENSE__KEY", "5", "nonsense"),
        ("MAILMOOR__VERIFIER__ATTEMPTS", "many", "verifier.attempts"),
        ("MAILMOOR__HTTP__LISTEN", "here", "http.listen"),
        ("MAILMOOR__BROKER__URL", "kafka://root:sesame@h", "broker.url"),
        ("MAILMOOR__DATABASE__URL", "mysql://root:sesame@h", "database.url"),
        ("MAILMOOR__EGRESS__EXTRA_CA_FILE", "/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("MAILMOOR__SECRETS__MASTER_KEY_FILE", "/nowhere/key", "/nowhere/key"),
    ] {
        system.set(name, value);
        let ended = system.run(&["serve"]).await;
        let line = refused_to_start(&ended);
        assert!(line.contains(named), "{name}={value}: {line}");
        assert!(!ended.stderr.contains("sesame"), "{}", ended.stderr);
        system.unset(name);
    }
    let file = write_config(&system, "[verifier]\nconcurency = 5\n");
    let ended = system.run(&["--config", &file, "serve"]).await;
    assert!(refused_to_start(&ended).contains("concurency"), "{ended:?}");
    let ended = system.run(&["--config", "/nowhere/mailmoor.toml", "serve"]).await;
    assert!(refused_to_start(&ended).contains("/nowhere/mailmoor.toml"), "{ended:?}");
}

//! What only a system with everything in one data directory has: keys that the first start makes and shows, a master
//! key that it generates, and a lock against a second process. Separate services get all of this from their operator.

use std::os::unix::fs::PermissionsExt;

use e2e_tests::{Ended, Plan, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};

use crate::setup;

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
async fn the_first_start_gives_keys_once() {
    let mut system = setup().start().await;
    let output = system.output();
    let keys = printed_keys(&output);
    let key = |kind: &str| keys.iter().find(|(of, _)| of == kind).map(|(_, key)| key.as_str());
    let workspace_key = key("sendkit-workspace").unwrap_or_else(|| panic!("no key in {output}"));
    assert!(key("sendkit-platform").is_some_and(|key| key.starts_with("sk_user_")), "{output}");
    assert!(!system.log().contains(workspace_key), "printed, not logged");
    let api = system.anonymous().with_header("X-Api-Key", workspace_key);
    api.get("/v1/mailboxes").await.data(200);

    for stop in ["SIGTERM", "SIGKILL"] {
        if stop == "SIGTERM" {
            system.terminate().await;
        } else {
            system.kill9().await;
        }
        system.restart().await;
        api.get("/v1/mailboxes").await.data(200);
    }
    assert_eq!(system.output(), output, "keys are shown once");
    for (path, mode) in [("", 0o700), ("master.key", 0o600)] {
        let path = system.data_dir().join(path);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

/// The failure of `mailmoor`, told in one line without a time stamp.
#[track_caller]
fn plain_refusal(ended: &Ended) -> &str {
    let line = ended.refusal();
    assert!(line.starts_with("mailmoor: "), "{ended:?}");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_master_key_file_nothing_starts_and_no_other_one_is_made() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let body = |email| mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let mut system = setup().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&body("dana@example.test")).await;
    api.active(&id).await;
    system.terminate().await;
    let file = system.data_dir().join("master.key");
    let key = std::fs::read_to_string(&file).unwrap();

    std::fs::remove_file(&file).unwrap();
    for command in [&["serve"][..], &["admin", "key", "list"]] {
        let ended = system.run(command).await;
        let line = plain_refusal(&ended);
        assert!(line.contains("master.key"), "{line}");
        assert!(!file.exists());
    }
    for wrong in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "no key", "AAEC"] {
        std::fs::write(&file, wrong).unwrap();
        let ended = system.run(&["serve"]).await;
        let line = plain_refusal(&ended);
        assert!(line.contains("master key") || line.contains("master_key"), "{line}");
        assert!(!line.contains(wrong), "{line}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong);
    }
    std::fs::write(&file, &key).unwrap();
    system.restart().await;
    assert_eq!(api.mailbox(&id).await.data(200)["status"], "active");
    api.active(&api.add(&body("erik@example.test")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_share_a_data_directory() {
    let system = setup().start().await;
    let ended = system.run(&["serve"]).await;
    let line = plain_refusal(&ended);
    assert!(line.contains(&*system.data_dir().to_string_lossy()), "{line}");
    // The first one goes on, and is still the one that the file points to.
    system.tenant(Plan::Unlimited).await.api.get("/v1/mailboxes").await.data(200);
    let address = std::fs::read_to_string(system.data_dir().join("http.addr")).unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

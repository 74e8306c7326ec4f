//! The data directory, which only a system with everything in one process has: the master key that the first start
//! generates, and a lock against a second process. Separate services get both from their operator.

use e2e_tests::{Deployment, Ended, Plan, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};

use crate::setup;

/// The failure of `mailmoor`: one line without a time stamp.
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
        assert!(!line.contains("internal"), "the program is not at fault: {line}");
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

/// In another folder than the operator meant, a command must not succeed on an empty database.
#[tokio::test(flavor = "multi_thread")]
async fn admin_makes_no_database() {
    let system = Deployment::prepare(setup());
    let file = system.data_dir().join("mailmoor.db").display().to_string();
    for command in [&["owner", "create", "a@b.test"][..], &["key", "list"], &["migrate"], &["dead-letters", "list"]] {
        let ended = system.run(&[&["admin"], command].concat()).await;
        let line = plain_refusal(&ended);
        assert!(line.contains(&format!("no Mailmoor database at {file}: start mailmoor serve there first")), "{line}");
        assert!(line.contains("MAILMOOR__DATA_DIR"), "{line}");
        assert!(!system.data_dir().exists(), "nothing is made");
    }
}

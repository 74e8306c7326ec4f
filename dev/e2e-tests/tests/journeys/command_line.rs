//! `mailmoor admin`, as operators and their scripts use it while the system runs.

use e2e_tests::Deployment;
use mail_lab::Knot;
use serde_json::{Value, json};

use crate::setup;

/// Fails with one line that says what was wrong.
async fn fails(system: &Deployment, arguments: &[&str], words: &str) {
    for json in [&[][..], &["--json"]] {
        let arguments = [&["admin"], arguments, json].concat();
        let ended = system.run(&arguments).await;
        assert!(ended.code.is_some_and(|code| code != 0), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_workspaces_and_keys() {
    let system = setup().start().await;
    let owner = system.admin(&["owner", "create", "Mary@Company.test", "--max-mailboxes", "3"]).await;
    assert_eq!(
        [&owner["email"], &owner["maxMailboxes"], &owner["mailboxUsage"], &owner["subscription"]],
        [&json!("mary@company.test"), &json!(3), &json!(0), &json!("active")]
    );
    let changed = system.admin(&["owner", "plan", "mary@company.test", "--max-mailboxes", "unlimited"]).await;
    assert_eq!((&changed["id"], &changed["maxMailboxes"]), (&owner["id"], &Value::Null));
    let workspace = system.admin(&["workspace", "create", "sales", "--owner", "mary@company.test"]).await;
    assert_eq!((&workspace["name"], &workspace["ownerId"]), (&json!("sales"), &owner["id"]));

    let key = system
        .admin(&[
            "key",
            "create",
            "--kind",
            "sendkit-workspace",
            "--workspace",
            "sales",
            "--owner",
            "mary@company.test",
        ])
        .await;
    let text = key["key"].as_str().unwrap();
    assert_eq!(key["workspaceId"], workspace["id"]);
    let api = system.anonymous().with_header("X-Api-Key", text);
    assert_eq!(api.get("/v1/workspaces").await.data(200)[0]["id"], workspace["id"]);

    let list = system.admin(&["key", "list"]).await;
    let listed = list["items"].as_array().unwrap().iter().find(|item| item["id"] == key["id"]).unwrap();
    assert_eq!((&listed["kind"], &listed["revokedAt"]), (&json!("sendkit-workspace"), &Value::Null));
    assert!(!list.to_string().contains(text), "the text is shown once");
    let id = key["id"].as_str().unwrap();
    let revoked = system.admin(&["key", "revoke", id]).await;
    assert!(revoked["revokedAt"].is_string());
    assert_eq!(system.admin(&["key", "revoke", id]).await, revoked, "once more changes nothing");
    api.get("/v1/workspaces").await.error(401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_in_one_line() {
    let system = setup().start().await;
    system.admin(&["owner", "create", "mary@company.test"]).await;
    system.admin(&["owner", "create", "mike@company.test"]).await;
    for owner in ["mary@company.test", "mike@company.test"] {
        system.admin(&["workspace", "create", "sales", "--owner", owner]).await;
    }
    let mary = ["key", "create", "--kind", "sendkit-workspace", "--workspace", "sales", "--owner", "mary@company.test"];
    system.admin(&mary).await;
    let cases: [(&[&str], &str); 13] = [
        (&["owner", "create", "mary@company.test"], "mary@company.test exists already"),
        (&["owner", "create", "mary"], "mary is not an address"),
        (&["owner", "plan", "nobody@company.test"], "nobody@company.test does not exist"),
        (&["workspace", "create", "x", "--owner", "nobody@company.test"], "nobody@company.test does not exist"),
        (&["workspace", "create", "sales", "--owner", "mary@company.test"], "sales exists already"),
        (&["workspace", "create", " ", "--owner", "mary@company.test"], "1 to 255 characters"),
        (&["key", "create", "--kind", "sendkit-workspace", "--workspace", "sales"], "--owner"),
        (&mary, "exists already"),
        (&["key", "create", "--kind", "sendkit-workspace", "--workspace", "nothing"], "no workspace nothing"),
        (&["key", "create", "--kind", "coldsend"], "--workspace"),
        (&["key", "create", "--kind", "sendkit-platform"], "--owner"),
        (&["key", "revoke", "x"], "x is not the id of a key"),
        (&["key", "revoke", "66c0ffee12ab34cd56ef7890"], "66c0ffee12ab34cd56ef7890 does not exist"),
    ];
    for (arguments, words) in cases {
        fails(&system, arguments, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_is_explained() {
    let system = Deployment::prepare(setup());
    let cases: [(&[&str], &str); 6] = [
        (&["fly"], "fly"),
        (&["admin"], "Usage"),
        (&["admin", "owner", "create"], "EMAIL"),
        (&["admin", "owner", "create", "mary@company.test", "--max-mailboxes=-1"], "--max-mailboxes"),
        (&["admin", "owner", "create", "mary@company.test", "--subscription", "maybe"], "--subscription"),
        (&["admin", "key", "create", "--kind", "golden"], "--kind"),
    ];
    for (arguments, words) in cases {
        let ended = system.run(arguments).await;
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    assert!(!system.data_dir().exists(), "nothing was opened");
}

/// A start-up script that does several things at once on an empty folder: database and master key
/// are made once, and the key on disk is the one that counts.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_meet_an_empty_folder_together_agree() {
    for _ in 0..3 {
        let mut system = Deployment::prepare(setup());
        let create = async |number: u32| {
            let owner = format!("owner{number}@company.test");
            system.run(&["admin", "owner", "create", &owner]).await
        };
        let ended = tokio::join!(create(1), create(2), create(3), create(4));
        for ended in [ended.0, ended.1, ended.2, ended.3] {
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        system.restart().await;
        system.admin(&["workspace", "create", "sales", "--owner", "owner4@company.test"]).await;
    }
}

/// An operator may prepare everything before the first start.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_needs_no_running_system() {
    let mut system = Deployment::prepare(setup());
    let tenant = system.tenant(e2e_tests::Plan::Unlimited).await;
    system.restart().await;
    tenant.api.get("/v1/mailboxes").await.data(200);
    assert!(!system.output().contains("sk_"), "no keys are made for a database that has some");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters() {
    let system = setup().start().await;
    assert_eq!(system.admin(&["dead-letters", "list"]).await, json!({"items": []}));
    assert_eq!(system.admin(&["dead-letters", "replay", "--all"]).await["replayed"], 0);
    fails(&system, &["dead-letters", "replay", "77"], "the dead letter 77 does not exist").await;
    fails(&system, &["dead-letters", "drop", "77"], "the dead letter 77 does not exist").await;
}

/// Needs neither server nor database.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_checked() {
    let zone = "@ MX 10 mx\n@ TXT \"v=spf1 mx -all\"\nmx A 203.0.113.9\n_dmarc TXT \"v=DMARC1; p=none\"\n";
    let names = Knot::start(&[("good.test", zone)]).unwrap();
    let system = Deployment::prepare(setup().with("MAILMOOR__DNS__SERVERS", names.addr()));
    let ended = system.run(&["check-domain", "good.test", "--selector", "s1", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["domain"], "good.test");
    assert_eq!(
        report["mx"],
        json!({"status": "pass", "count": 1, "records": [{"exchange": "mx.good.test", "priority": 10}]})
    );
    assert_eq!((&report["spf"]["status"], &report["spf"]["lookups"]), (&json!("pass"), &json!(1)));
    assert_eq!((&report["dkim"]["status"], &report["dmarc"]["policy"]), (&json!("fail"), &json!("none")));
    assert_eq!(report["findings"], json!(["dkim_selector_missing", "dmarc_policy_none", "dmarc_no_rua"]));
    assert!(report["healthScore"].is_u64() && report["ms"].is_u64(), "{report}");

    let cases = system.scratch_dir().join("cases.jsonl");
    std::fs::write(
        &cases,
        "{\"domain\": \"good.test\"}\n\n{\"domain\": \"not a domain\", \"input\": {\"selectors\": [\"x\"]}}\n",
    )
    .unwrap();
    let ended = system.run(&["check-domain", "--input", cases.to_str().unwrap()]).await;
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| &line["domain"]).collect::<Vec<_>>(), ["good.test", "not a domain"]);
    assert_eq!(lines[1]["findings"], json!(["domain_invalid"]));

    let words = system.run(&["check-domain", "good.test"]).await.stdout;
    assert!(words.starts_with("good.test: ") && words.contains("  mx     pass"), "{words}");
    assert_eq!(system.run(&["check-domain"]).await.code, Some(2), "bad usage");
}

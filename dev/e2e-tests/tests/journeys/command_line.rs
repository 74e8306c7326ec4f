//! `mailmoor admin`, as operators and their scripts use it while the system runs.

use e2e_tests::{Deployment, Plan, eventually};
use mail_lab::Knot;
use mail_lab::scripted::{Listener, ScriptedServer};
use serde_json::{Value, json};

use crate::setup;

/// Fails with one line that names the mistake.
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
async fn mistakes_are_explained_in_one_line() {
    let system = setup().start().await;
    system.admin(&["owner", "create", "mary@company.test"]).await;
    system.admin(&["owner", "create", "mike@company.test"]).await;
    for owner in ["mary@company.test", "mike@company.test"] {
        system.admin(&["workspace", "create", "sales", "--owner", owner]).await;
    }
    let mary = ["key", "create", "--kind", "sendkit-workspace", "--workspace", "sales", "--owner", "mary@company.test"];
    system.admin(&mary).await;
    let cases: [(&[&str], &str); 15] = [
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
        (&["key", "rotate", "66c0ffee12ab34cd56ef7890"], "66c0ffee12ab34cd56ef7890 does not exist"),
        (&["workspace", "list", "--owner", "nobody@company.test"], "nobody@company.test does not exist"),
    ];
    for (arguments, words) in cases {
        fails(&system, arguments, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_is_explained() {
    let system = Deployment::prepare(setup());
    let cases: [(&[&str], &str); 7] = [
        (&["fly"], "fly"),
        (&["admin"], "Usage"),
        (&["admin", "owner", "create"], "EMAIL"),
        (&["admin", "owner", "create", "mary@company.test", "--max-mailboxes=-1"], "--max-mailboxes"),
        (&["admin", "owner", "create", "mary@company.test", "--subscription", "maybe"], "--subscription"),
        (&["admin", "key", "create", "--kind", "golden"], "--kind"),
        (&["admin", "key", "rotate", "66c0ffee12ab34cd56ef7890", "--overlap", "1y"], "--overlap"),
    ];
    for (arguments, words) in cases {
        let ended = system.run(arguments).await;
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    assert!(!system.data_dir().exists(), "nothing was opened");
}

/// A start-up script that does several things at once on an empty folder: database and master key are made once, and
/// the key on disk is the one that counts. Where the service makes the database, commands wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_meet_an_empty_folder_together_agree() {
    for _ in 0..3 {
        let mut system = Deployment::prepare(setup());
        system.start_one("api-gateway", 0);
        let create = async |number: u32| {
            let owner = format!("owner{number}@company.test");
            eventually("the database", || async {
                let ended = system.run(&["admin", "owner", "create", &owner]).await;
                match ended.code {
                    Some(0) => Ok(()),
                    _ if ended.stderr.contains("no Mailmoor database") => Err(ended.stderr),
                    _ => panic!("{ended:?}"),
                }
            })
            .await;
        };
        tokio::join!(create(1), create(2), create(3), create(4));
        system.ready().await;
        system.kill9().await;
        system.restart().await;
        system.admin(&["workspace", "create", "sales", "--owner", "owner4@company.test"]).await;
    }
}

/// Nor, where the operator makes the database, one that ever ran: everything may be prepared before the first start.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_needs_no_running_system() {
    let mut system = Deployment::prepare(setup());
    if system.program_of("api-gateway") == "mailmoor" {
        system.restart().await;
        system.terminate().await;
    }
    let tenant = system.tenant(Plan::Unlimited).await;
    system.restart().await;
    tenant.api.get("/v1/mailboxes").await.data(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_all_tenants_and_their_usage() {
    let system = setup().start().await;
    let tenant = system.tenant(Plan::Mailboxes(3)).await;
    system.workspace(&tenant.owner, "other").await;
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let id = tenant.api.add(&e2e_tests::mailbox("dana@example.test", "x", smtp, imap)).await;
    tenant.api.active(&id).await;

    let of = |list: &Value, member: &str, value: &str| {
        let found = list["items"].as_array().unwrap().iter().filter(|item| item[member] == value).cloned();
        found.collect::<Vec<_>>()
    };
    let owners = of(&system.admin(&["owner", "list"]).await, "email", &tenant.owner);
    assert_eq!(
        [&owners[0]["mailboxUsage"], &owners[0]["maxMailboxes"], &owners[0]["workspaces"], &owners[0]["overPlan"]],
        [&json!(1), &json!(3), &json!(2), &json!(0)]
    );
    let workspaces = of(&system.admin(&["workspace", "list"]).await, "owner", &tenant.owner);
    let names: Vec<_> = workspaces.iter().map(|workspace| (&workspace["name"], &workspace["mailboxes"])).collect();
    assert_eq!(names, [(&json!("main"), &json!(1)), (&json!("other"), &json!(0))]);
    let own = system.admin(&["workspace", "list", "--owner", &tenant.owner]).await;
    assert_eq!(own["items"].as_array(), Some(&workspaces));

    // Requests were made with the first key only.
    let keys = of(&system.admin(&["key", "list"]).await, "owner", &tenant.owner);
    assert_eq!(keys.iter().map(|key| &key["workspace"]).collect::<Vec<_>>(), ["main", "other"]);
    eventually("the use to be recorded", || async {
        let keys = of(&system.admin(&["key", "list"]).await, "owner", &tenant.owner);
        assert_eq!(keys[1]["lastUsedAt"], Value::Null);
        if keys[0]["lastUsedAt"].is_string() { Ok(()) } else { Err(keys[0].to_string()) }
    })
    .await;
    for (list, words) in [("owner", "1 of 3"), ("workspace", "main"), ("key", "sendkit-workspace")] {
        let table = system.run(&["admin", list, "list"]).await.stdout;
        let line = table.lines().find(|line| line.contains(&tenant.owner)).unwrap_or_else(|| panic!("{table}"));
        assert!(line.contains(words) && table.starts_with("ID "), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_without_a_gap() {
    let system = setup().start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let list = system.admin(&["key", "list"]).await;
    let listed = list["items"].as_array().unwrap().iter().find(|key| key["workspaceId"] == *tenant.workspace).unwrap();
    let old = listed["id"].as_str().unwrap();

    let new = system.admin(&["key", "rotate", old]).await;
    let text = new["key"].as_str().unwrap();
    let api = system.anonymous().with_header("X-Api-Key", text);
    assert_eq!((&new["replaces"], &new["workspaceId"]), (&json!(old), &json!(tenant.workspace)));
    assert!(new["replaced"]["expiresAt"].is_string(), "{new}");
    for api in [&tenant.api, &api] {
        api.get("/v1/mailboxes").await.data(200);
    }
    fails(&system, &["key", "rotate", old], "it is being replaced already").await;
    let id = new["id"].as_str().unwrap();
    fails(&system, &["key", "rotate", id], "the key before it still works").await;
    let platform = system.anonymous().with_header("X-Api-Key", &system.platform_key(&tenant).await);
    let path = format!("/v1/workspaces/{}/api-key", tenant.workspace);
    platform.post(&path, &json!({})).await.error(409, "CONFLICT");

    system.admin(&["key", "revoke", old]).await;
    tenant.api.get("/v1/mailboxes").await.error(401, "UNAUTHORIZED");
    let ended = system.run(&["admin", "key", "rotate", id, "--overlap", "0"]).await;
    assert!(ended.stdout.contains("only time that the key is shown"), "{ended:?}");
    api.get("/v1/mailboxes").await.error(401, "UNAUTHORIZED");
    fails(&system, &["key", "rotate", id], "it has been replaced").await;
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

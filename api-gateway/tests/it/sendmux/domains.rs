//! Domains: added, listed, changed, removed; their zone file.

use reqwest::Method;
use serde_json::{Value, json};
use service_runtime::settings::MailPlatformSettings;
use shared_models::domain::hosted::{NewHostedMailbox, QUOTA_TIERS, SendScope};
use shared_models::domain::sending_domains::DomainChecks;
use shared_models::domain::{EmailAddress, WorkspaceId};
use shared_models::store::PendingAnswer;

use super::{at, is_id};
use crate::client::{Answer, Call};
use crate::world::{PLATFORM, World, key_kind};

const NOT_FOUND: (u16, &str, Option<&str>) = (404, "not_found", None);
const CONFLICT: (u16, &str, Option<&str>) = (409, "conflict", None);

pub(super) const COMPLETE: DomainChecks = DomainChecks {
    verification_txt: true,
    spf: true,
    dmarc: true,
    mx: true,
    mail_from_mx: true,
    mail_from_spf: true,
    dkim: true,
};

impl World {
    fn post_domain(&self, body: &Value) -> Call {
        self.sendmux(Method::POST, "/domains").json(body)
    }

    /// Adds a domain and gives its data.
    pub(super) async fn domain(&self, name: &str, mode: &str) -> Value {
        self.post_domain(&json!({"domain": name, "mode": mode})).ask().await.ok(201).clone()
    }

    pub(super) async fn get_domain(&self, id: &str) -> Answer {
        self.sendmux(Method::GET, &format!("/domains/{id}")).ask().await
    }

    /// Has the domain that was added last found as by a check that somebody asked for.
    pub(super) async fn find_records(&self, checks: DomainChecks) {
        self.find_records_of(self.workspace, checks).await;
    }

    /// The same for another team.
    pub(super) async fn find_records_of(&self, workspace: WorkspaceId, checks: DomainChecks) {
        let domain = self.store.list_domains(workspace, None, 1).await.unwrap().items.remove(0);
        self.store.request_domain_check(workspace, domain.id).await.unwrap();
        let job = self.store.domain_check_job(domain.id).await.unwrap().unwrap();
        self.store.record_domain_check(job, checks).await.unwrap();
    }
}

fn id_of(domain: &Value) -> &str {
    domain["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_new_domain_is_told_what_to_publish() {
    let world = World::start().await;
    let answer = world.post_domain(&json!({"domain": "Acme.com"})).ask().await;
    let domain = answer.ok(201);
    let id = id_of(domain);
    assert!(is_id("mdom_", id), "{id}");
    assert_eq!(answer.header("location"), at(&format!("/domains/{id}")));
    let records = &domain["dns_records"];
    let token = records["verification"]["value"].as_str().unwrap();
    assert!(token.strip_prefix("sendmux-verify=").is_some_and(|token| token.len() == 32), "{token}");
    let [key] = &records["dkim"].as_array().unwrap()[..] else { panic!("{records}") };
    let (selector, zone) = key["name"].as_str().unwrap().split_once("._domainkey.").unwrap();
    assert!(zone == "acme.com" && selector.starts_with("mm"), "{key}");
    assert!(key["value"].as_str().unwrap().starts_with("v=DKIM1; k=rsa; p=MIIBIjAN"), "{key}");
    let spf = |name: &str, all: &str| json!({"name": name, "value": format!("v=spf1 a:{PLATFORM} {all}")});
    let expected = json!({
        "id": id, "domain": "acme.com", "mode": "send_receive",
        "verification_status": "pending", "verified_at": null, "mailbox_count": 0,
        "dns_records": {
            "verification": {"name": "_sendmux.acme.com", "value": token},
            "spf": spf("acme.com", "~all"),
            "dmarc": {"name": "_dmarc.acme.com", "value": "v=DMARC1; p=quarantine"},
            "dkim": [key],
            "mx": [{"priority": 10, "target": PLATFORM}],
            "mail_from": {
                "mx": {"name": "bounce.acme.com", "priority": 10, "target": PLATFORM},
                "spf": spf("bounce.acme.com", "-all"),
            },
        },
        "ses_dkim_status": "pending", "ses_dkim_signing_enabled": false, "ses_mail_from_status": "pending",
        "ses_identity_verification_status": "pending", "ses_verified_for_sending": false,
        "ses_identity_checked_at": null, "created_at": domain["created_at"],
    });
    assert_eq!(*domain, expected);
    assert!(domain["created_at"].as_str().unwrap().ends_with('Z'));

    let read = world.get_domain(id).await;
    assert_eq!(read.ok(200), domain);
    let again = world.sendmux(Method::GET, &format!("/domains/{id}")).header("If-None-Match", read.header("etag"));
    let again = again.ask().await;
    assert_eq!((again.status, again.header("etag")), (304, read.header("etag")));
    let sender = world.domain("sender.example", "send_only").await;
    assert_eq!((&sender["mode"], &sender["dns_records"]["mx"]), (&json!("send_only"), &json!([])));
}

#[tokio::test]
async fn bad_bodies_are_taken_apart() {
    let world = World::start().await;
    let long = format!("{}example", "abcdefghi.".repeat(23));
    let longer = format!("{}example", "abcdefghi.".repeat(25));
    for (body, faults) in [
        (json!({}), &[("domain", "invalid_type")][..]),
        (json!({"domain": null}), &[("domain", "invalid_type")]),
        (json!({"domain": 5}), &[("domain", "invalid_type")]),
        (json!({"domain": ""}), &[("domain", "too_small")]),
        (json!({"domain": longer}), &[("domain", "too_big")]),
        (json!({"domain": long}), &[("domain", "too_big")]),
        (json!({"domain": "https://acme.com"}), &[("domain", "invalid_string")]),
        (json!({"domain": "acme.com/"}), &[("domain", "invalid_string")]),
        (json!({"domain": "dana@acme.com"}), &[("domain", "invalid_string")]),
        (json!({"domain": "acme"}), &[("domain", "invalid_string")]),
        (json!({"domain": "a_b.com"}), &[("domain", "invalid_string")]),
        (json!({"domain": "192.0.2.1"}), &[("domain", "invalid_string")]),
        (json!({"domain": "acme.com", "mode": "both"}), &[("mode", "invalid_enum_value")]),
        (json!({"domain": "acme.com", "mode": null}), &[("mode", "invalid_type")]),
        (json!({"domain": "acme.com", "region": "eu"}), &[("region", "unrecognized_keys")]),
        (
            json!({"zone": 1, "mode": 2, "domain": "a b.c"}),
            &[("domain", "invalid_string"), ("mode", "invalid_type"), ("zone", "unrecognized_keys")],
        ),
    ] {
        let answer = world.post_domain(&body).ask().await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some(faults[0].0)), "{body}");
        assert_eq!(answer.faults(), faults, "{body}");
    }
    let huge = format!(r#"{{"domain":"acme.com","mode":"{}"}}"#, "x".repeat(1024 * 1024));
    let answer = world.sendmux(Method::POST, "/domains").raw(Some("application/json"), huge).ask().await;
    assert_eq!(answer.error(), (413, "payload_too_large", None));
    assert!(world.store.list_domains(world.workspace, None, 1).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_name_is_there_once() {
    let world = World::start().await;
    world.domain("acme.com", "send_receive").await;
    for name in ["acme.com", "ACME.com", "acme.com."] {
        assert_eq!(world.post_domain(&json!({"domain": name})).ask().await.error(), CONFLICT, "{name}");
    }
    let (_, stranger) = world.sendmux_stranger().await;
    let theirs = |name: &str| world.sendmux_with(Method::POST, "/domains", &stranger).json(&json!({"domain": name}));
    theirs("acme.com").ask().await.ok(201);
    world.domain("ours.example", "send_receive").await;
    world.find_records(COMPLETE).await;
    assert_eq!(theirs("ours.example").ask().await.error(), CONFLICT, "it is in use");
}

#[tokio::test]
async fn a_request_with_a_key_of_its_own_adds_one_domain() {
    let world = World::start().await;
    let send = async |key: &str, name: &str| {
        world.post_domain(&json!({"domain": name})).header("Idempotency-Key", key).ask().await
    };
    let first = send("one", "acme.com").await;
    let again = send("one", "acme.com").await;
    assert_eq!((first.ok(201), first.header("location")), (again.ok(201), again.header("location")));
    assert_eq!(first.body["meta"], again.body["meta"]);
    assert_eq!(send("one", "other.com").await.error(), (409, "idempotency_conflict", None));
    assert_eq!(send("two", "acme.com").await.error(), CONFLICT);
    send("two", "other.com").await.ok(201);
    assert_eq!(send(&"k".repeat(256), "third.com").await.error(), (400, "invalid_parameter", Some("Idempotency-Key")));
}

#[tokio::test]
async fn a_list_goes_from_the_newest_to_the_oldest() {
    let world = World::start().await;
    let mut all = vec![];
    for name in ["a.com", "b.com", "c.com"] {
        all.insert(0, world.domain(name, "send_only").await);
    }
    let (_, stranger) = world.sendmux_stranger().await;
    let list = async |query: &str| world.sendmux(Method::GET, &format!("/domains{query}")).ask().await;
    let page = list("").await;
    assert_eq!((page.ok(200), &page.body["pagination"]), (&json!(all), &json!({"has_more": false})));
    let page = list("?limit=2").await;
    assert_eq!(page.ok(200), &json!(all[..2]));
    let cursor = page.body["pagination"]["next_cursor"].as_str().unwrap();
    assert_eq!(page.body["pagination"]["has_more"], true);
    let rest = list(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!((rest.ok(200), &rest.body["pagination"]), (&json!(all[2..]), &json!({"has_more": false})));
    for (query, param) in [("?limit=0", "limit"), ("?limit=101", "limit"), ("?cursor=nonsense", "cursor")] {
        assert_eq!(list(query).await.error(), (400, "invalid_parameter", Some(param)), "{query}");
    }
    let theirs = world.sendmux_with(Method::GET, "/domains", &stranger).ask().await;
    assert_eq!(theirs.ok(200), &json!([]));
}

#[tokio::test]
async fn a_domain_may_begin_to_receive() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_only").await;
    world.find_records(COMPLETE).await;
    let path = format!("/domains/{}", id_of(&domain));
    let patch = |body: Value| world.sendmux(Method::PATCH, &path).json(&body);
    for body in [json!({"mode": "send_only"}), json!({"mode": "both"}), json!({})] {
        assert_eq!(patch(body.clone()).ask().await.error(), (422, "validation_error", Some("mode")), "{body}");
    }
    for (body, param) in [
        (json!({"mode": null}), "mode"),
        (json!({"mode": 1}), "mode"),
        (json!({"domain": "other.com", "mode": "send_receive"}), "domain"),
    ] {
        assert_eq!(patch(body.clone()).ask().await.error(), (400, "invalid_parameter", Some(param)), "{body}");
    }
    let verified = world.get_domain(id_of(&domain)).await;
    assert_eq!(verified.ok(200)["verification_status"], "verified");
    let mismatch = patch(json!({"mode": "send_receive"})).header("If-Match", "W/\"0000000000000000\"").ask().await;
    assert_eq!((mismatch.error(), mismatch.header("etag")), (CONFLICT, verified.header("etag")));
    assert_eq!(world.get_domain(id_of(&domain)).await.body["data"], verified.body["data"], "nothing changed");

    let changed = patch(json!({"mode": "send_receive"})).header("If-Match", verified.header("etag")).ask().await;
    let data = changed.ok(200);
    assert_eq!((&data["mode"], &data["verification_status"]), (&json!("send_receive"), &json!("pending")));
    assert_eq!((&data["verified_at"], &data["dns_records"]["mx"][0]["target"]), (&Value::Null, &json!(PLATFORM)));
    let read = world.get_domain(id_of(&domain)).await;
    assert_eq!((read.ok(200), read.header("etag")), (data, changed.header("etag")));
    world.find_records(COMPLETE).await;
    let unchanged = patch(json!({"mode": "send_receive"})).ask().await;
    assert_eq!(unchanged.ok(200)["verification_status"], "verified", "it received already");
}

#[tokio::test]
async fn a_removed_domain_is_gone() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let path = format!("/domains/{}", id_of(&domain));
    let removed = world.sendmux(Method::DELETE, &path).ask().await;
    assert_eq!(removed.ok(200), &json!({"id": id_of(&domain), "deleted": true}));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(world.sendmux(method, &path).ask().await.error(), NOT_FOUND);
    }
    assert_ne!(world.domain("acme.com", "send_receive").await["id"], domain["id"]);
}

#[tokio::test]
async fn a_domain_with_a_mailbox_stays() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    world.find_records(COMPLETE).await;
    let new = NewHostedMailbox {
        email: EmailAddress::parse("dana@acme.com").unwrap(),
        display_name: None,
        quota_bytes: QUOTA_TIERS[0],
        send_scope: SendScope::All,
        faults: vec![],
    };
    let (key, answer) = (key_kind("sendmux-root"), PendingAnswer::not_kept());
    let made = world.store.provision_mailbox(world.workspace, world.owner, new, key, answer).await.unwrap();
    assert_eq!(world.get_domain(id_of(&domain)).await.ok(200)["mailbox_count"], 1);
    let remove = || world.sendmux(Method::DELETE, &format!("/domains/{}", id_of(&domain)));
    assert_eq!(remove().ask().await.error(), CONFLICT);
    world.store.delete_hosted_mailbox(world.workspace, made.mailbox.id).await.unwrap();
    remove().ask().await.ok(200);
}

#[tokio::test]
async fn the_zone_file_has_all_records() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let call = world.sendmux(Method::GET, &format!("/domains/{}/zone-file", id_of(&domain)));
    let answer = call.header("Accept", "application/json").ask().await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"acme.com.zone\"");
    let zone = answer.body.as_str().unwrap();
    let records = &domain["dns_records"];
    for record in [&records["verification"], &records["spf"], &records["dmarc"], &records["mail_from"]["spf"]] {
        let line =
            format!("{}. 3600 IN TXT \"{}\"\n", record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
        assert!(zone.contains(&line), "{zone}");
    }
    let key = records["dkim"][0]["value"].as_str().unwrap();
    let cut = format!("TXT \"{}\" \"{}\"\n", &key[..255], &key[255..]);
    assert!(zone.contains(&cut), "{zone}");
    for line in
        [format!("acme.com. 3600 IN MX 10 {PLATFORM}.\n"), format!("bounce.acme.com. 3600 IN MX 10 {PLATFORM}.\n")]
    {
        assert!(zone.contains(&line), "{zone}");
    }
    assert_eq!(zone.lines().count(), 7);
}

/// Method, path behind the id, a good body and what is needed.
const ROUTES: [(Method, &str, &str, &str); 7] = [
    (Method::GET, "", "", "domain.read"),
    (Method::PATCH, "", r#"{"mode":"send_receive"}"#, "domain.create"),
    (Method::GET, "/zone-file", "", "domain.read"),
    (Method::GET, "/filters", "", "domain.read"),
    (Method::PUT, "/filters", r#"{"mode":"off","rules":[]}"#, "domain.create"),
    (Method::POST, "/verify", "", "domain.verify"),
    (Method::DELETE, "", "", "domain.delete"),
];

fn with_body(call: Call, body: &str) -> Call {
    if body.is_empty() { call } else { call.raw(Some("application/json"), body.to_owned()) }
}

#[tokio::test]
async fn another_teams_domain_is_unknown() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let (_, stranger) = world.sendmux_stranger().await;
    let never = format!("mdom_cl{}", "0".repeat(23));
    for (method, path, body, _) in ROUTES {
        for (id, key) in
            [(id_of(&domain), &stranger), (never.as_str(), &world.sendmux_key), ("66c0ffee", &world.sendmux_key)]
        {
            let call = world.sendmux_with(method.clone(), &format!("/domains/{id}{path}"), key);
            assert_eq!(with_body(call, body).ask().await.error(), NOT_FOUND, "{method} {path} {id}");
        }
    }
    assert_eq!(world.get_domain(id_of(&domain)).await.ok(200), &domain);
}

#[tokio::test]
async fn each_route_needs_its_permission() {
    let world = World::start().await;
    let never = format!("mdom_cl{}", "0".repeat(23));
    let others =
        ["domain.read", "domain.create", "domain.verify", "domain.delete", "mailbox.*", "provider.*", "webhook.*"];
    for (method, path, body, needed) in ROUTES {
        let rest: Vec<&str> = others.into_iter().filter(|name| *name != needed).collect();
        let path = format!("/domains/{never}{path}");
        for (granted, expected) in [(rest, (403, "insufficient_permissions", None)), (vec![needed], NOT_FOUND)] {
            let key = world.sendmux_key(&granted).await;
            let call = world.sendmux_with(method.clone(), &path, &key);
            assert_eq!(with_body(call, body).ask().await.error(), expected, "{method} {path} {granted:?}");
        }
    }
    for (granted, list, create) in [
        ("root:readonly", 200, 403),
        ("domain.*", 200, 201),
        ("root:provider_admin", 200, 409),
        ("root:webhook_admin", 403, 403),
    ] {
        let key = world.sendmux_key(&[granted]).await;
        assert_eq!(world.sendmux_with(Method::GET, "/domains", &key).ask().await.status, list, "{granted}");
        let call = world.sendmux_with(Method::POST, "/domains", &key).json(&json!({"domain": "acme.com"}));
        assert_eq!(call.ask().await.status, create, "{granted}");
    }
}

#[tokio::test]
async fn without_a_public_name_of_the_mail_servers_there_are_no_domains() {
    let world = World::beside(MailPlatformSettings::at("localhost", 993, 587)).await;
    let answer = world.post_domain(&json!({"domain": "acme.com"})).ask().await;
    assert_eq!(answer.error(), CONFLICT);
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("MAILMOOR__MAIL_PLATFORM__HOSTNAME"), "{message}");
    // Bad bodies come first, and nothing is kept.
    assert_eq!(world.post_domain(&json!({"domain": "not a name"})).ask().await.error().0, 400);
    assert_eq!(world.sendmux(Method::GET, "/domains").ask().await.ok(200), &json!([]));
}

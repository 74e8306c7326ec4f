//! `GET /v1/mailboxes`: what the query asks for.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::diagnosis::DnsStatus::{Fail, Pass};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::{Credentials, EmailAddress, FailureCode, LoginSecret, Password, Security, ServerEndpoint};

use super::settled::{accepted, dns, finding, refused};
use crate::client::encode;
use crate::world::{World, minimal, with};

/// A gateway with four mailboxes, different in everything.
async fn world() -> World {
    let world = World::start().await;
    let more = |name: &str, changes| with(minimal(name), &changes);
    world.add(&more("plain", json!({}))).await;
    let odd = json!({"provider": "gmail", "tags": ["north", "50% \"off\"", "süd & west"], "displayName": "Ärger 100%"});
    world.add(&more("odd", odd)).await;
    let active = world.add(&more("active", json!({"provider": "azure", "tags": ["north", "a_b"]}))).await;
    world.settle(active, accepted(None)).await;
    world.store.record_dns_check(active, dns([Pass, Pass, Pass, Fail])).await.unwrap();
    let failed = world.store.create_mailbox(world.workspace, world.owner, kept("failed")).await.unwrap().id;
    world.settle(failed, refused(finding(FailureCode::TlsCertExpired, Leg::Smtp, Stage::Tls))).await;
    world.store.record_dns_check(failed, dns([Fail, Fail, Fail, Fail])).await.unwrap();
    world
}

/// As another dialect adds it: a refusal does not delete it.
fn kept(name: &str) -> NewMailbox {
    let server = || ServerEndpoint::parse("mail.example", 465, Security::Required).unwrap();
    let login = || LoginSecret { username: name.to_owned(), password: Password::new("sesame") };
    NewMailbox {
        email_as_given: None,
        email: EmailAddress::parse(&format!("{name}@mail.example")).unwrap(),
        display_name: name.to_owned(),
        provider: ProviderLabel::Outlook,
        daily_send_limit: 15,
        signature: None,
        tags: vec![],
        smtp: server(),
        imap: server(),
        imap_guessed: false,
        credentials: Credentials { smtp: login(), imap: login() },
        on_refusal: RefusalPolicy::Keep,
    }
}

const ALL: &[&str] = &["failed", "active", "odd", "plain"];

async fn finds(rows: &[(&str, &[&str])]) {
    let world = world().await;
    for (query, expected) in rows {
        let answer = world.get(&format!("/v1/mailboxes?{query}")).await;
        let items = answer.data().as_array().unwrap();
        let names: Vec<&str> =
            items.iter().map(|item| item["email"].as_str().unwrap().split('@').next().unwrap()).collect();
        assert_eq!(&names, expected, "{query}");
        assert_eq!(answer.body["pagination"]["total"], names.len(), "{query}");
    }
}

#[tokio::test]
async fn by_status() {
    finds(&[
        ("status=inactive", &["odd", "plain"]),
        ("status=active", &["active"]),
        ("status=failed", &["failed"]),
        ("status=pending", &[]),
        ("status=error", &[]),
        ("status=warming_up", &[]),
        ("status=suspended", &[]),
        ("status=active,failed", &["failed", "active"]),
        ("status=suspended,active", &["active"]),
        ("status=", ALL),
    ])
    .await;
}

#[tokio::test]
async fn by_kind() {
    finds(&[
        ("provider=gmail", &["odd"]),
        ("provider=outlook", &["failed"]),
        ("provider=azure,custom", &["active", "plain"]),
        ("connectionType=smtp", ALL),
        ("connectionType=oauth", &[]),
        ("sendingEnabled=true", &["active"]),
        ("sendingEnabled=false", &["failed", "odd", "plain"]),
        ("sendingEnabled=FALSE", &["failed", "odd", "plain"]),
        ("nonsense=5", ALL),
    ])
    .await;
}

#[tokio::test]
async fn more_tags_than_a_query_can_hold() {
    let world = World::start().await;
    for mode in ["any", "all"] {
        let tags = |count| format!("/v1/mailboxes?tagMode={mode}&tags={}", vec!["a"; count].join(","));
        assert_eq!(world.get(&tags(100)).await.status, 200);
        let answer = world.get(&tags(10_000)).await;
        answer.is_failure(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn by_tags() {
    let percent = format!("tags={}", encode("50% \"off\""));
    let both = format!("tags=north,{}&tagMode=all", encode("süd & west"));
    finds(&[
        ("tags=north", &["active", "odd"]),
        ("tags=%20north%20,", &["active", "odd"]),
        ("tags=nort", &[]),
        ("tags=NORTH", &[]),
        ("tags=a_b", &["active"]),
        ("tags=a%25b", &[]),
        (&percent, &["odd"]),
        (&both, &["odd"]),
        ("tags=north,a_b", &["active", "odd"]),
        ("tags=north,a_b&tagMode=any", &["active", "odd"]),
        ("tags=north,a_b&tagMode=all", &["active"]),
        ("tags=north,south&tagMode=all", &[]),
        ("tagMode=all", ALL),
        ("untagged=true", &["failed", "plain"]),
        ("untagged=false", &["active", "odd"]),
        ("untagged=true&tags=north", &[]),
        ("tags=", ALL),
    ])
    .await;
}

#[tokio::test]
async fn by_search() {
    let umlaut = format!("search={}", encode("ÄRGER"));
    finds(&[
        ("search=PLAIN", &["plain"]),
        ("search=lai", &["plain"]),
        ("search=@mail.example", ALL),
        ("search=100%25", &["odd"]),
        ("search=%25", &["odd"]),
        ("search=_", &[]),
        (&umlaut, &["odd"]),
        ("search=nobody", &[]),
        ("search=", ALL),
    ])
    .await;
}

#[tokio::test]
async fn by_health() {
    finds(&[
        ("minHealthScore=75", &["active"]),
        ("minHealthScore=74.5", &["active"]),
        ("minHealthScore=76", &[]),
        ("minHealthScore=0", &["failed", "active"]),
        ("maxHealthScore=74", &["failed"]),
        ("maxHealthScore=75", &["failed", "active"]),
        ("minHealthScore=1&maxHealthScore=100", &["active"]),
        ("maxHealthScore=-1", &[]),
        ("minHealthScore=1e300", &[]),
    ])
    .await;
}

/// Warm-up, bounces and campaigns are not done here: as if every mailbox never had any.
#[tokio::test]
async fn by_what_is_not_done_here() {
    finds(&[
        ("warmupEnabled=true", &[]),
        ("warmupEnabled=false", ALL),
        ("warmupStatus=not_started", ALL),
        ("warmupStatus=in_progress", &[]),
        ("minBounceRate=0.01", &[]),
        ("minBounceRate=0", ALL),
        ("maxBounceRate=0.02", ALL),
        ("highBounceRate=true", &[]),
        ("highBounceRate=false", ALL),
        ("campaignIds=66c0ffee12ab34cd56ef7890", &[]),
        ("inActiveCampaign=true", &[]),
        ("inActiveCampaign=false", ALL),
    ])
    .await;
}

#[tokio::test]
async fn filters_add_up() {
    finds(&[
        ("status=inactive&tags=north", &["odd"]),
        ("tags=north&sendingEnabled=true&minHealthScore=50&search=act&provider=azure", &["active"]),
        ("tags=north&sendingEnabled=true&provider=gmail", &[]),
    ])
    .await;
}

#[tokio::test]
async fn questions_that_make_no_sense() {
    let world = World::start().await;
    for (query, fields) in [
        ("status=asleep", &["status"][..]),
        ("status=active,asleep", &["status"]),
        ("provider=yahoo", &["provider"]),
        ("sendingEnabled=yes", &["sendingEnabled"]),
        ("untagged=2", &["untagged"]),
        ("tagMode=some", &["tagMode"]),
        ("connectionType=pop3", &["connectionType"]),
        ("minHealthScore=high", &["minHealthScore"]),
        ("minHealthScore=NaN", &["minHealthScore"]),
        ("maxBounceRate=x", &["maxBounceRate"]),
        ("warmupEnabled=maybe", &["warmupEnabled"]),
    ] {
        let answer = world.get(&format!("/v1/mailboxes?{query}")).await;
        assert_eq!(answer.bad_fields(), fields, "{query}");
    }
    let several = world.get("/v1/mailboxes?tagMode=some&status=asleep&limit=0").await;
    let mut fields = several.bad_fields();
    fields.sort_unstable();
    assert_eq!(fields, ["limit", "status", "tagMode"]);
    let call = world.client.call(Method::GET, "/v1/mailboxes?status=asleep");
    call.send().await.is_failure(401, "UNAUTHORIZED");
}

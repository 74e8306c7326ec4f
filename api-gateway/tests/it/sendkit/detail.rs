//! One mailbox: read, change, delete.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::diagnosis::DnsStatus::{Error, Fail, Pass};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::{FailureCode, MailboxId};

use super::settled::{accepted, dns, finding};
use crate::world::{World, minimal, with};

fn path(id: MailboxId) -> String {
    format!("/v1/mailboxes/{id}")
}

fn full() -> Value {
    with(
        minimal("dana"),
        &json!({"displayName": "Dana", "signature": "<p>D</p>", "tags": ["north"], "dailySendLimit": 20}),
    )
}

#[tokio::test]
async fn it_tells_everything_but_the_secrets() {
    let world = World::start().await;
    let created = world.post("/v1/mailboxes", &full()).await;
    let id: MailboxId = created.data()["_id"].as_str().unwrap().parse().unwrap();
    let answer = world.get(&path(id)).await;
    let mut expected = created.data().clone();
    let more = json!({
        "sentToday": 0, "bounceRate": 0.0, "totalSent": 0, "totalReceived": 0, "lastError": "null",
        "warmup": {"enabled": false, "status": "not_started", "currentDay": 0, "currentVolume": 0, "metrics": {},
            "config": {"startingVolume": 0, "dailyIncrease": 0, "targetVolume": 0}},
    });
    expected = with(expected, &more);
    expected["lastError"] = Value::Null;
    assert_eq!((answer.status, answer.data()), (200, &expected));
    assert!(!answer.body.to_string().contains("sesame"));

    world.store.record_dns_check(id, dns([Pass, Fail, Error, Pass])).await.unwrap();
    let answer = world.get(&path(id)).await;
    let setup = json!({
        "healthScore": 50, "mx": {"status": "pass"}, "spf": {"status": "fail"}, "dkim": {"status": "error"},
        "dmarc": {"status": "pass"},
    });
    assert_eq!(answer.data()["setupStatus"], setup);
    assert_eq!(answer.data()["status"], "inactive", "DNS does not decide");
}

#[tokio::test]
async fn a_note_on_a_guessed_server_is_the_last_error() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    let note = finding(FailureCode::NetConnectTimeout, Leg::Imap, Stage::Connect);
    world.settle(id, accepted(Some(note))).await;
    let answer = world.get(&path(id)).await;
    assert_eq!(
        (&answer.data()["status"], &answer.data()["lastError"]),
        (&json!("active"), &json!("what to do about NET_CONNECT_TIMEOUT"))
    );
}

#[tokio::test]
async fn each_member_changes_alone() {
    let world = World::start().await;
    let id = world.add(&full()).await;
    let mut expected = world.get(&path(id)).await.data().clone();
    for (change, member, value) in [
        (json!({"displayName": "  Dana Field "}), "displayName", json!("Dana Field")),
        (json!({"displayName": " "}), "displayName", json!("Dana Field")),
        (json!({"displayName": null}), "displayName", json!("Dana Field")),
        (json!({"dailySendLimit": 900}), "dailySendLimit", json!(50)),
        (json!({"dailySendLimit": 0}), "dailySendLimit", json!(1)),
        (json!({"dailySendLimit": 7.9}), "dailySendLimit", json!(7)),
        (json!({"dailySendLimit": null}), "dailySendLimit", json!(7)),
        (json!({"signature": "<b>D</b>"}), "signature", json!("<b>D</b>")),
        (json!({"signature": ""}), "signature", json!(null)),
        (json!({"signature": "<i>D</i>"}), "signature", json!("<i>D</i>")),
        (json!({"signature": null}), "signature", json!(null)),
        (json!({"sendingEnabled": true}), "sendingEnabled", json!(true)),
        (json!({"sendingEnabled": false}), "sendingEnabled", json!(false)),
        (json!({"tags": [" south ", "south", "", "west"]}), "tags", json!(["south", "west"])),
        (json!({"tags": []}), "tags", json!([])),
        (json!({}), "tags", json!([])),
    ] {
        let answer = world.patch(&path(id), &change).await;
        expected[member] = value;
        expected["updatedAt"] = answer.data()["updatedAt"].clone();
        assert_eq!((answer.status, answer.data()), (200, &expected), "{change}");
        assert_eq!(world.get(&path(id)).await.data(), &expected);
    }
}

#[tokio::test]
async fn what_cannot_be_changed_is_ignored() {
    let world = World::start().await;
    let id = world.add(&full()).await;
    let before = world.get(&path(id)).await.body;
    let foreign = json!({
        "email": "x@mail.example", "smtp": {"host": "evil.example", "password": "x"}, "smtpHost": "evil.example",
        "imap": 5, "status": "active", "provider": "gmail", "_id": "x", "createdAt": 1,
    });
    assert_eq!(world.patch(&path(id), &foreign).await.body, before);
    let empty = world.call(Method::PATCH, &path(id)).send().await;
    assert_eq!((empty.status, empty.body), (200, before.clone()), "no body at all");
    for (change, fields) in [
        (json!({"displayName": 5}), &["displayName"][..]),
        (json!({"displayName": "a\nb"}), &["displayName"]),
        (json!({"dailySendLimit": "7"}), &["dailySendLimit"]),
        (json!({"signature": 5}), &["signature"]),
        (json!({"sendingEnabled": "yes", "tags": "north"}), &["sendingEnabled", "tags"]),
        (json!({"tags": [1], "displayName": "New"}), &["tags"]),
    ] {
        assert_eq!(world.patch(&path(id), &change).await.bad_fields(), fields, "{change}");
    }
    assert_eq!(world.get(&path(id)).await.body, before, "nothing half done");
}

#[tokio::test]
async fn deletion_is_for_good() {
    let world = World::start().await;
    let id = world.add(&full()).await;
    let answer = world.delete(&path(id)).await;
    assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": {"message": "Mailbox removed"}})));
    assert_eq!(world.usage().await, 0);
    world.delete(&path(id)).await.is_failure(404, "NOT_FOUND");
    world.get(&path(id)).await.is_failure(404, "NOT_FOUND");
    world.patch(&path(id), &json!({"displayName": "x"})).await.is_failure(404, "NOT_FOUND");
    assert_eq!(world.usage().await, 0);
    world.add(&full()).await;
}

/// Another workspace's id, an unknown one and a malformed one get the same answer.
#[tokio::test]
async fn ids_that_are_not_ours() {
    let world = World::start().await;
    let (_, stranger) = world.stranger().await;
    let mine = world.add(&full()).await;
    let unknown = MailboxId::new().to_string();
    let upper = mine.to_string().to_uppercase();
    for tail in ["", "/health", "/connection-test"] {
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            if !tail.is_empty() && method != Method::GET {
                continue;
            }
            let call = |key: &str, id: &str| {
                world.client.call_with_key(method.clone(), &format!("/v1/mailboxes/{id}{tail}"), key)
            };
            let foreign = call(&stranger, &mine.to_string()).send().await;
            foreign.is_failure(404, "NOT_FOUND");
            for id in [unknown.as_str(), "nonsense", "66c0ffee12ab34cd56ef789", "1", &upper, "%00", "%2e%2e%2f"] {
                let answer = call(&world.key, id).send().await;
                assert_eq!((answer.status, &answer.body), (404, &foreign.body), "{id}");
            }
        }
    }
    assert_eq!(world.get(&path(mine)).await.status, 200);
}

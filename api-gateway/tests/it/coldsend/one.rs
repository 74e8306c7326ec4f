//! One account: read, removed, and what is not done with it; ids.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::mailboxes::NewMailbox;
use shared_models::domain::{Security, ServerEndpoint};

use super::{ACCOUNTS, FOREIGN, faults, is_time, is_uuid, new_mailbox, text};
use crate::sendkit::settled::accepted;
use crate::world::World;

const BAD_UUID: (&str, &str) = ("value is not a valid uuid", "type_error.uuid");

#[tokio::test]
async fn everything_that_may_be_told() {
    let world = World::start().await;
    let new = NewMailbox {
        smtp: ServerEndpoint::parse("smtp.out.example", 2525, Security::Opportunistic).unwrap(),
        ..new_mailbox("kim")
    };
    world.active(new).await;
    let uuid = world.uuid_of("kim").await;
    let answer = world.cs_get(&format!("{ACCOUNTS}/{uuid}")).await;
    let mut body = answer.body.clone();
    let object = body.as_object_mut().unwrap();
    for name in ["created_at", "updated_at"] {
        assert!(is_time(&object.remove(name).unwrap()));
    }
    let expected = json!({
        "inbox_id": uuid, "email_address": "kim@out.example", "display_name": "kim", "inbox_type": "CUSTOM_SMTP",
        "daily_limit": 100, "overall_status": "ACTIVE", "smtp_host": "smtp.out.example", "smtp_port": 2525,
        "smtp_use_tls": false, "imap_host": "imap.out.example", "imap_port": 993, "imap_use_ssl": true,
        "sent_today": 0, "last_error": null,
    });
    assert_eq!((answer.status, body), (200, expected));
    assert!(is_uuid(&answer.body["inbox_id"]));
}

#[tokio::test]
async fn an_id_is_the_same_for_ever_and_in_any_spelling() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    world.active(new_mailbox("zoe")).await;
    let uuid = world.uuid_of("kim").await;
    assert_eq!(world.uuid_of("kim").await, uuid);
    assert_ne!(world.uuid_of("zoe").await, uuid);
    for spelling in
        [uuid.clone(), uuid.to_uppercase(), uuid.replace('-', ""), format!("urn:uuid:{uuid}"), format!("%7B{uuid}%7D")]
    {
        let answer = world.cs_get(&format!("{ACCOUNTS}/{spelling}")).await;
        assert_eq!((answer.status, text(&answer.body["inbox_id"])), (200, uuid.as_str()), "{spelling}");
    }
}

/// Methods and paths with an id, and its name.
fn with_ids(id: &str) -> Vec<(Method, String, &'static str)> {
    vec![
        (Method::GET, format!("{ACCOUNTS}/{id}"), "inbox_id"),
        (Method::DELETE, format!("{ACCOUNTS}/{id}"), "inbox_id"),
        (Method::POST, format!("{ACCOUNTS}/{id}/test-email"), "inbox_id"),
        (Method::GET, format!("{ACCOUNTS}/smtp/bulk/{id}/progress"), "job_id"),
        (Method::GET, format!("{ACCOUNTS}/bulk/delete/{id}/progress"), "job_id"),
    ]
}

#[tokio::test]
async fn ids_that_are_none() {
    let world = World::start().await;
    let mailbox = world.active(new_mailbox("kim")).await.to_string();
    for id in [
        "nonsense",
        &mailbox,
        "7b0f6c1e-52a4-4d0b-9c67-2a1d9be0c3f",
        "7b0f6c1e_52a4_4d0b_9c67_2a1d9be0c3f4",
        "%20",
        "ü",
    ] {
        for (method, path, name) in with_ids(id) {
            let body = json!({"recipient_email": "zoe@out.example"});
            let answer = world.coldsend(method.clone(), &path).json(&body).send().await;
            assert_eq!(faults(&answer), [(json!(["path", name]), BAD_UUID.0, BAD_UUID.1)], "{method} {path}");
        }
    }
    assert_eq!(world.usage().await, 1);
}

/// Unknown ones, those of other things and of other teams are the same.
#[tokio::test]
async fn ids_of_nothing_here() {
    let world = World::start().await;
    let (other, key) = world.other_team().await;
    world.store.create_mailbox(other, world.owner, new_mailbox("theirs")).await.unwrap();
    let theirs = world.client.call_with_key(Method::GET, ACCOUNTS, &key).send().await;
    let theirs = text(&theirs.body["sender_accounts"][0]["inbox_id"]).to_owned();
    for id in [FOREIGN, &theirs, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        for (method, path, name) in with_ids(id) {
            let body = json!({"recipient_email": "zoe@out.example"});
            let answer = world.coldsend(method.clone(), &path).json(&body).send().await;
            let text = if name == "job_id" { "Job not found" } else { "Sender account not found" };
            assert_eq!(answer.detail(), (404, text), "{method} {path}");
        }
    }
    assert_eq!(world.store.count_mailboxes(other).await.unwrap(), 1);
}

#[tokio::test]
async fn a_removed_account_is_gone() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let path = format!("{ACCOUNTS}/{}", world.uuid_of("kim").await);
    let answer = world.cs_delete(&path).await;
    let expected = json!({
        "success": true, "message": "Sender account deleted successfully",
        "inbox_id": path.rsplit('/').next().unwrap(),
    });
    assert_eq!((answer.status, answer.body), (200, expected));
    for answer in [world.cs_get(&path).await, world.cs_delete(&path).await] {
        assert_eq!(answer.detail(), (404, "Sender account not found"));
    }
    assert_eq!(world.usage().await, 0);
    let again = world.unverified(new_mailbox("kim")).await.id;
    world.settle(again, accepted(None)).await;
    assert_ne!(format!("{ACCOUNTS}/{}", world.uuid_of("kim").await), path);
}

/// Methods and paths that only other revisions of the pages offer, and some that none does.
#[tokio::test]
async fn what_is_not_offered() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let one = format!("{ACCOUNTS}/{}", world.uuid_of("kim").await);
    for (method, path, allowed) in [
        (Method::PUT, one.as_str(), "GET, DELETE"),
        (Method::PATCH, one.as_str(), "GET, DELETE"),
        (Method::POST, one.as_str(), "GET, DELETE"),
        (Method::POST, ACCOUNTS, "GET"),
        (Method::DELETE, ACCOUNTS, "GET"),
        (Method::GET, "/api/public/v1/sender-accounts/smtp", "POST"),
        (Method::DELETE, "/api/public/v1/sender-accounts/smtp", "POST"),
    ] {
        let answer = world.coldsend(method.clone(), path).json(&super::account("zoe")).undocumented().send().await;
        assert_eq!(
            (answer.detail(), &answer.headers["allow"]),
            ((405, "Method Not Allowed"), &allowed.parse().unwrap())
        );
    }
    let native = format!("{ACCOUNTS}/coldsend-native");
    for path in [native.clone(), format!("{native}/bulk"), "/api/public/v1/campaigns".to_owned()] {
        let answer =
            world.coldsend(Method::POST, &path).json(&json!({"domain_id": FOREIGN})).undocumented().send().await;
        assert_eq!(answer.detail(), (404, "Not Found"), "{path}");
    }
    assert_eq!(world.usage().await, 1);
}

//! `POST /sender-accounts/{inbox_id}/test-email`: real mail, once.

use serde_json::{Value, json};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::mailboxes::{MailboxChange, NewMailbox, ProviderLabel};
use shared_models::domain::{FailureCode, Finding};
use shared_models::events::Event;

use super::{ACCOUNTS, FOREIGN, Worker, faults, is_time, new_mailbox, places, text};
use crate::client::Answer;
use crate::sendkit::settled::{finding, wrong_password};
use crate::world::{Options, PATIENT, World};

async fn send(world: &World, local_part: &str, recipient: &str) -> Answer {
    let path = format!("{ACCOUNTS}/{}/test-email", world.uuid_of(local_part).await);
    world.cs_post(&path, &json!({"recipient_email": recipient})).await
}

/// A worker with which every message ends so.
fn sender(world: &World, end: Delivery) -> Worker {
    let (store, mut news) = (world.store.clone(), world.store.news());
    Worker(tokio::spawn(async move {
        while let Ok(event) = news.recv().await {
            if let Event::TestEmailRequested(about) = event {
                assert!(store.begin_test_email(about.test_email_id).await.unwrap().is_some());
                store.settle_test_email(about.test_email_id, end.clone()).await.unwrap();
            }
        }
    }))
}

async fn sent_today(world: &World, local_part: &str) -> Value {
    let path = format!("{ACCOUNTS}/{}", world.uuid_of(local_part).await);
    let one = world.cs_get(&path).await.body["sent_today"].clone();
    let listed = world.cs_get(&format!("{ACCOUNTS}?search={local_part}%40")).await;
    assert_eq!(listed.body["sender_accounts"][0]["sent_today"], one);
    one
}

#[tokio::test]
async fn a_message_that_was_sent() {
    let world = World::start().await;
    world.active(NewMailbox { email_as_given: Some("Kim@Out.example".to_owned()), ..new_mailbox("kim") }).await;
    let _sender = sender(&world, Delivery::Sent);
    assert_eq!(sent_today(&world, "kim").await, 0);
    let answer = send(&world, "kim", "  Zoe@Elsewhere.example ").await;
    let expected = json!({
        "success": true, "message": "Test email sent successfully", "inbox_id": world.uuid_of("kim").await,
        "inbox_email": "Kim@Out.example", "recipient_email": "Zoe@Elsewhere.example",
        "sent_at": answer.body["sent_at"], "message_id": answer.body["message_id"],
    });
    assert_eq!((answer.status, &answer.body), (200, &expected));
    assert!(is_time(&answer.body["sent_at"]));
    let id = text(&answer.body["message_id"]);
    assert!(id.starts_with('<') && id.ends_with("@out.example>"), "{id}");
    assert_eq!(sent_today(&world, "kim").await, 1);
}

#[tokio::test]
async fn a_message_that_was_not_taken() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let why = finding(FailureCode::SendRelayDenied, Leg::Smtp, Stage::Envelope);
    let why = Finding { server_reply: Some("550 5.7.1 no".to_owned()), ..why };
    let _sender = sender(&world, Delivery::NotSent(Box::new(why)));
    let text = "Test email failed: what to do about SEND_RELAY_DENIED The server said: 550 5.7.1 no";
    assert_eq!(send(&world, "kim", "zoe@out.example").await.detail(), (400, text));
    assert_eq!(sent_today(&world, "kim").await, 0);
}

/// The client must not send it again at once: the first one may still arrive.
#[tokio::test]
async fn a_message_of_which_nothing_is_known_yet() {
    let world = World::with(Options { verification_wait_ms: 0, ..PATIENT }).await;
    world.active(new_mailbox("kim")).await;
    let answer = send(&world, "kim", "zoe@out.example").await;
    let text = "It is not known yet whether the test email was sent. Look for it in the recipient's inbox before \
                you send another one: this one may still arrive.";
    assert_eq!(answer.detail(), (503, text));
    assert_eq!(answer.headers["retry-after"], "60");
}

#[tokio::test]
async fn only_an_active_account_sends() {
    let world = World::start().await;
    world.unverified(new_mailbox("pending")).await;
    let disabled = world.unverified(new_mailbox("disabled")).await.id;
    world.settle(disabled, wrong_password()).await;
    let paused = world.active(new_mailbox("paused")).await;
    let change = MailboxChange { sending_enabled: Some(false), ..Default::default() };
    world.store.change_mailbox(world.workspace, paused, change).await.unwrap();
    for name in ["pending", "disabled", "paused"] {
        let answer = send(&world, name, "zoe@out.example").await;
        assert_eq!(answer.detail(), (400, "Sender account is not active"), "{name}");
    }
}

/// The lower one of the account's own and the provider's.
#[tokio::test]
async fn no_more_than_the_daily_limit() {
    let world = World::start().await;
    world.active(NewMailbox { daily_send_limit: 2, ..new_mailbox("kim") }).await;
    world.active(NewMailbox { daily_send_limit: 2_001, provider: ProviderLabel::Gmail, ..new_mailbox("zoe") }).await;
    let _sender = sender(&world, Delivery::Sent);
    for status in [200, 200, 400] {
        assert_eq!(send(&world, "kim", "zoe@out.example").await.status, status);
    }
    let refused = send(&world, "kim", "zoe@out.example").await;
    assert_eq!(refused.detail(), (400, "Daily limit of this sender account reached"));
    assert_eq!(sent_today(&world, "kim").await, 2);
    assert_eq!(send(&world, "zoe", "kim@out.example").await.status, 200, "each has its own");
}

#[tokio::test]
async fn recipients_that_are_none() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let path = format!("{ACCOUNTS}/{}/test-email", world.uuid_of("kim").await);
    for (body, kind) in [
        (json!({}), "value_error.missing"),
        (json!({"recipient_email": null}), "type_error.none.not_allowed"),
        (json!({"recipient_email": 5}), "type_error.str"),
        (json!({"recipient_email": "a@b"}), "value_error.any_str.min_length"),
        (json!({"recipient_email": "x".repeat(256)}), "value_error.any_str.max_length"),
        (json!({"recipient_email": "nobody"}), "value_error.email"),
        (json!({"recipient_email": "zoe@out.example, kim@out.example"}), "value_error.email"),
        (json!({"recipient_email": "zoe@out.example\r\nBCC: x@y.example"}), "value_error.email"),
    ] {
        let answer = world.cs_post(&path, &body).await;
        let [(loc, _, told)] = &faults(&answer)[..] else { panic!("{answer:?}") };
        assert_eq!((loc, *told), (&json!(["body", "recipient_email"]), kind), "{body}");
    }
    assert_eq!(sent_today(&world, "kim").await, 0);
    // The path is judged with the body.
    let both = world.cs_post(&format!("{ACCOUNTS}/nonsense/test-email"), &json!({})).await;
    assert_eq!(places(&both), ["path.inbox_id", "body.recipient_email"]);
    let unknown = world.cs_post(&format!("{ACCOUNTS}/{FOREIGN}/test-email"), &json!({})).await;
    assert_eq!(places(&unknown), ["body.recipient_email"]);
}

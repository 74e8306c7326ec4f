//! `GET /v1/mailboxes/{mailboxId}/connection-test`: what a client polls after adding a mailbox.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::mailboxes::exhausted;
use shared_models::domain::{FailureCode, Finding, MailboxId};

use super::settled::{accepted, finding, refused, refused_for, wrong_password};
use crate::world::{World, minimal};

fn path(id: MailboxId) -> String {
    format!("/v1/mailboxes/{id}/connection-test")
}

#[tokio::test]
async fn pending_then_passed() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    for _ in 0..2 {
        let answer = world.get(&path(id)).await;
        assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": {"status": "pending"}})));
    }
    let depth = world.store.queue_depth(shared_models::events::VERIFIER_QUEUE).await.unwrap();
    assert_eq!(depth, (1, 0), "reading it starts nothing");
    world.settle(id, accepted(None)).await;
    let answer = world.get(&path(id)).await;
    assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": {"status": "passed"}})));
    let mailbox = world.get(&format!("/v1/mailboxes/{id}")).await;
    assert_eq!((&mailbox.data()["status"], &mailbox.data()["sendingEnabled"]), (&json!("active"), &json!(true)));
}

#[tokio::test]
async fn failed_is_still_told_when_the_mailbox_is_gone() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    let why = finding(FailureCode::AuthBadCredentials, Leg::Imap, Stage::Auth);
    world.settle(id, refused(Finding { server_reply: Some("NO [AUTHENTICATIONFAILED]".to_owned()), ..why })).await;
    let answer = world.get(&path(id)).await;
    let expected = json!({"success": true, "data": {
        "status": "failed", "error": "Authentication failed. Check username/password.", "stage": "imap",
        "code": "AUTH_BAD_CREDENTIALS", "remedy": "what to do about AUTH_BAD_CREDENTIALS",
        "serverReply": "NO [AUTHENTICATIONFAILED]",
    }});
    assert_eq!((answer.status, answer.body), (200, expected));

    world.get(&format!("/v1/mailboxes/{id}")).await.is_failure(404, "NOT_FOUND");
    world.get(&format!("/v1/mailboxes/{id}/health")).await.is_failure(404, "NOT_FOUND");
    assert_eq!(world.get("/v1/mailboxes").await.data(), &json!([]));
    assert_eq!(world.usage().await, 0);
    let again = world.add(&minimal("dana")).await;
    assert_eq!(world.get(&path(again)).await.data(), &json!({"status": "pending"}));
    assert_eq!(world.get(&path(id)).await.data()["status"], "failed");
}

/// The few texts that clients of the import know, for our many codes.
#[tokio::test]
async fn every_failure_has_one_of_the_known_texts() {
    use FailureCode as C;
    let world = World::start().await;
    let (auth, timeout, tls) =
        ("Authentication failed. Check username/password.", "Connection timed out", "TLS negotiation failed");
    let (smtp, imap) = ("Could not connect to SMTP server", "Could not connect to IMAP server");
    for (n, (code, leg, stage, text)) in [
        (C::AuthBadCredentials, Leg::Smtp, Stage::Auth, auth),
        (C::AuthAppPasswordRequired, Leg::Imap, Stage::Auth, auth),
        (C::PolicyImapDisabled, Leg::Imap, Stage::Auth, auth),
        (C::CfgFieldMissing, Leg::Smtp, Stage::Config, "Missing SMTP host or password"),
        (C::NetConnectTimeout, Leg::Smtp, Stage::Connect, timeout),
        (C::ProtoGreetingTimeout, Leg::Imap, Stage::Greeting, timeout),
        (C::TlsHandshakeTimeout, Leg::Smtp, Stage::Tls, timeout),
        (C::TlsCertExpired, Leg::Smtp, Stage::Tls, tls),
        (C::TlsNotOffered, Leg::Imap, Stage::Starttls, tls),
        (C::CfgPortTlsMismatch, Leg::Smtp, Stage::Tls, tls),
        (C::NetHostNotFound, Leg::Smtp, Stage::Resolve, smtp),
        (C::NetHostNotFound, Leg::Imap, Stage::Resolve, imap),
        (C::NetConnectRefused, Leg::Smtp, Stage::Connect, smtp),
        (C::NetTargetForbidden, Leg::Imap, Stage::Egress, imap),
        (C::ProtoUnexpected, Leg::Smtp, Stage::Greeting, smtp),
        (C::SysAttemptsExhausted, Leg::Smtp, Stage::Connect, smtp),
    ]
    .into_iter()
    .enumerate()
    {
        let id = world.add(&minimal(&format!("m{n}"))).await;
        world.settle(id, refused(finding(code, leg, stage))).await;
        let answer = world.get(&path(id)).await;
        let data = answer.data();
        assert_eq!(
            (&data["error"], &data["stage"], &data["code"]),
            (&json!(text), &json!(leg.as_str()), &json!(code.as_str()))
        );
        assert!(data.get("serverReply").is_none());
    }
}

/// When the tries are used up, the text is that of what the last one met.
#[tokio::test]
async fn the_last_of_several_tries_is_told() {
    use FailureCode as C;
    let world = World::start().await;
    for (n, (cause, leg, stage, text)) in [
        (C::NetConnectTimeout, Leg::Smtp, Stage::Connect, "Connection timed out"),
        (C::TlsStarttlsFailed, Leg::Imap, Stage::Starttls, "TLS negotiation failed"),
        (C::LimitAuthBackend, Leg::Smtp, Stage::Auth, "Could not connect to SMTP server"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = world.add(&minimal(&format!("m{n}"))).await;
        world.settle(id, refused(exhausted(finding(cause, leg, stage)))).await;
        let answer = world.get(&path(id)).await;
        let data = answer.data();
        assert_eq!(
            (&data["error"], &data["code"], &data["cause"]),
            (&json!(text), &json!("SYS_ATTEMPTS_EXHAUSTED"), &json!(cause.as_str()))
        );
    }
}

#[tokio::test]
async fn a_result_is_the_workspaces_own_and_not_for_ever() {
    let world = World::start().await;
    let (_, stranger) = world.stranger().await;
    let id = world.add(&minimal("dana")).await;
    world.settle(id, wrong_password()).await;
    let foreign = world.client.call_with_key(Method::GET, &path(id), &stranger).send().await;
    foreign.is_failure(404, "NOT_FOUND");
    let expired = world.add(&minimal("otto")).await;
    let why = finding(FailureCode::AuthBadCredentials, Leg::Smtp, Stage::Auth);
    world.settle(expired, refused_for(why, Duration::ZERO)).await;
    world.get(&path(expired)).await.is_failure(404, "NOT_FOUND");
    let deleted = world.add(&minimal("zoe")).await;
    world.delete(&format!("/v1/mailboxes/{deleted}")).await.data();
    world.get(&path(deleted)).await.is_failure(404, "NOT_FOUND");
    world.get(&path(MailboxId::new())).await.is_failure(404, "NOT_FOUND");
}

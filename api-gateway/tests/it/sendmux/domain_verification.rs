//! Verification of a domain over the wire. The DNS checker's part is played by the tests.

use reqwest::Method;
use serde_json::{Value, json};
use service_runtime::settings::MailPlatformSettings;
use shared_models::domain::sending_domains::DomainChecks;
use shared_models::events::Event;
use shared_models::store::Store;

use super::domains::COMPLETE;
use crate::client::{Answer, Call};
use crate::world::{Options, PATIENT, PLATFORM, World};

const UNAVAILABLE: (u16, &str, Option<&str>) = (503, "service_unavailable", None);

fn verify(world: &World, domain: &Value) -> Call {
    world.sendmux(Method::POST, &format!("/domains/{}/verify", domain["id"].as_str().unwrap()))
}

/// Answers the next request for a verification, as the DNS checker would; `None` = DNS is silent.
async fn checker(store: &Store, found: Option<DomainChecks>) {
    let mut news = store.news();
    loop {
        if let Event::DomainVerificationRequested(about) = news.recv().await.unwrap() {
            let job = store.domain_check_job(about.domain_id).await.unwrap().unwrap();
            match found {
                Some(checks) => drop(store.record_domain_check(job, checks).await.unwrap()),
                None => store.note_unclear_domain_check(job).await.unwrap(),
            }
            return;
        }
    }
}

async fn verified(world: &World, domain: &Value, found: Option<DomainChecks>) -> Answer {
    // The checker listens before the request is made.
    let (_, answer) = tokio::join!(biased; checker(&world.store, found), verify(world, domain).ask());
    answer
}

#[tokio::test]
async fn the_answer_is_what_was_found() {
    let mut platform = MailPlatformSettings::at(PLATFORM, 993, 587);
    platform.milter_listen = Some("127.0.0.1:0".parse().unwrap());
    let world = World::beside(platform).await;
    let domain = world.domain("acme.com", "send_receive").await;
    let nothing = DomainChecks {
        verification_txt: false,
        spf: false,
        dmarc: false,
        mx: false,
        mail_from_mx: false,
        mail_from_spf: false,
        dkim: false,
    };
    let half = DomainChecks { mail_from_spf: false, ..COMPLETE };
    let unsigned = DomainChecks { dkim: false, ..COMPLETE };
    for (found, status, [key, signed, return_path, identity, sends]) in [
        (nothing, "pending", [json!("pending"), json!(false), json!("pending"), json!("pending"), json!(false)]),
        (half, "pending", [json!("success"), json!(true), json!("pending"), json!("pending"), json!(false)]),
        (unsigned, "verified", [json!("pending"), json!(false), json!("success"), json!("success"), json!(true)]),
        (COMPLETE, "verified", [json!("success"), json!(true), json!("success"), json!("success"), json!(true)]),
        (nothing, "failed", [json!("failed"), json!(false), json!("failed"), json!("failed"), json!(false)]),
        (half, "failed", [json!("success"), json!(true), json!("failed"), json!("failed"), json!(false)]),
        (COMPLETE, "verified", [json!("success"), json!(true), json!("success"), json!("success"), json!(true)]),
    ] {
        let answer = verified(&world, &domain, Some(found)).await;
        let data = answer.ok(200);
        let expected = json!({
            "status": status,
            "checks": {
                "verification_txt": found.verification_txt, "spf": found.spf, "dmarc": found.dmarc, "mx": found.mx,
                "mail_from_mx": found.mail_from_mx, "mail_from_spf": found.mail_from_spf,
            },
            "ses_dkim_status": key, "ses_dkim_signing_enabled": signed, "ses_mail_from_status": return_path,
            "ses_identity_verification_status": identity, "ses_verified_for_sending": sends,
            "ses_identity_checked_at": data["ses_identity_checked_at"],
        });
        assert_eq!(*data, expected);
        let read = world.get_domain(domain["id"].as_str().unwrap()).await;
        let shown = read.ok(200);
        assert_eq!(shown["verification_status"], status);
        assert_eq!(shown["verified_at"].is_string(), status == "verified");
        for (name, value) in data.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("ses_")) {
            assert_eq!(shown[name], *value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_gateway_that_signs_nothing_says_so() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let answer = verified(&world, &domain, Some(COMPLETE)).await;
    let read = world.get_domain(domain["id"].as_str().unwrap()).await;
    for data in [answer.ok(200), read.ok(200)] {
        assert_eq!((&data["ses_dkim_status"], &data["ses_dkim_signing_enabled"]), (&json!("success"), &json!(false)));
    }
}

#[tokio::test]
async fn silence_is_no_result() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let before = world.get_domain(domain["id"].as_str().unwrap()).await;
    let answer = verified(&world, &domain, None).await;
    assert_eq!((answer.error(), answer.header("retry-after")), (UNAVAILABLE, "10"));
    assert_eq!(world.get_domain(domain["id"].as_str().unwrap()).await.ok(200), before.ok(200));
}

#[tokio::test]
async fn patience_ends() {
    let world = World::with(Options { verification_wait_ms: 50, ..PATIENT }).await;
    let domain = world.domain("acme.com", "send_receive").await;
    let answer = verify(&world, &domain).ask().await;
    assert_eq!((answer.error(), answer.header("retry-after")), (UNAVAILABLE, "10"));
}

#[tokio::test]
async fn what_another_team_has_is_not_verified_again() {
    let world = World::start().await;
    let domain = world.domain("acme.com", "send_receive").await;
    let (workspace, stranger) = world.sendmux_stranger().await;
    let theirs = world.sendmux_with(Method::POST, "/domains", &stranger).json(&json!({"domain": "acme.com"}));
    theirs.ask().await.ok(201);
    world.find_records_of(workspace, COMPLETE).await;

    let answer = verified(&world, &domain, Some(COMPLETE)).await;
    assert_eq!(answer.error(), (409, "conflict", None));
    let incomplete = verified(&world, &domain, Some(DomainChecks { verification_txt: false, ..COMPLETE })).await;
    assert_eq!(incomplete.ok(200)["status"], "pending", "what is missing is told first");
}

#[tokio::test]
async fn there_is_nothing_to_say_with_it() {
    let world = World::with(Options { verification_wait_ms: 50, ..PATIENT }).await;
    let domain = world.domain("acme.com", "send_receive").await;
    for body in [r#"{"force":true}"#, "[]", "{"] {
        let answer = verify(&world, &domain).raw(Some("application/json"), body).ask().await;
        assert_eq!((answer.error().0, answer.error().1), (400, "invalid_parameter"), "{body}");
    }
    for body in ["", "{}"] {
        let answer = verify(&world, &domain).raw(Some("application/json"), body).ask().await;
        assert_eq!(answer.error(), UNAVAILABLE, "{body}");
    }
    let id = world.store.list_domains(world.workspace, None, 1).await.unwrap().items[0].id;
    assert!(world.store.domain_check_job(id).await.unwrap().is_some(), "it is still to be made");
}

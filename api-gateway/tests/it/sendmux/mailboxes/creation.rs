//! `POST /mailboxes`.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::tenancy::Plan;

use super::super::{at, is_id};
use super::{CONFLICT, GIB, text};
use crate::client::members;
use crate::world::{PLATFORM, World};

const RULE: (u16, &str) = (422, "validation_error");

#[tokio::test]
async fn one_secret_is_told_in_three_views() {
    let world = World::with_acme().await;
    let answer = world.post_mailbox(&json!({"email": "Kim@ACME.example"})).await;
    let data = answer.ok(201);
    assert_eq!(members(data), ["api_key", "credential", "imap_smtp_credentials", "mailbox", "warning"]);
    assert_eq!(data["warning"], Value::Null);
    let mailbox = &data["mailbox"];
    let id = text(&mailbox["id"]);
    assert!(is_id("mbx_", id), "{id}");
    assert_eq!(answer.header("location"), at(&format!("/mailboxes/{id}")));
    let scope = json!({"type": "all", "provider_public_ids": [], "group_public_ids": []});
    assert_eq!(
        mailbox,
        &json!({
            "id": id, "email": "kim@acme.example", "display_name": null, "quota_bytes": GIB, "send_scope": scope,
            "status": "active", "created_at": mailbox["created_at"],
        })
    );
    let (api_key, credential) = (&data["api_key"], &data["credential"]);
    let (secret, public_id) = (text(&api_key["key"]), text(&api_key["public_id"]));
    assert!(secret.starts_with("smx_mbx_") && is_id("smx_", public_id), "{public_id}");
    assert_eq!((&api_key["key_prefix"], &api_key["key_suffix"]), (&json!(secret[..20]), &json!(secret[44..])));
    let login = json!({"server": PLATFORM, "imap_port": 993, "smtp_port": 587, "username": "kim@acme.example"});
    let mut views = login.clone();
    views.as_object_mut().unwrap().insert("password".to_owned(), json!(secret));
    assert_eq!(data["imap_smtp_credentials"], views);
    let mut views = login;
    views.as_object_mut().unwrap().extend([
        ("secret".to_owned(), json!(secret)),
        ("public_id".to_owned(), json!(public_id)),
        ("key_prefix".to_owned(), api_key["key_prefix"].clone()),
        ("key_suffix".to_owned(), api_key["key_suffix"].clone()),
    ]);
    assert_eq!(credential, &views);

    assert!(world.lets_in(secret).await);
    let read = world.of_mailbox(Method::GET, id, "").await;
    assert_eq!(read.ok(200), mailbox);
    assert!(!read.body.to_string().contains(&secret[20..]), "told once");
}

#[tokio::test]
async fn everything_that_can_be_said_is_kept() {
    let world = World::with_acme().await;
    let provider = {
        let body = json!({"name": "p", "smtp_host": "smtp.mail.example", "smtp_port": 587,
            "smtp_protocol": "starttls", "smtp_username": "dana", "smtp_password": "sesame"});
        text(&world.sendmux(Method::POST, "/providers").json(&body).ask().await.ok(201)["id"]).to_owned()
    };
    let scope = json!({"type": "providers", "provider_public_ids": [provider], "group_public_ids": []});
    let name = "ü".repeat(255);
    let body = json!({"email": "a.b_c+d-e%f@acme.example", "display_name": name, "quota_bytes": 50 * GIB, "send_scope": scope});
    let made = world.post_mailbox(&body).await;
    let mailbox = &made.ok(201)["mailbox"];
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(&mailbox[member], value, "{member}");
    }
    let minimal = json!({"email": "ben@acme.example", "display_name": null, "send_scope": {"type": "all"}});
    world.post_mailbox(&minimal).await.ok(201);
}

#[tokio::test]
async fn bad_bodies_are_taken_apart() {
    let world = World::with_acme().await;
    let body = json!({
        "email": 5, "display_name": "", "quota_bytes": 0, "extra": 1,
        "send_scope": {"type": "some", "provider_public_ids": ["", 5, "x".repeat(129)], "group_public_ids": null, "x": 1},
    });
    let answer = world.post_mailbox(&body).await;
    assert_eq!(answer.error(), (400, "invalid_parameter", Some("email")));
    assert_eq!(
        answer.faults(),
        [
            ("email", "invalid_type"),
            ("display_name", "too_small"),
            ("quota_bytes", "too_small"),
            ("send_scope.type", "invalid_enum_value"),
            ("send_scope.provider_public_ids.0", "too_small"),
            ("send_scope.provider_public_ids.1", "invalid_type"),
            ("send_scope.provider_public_ids.2", "too_big"),
            ("send_scope.group_public_ids", "invalid_type"),
            ("send_scope.x", "unrecognized_keys"),
            ("extra", "unrecognized_keys"),
        ]
    );
    for (body, fault) in [
        (json!({}), ("email", "invalid_type")),
        (json!({"email": "a@b"}), ("email", "too_small")),
        (json!({"email": "a".repeat(255)}), ("email", "too_big")),
        (json!({"email": "no address"}), ("email", "invalid_string")),
        (json!({"email": "kim@acme.example", "display_name": "x".repeat(256)}), ("display_name", "too_big")),
        (json!({"email": "kim@acme.example", "quota_bytes": 1.5}), ("quota_bytes", "invalid_type")),
        (json!({"email": "kim@acme.example", "send_scope": {}}), ("send_scope.type", "invalid_type")),
        (json!({"email": "kim@acme.example", "send_scope": null}), ("send_scope", "invalid_type")),
    ] {
        let answer = world.post_mailbox(&body).await;
        assert_eq!((answer.status, answer.faults()), (400, vec![fault]), "{body}");
    }
    assert_eq!(world.usage().await, 0);
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let world = World::with_acme().await;
    world.domain("pending.example", "send_receive").await;
    let scope = |scope: Value| json!({"email": "kim@acme.example", "send_scope": scope});
    let foreign = "dprov_cl00000000000000000000000";
    for (body, field) in [
        (json!({"email": "kim@pending.example"}), "email"),
        (json!({"email": "kim@elsewhere.example"}), "email"),
        (json!({"email": "mailer-daemon@acme.example"}), "email"),
        (json!({"email": "o'neil@acme.example"}), "email"),
        (json!({"email": "kim@acme.example", "quota_bytes": GIB + 1}), "quota_bytes"),
        (json!({"email": "kim@acme.example", "display_name": "Kim\nBcc: x"}), "display_name"),
        (scope(json!({"type": "providers", "provider_public_ids": [foreign]})), "send_scope.provider_public_ids.0"),
        (scope(json!({"type": "providers"})), "send_scope.provider_public_ids"),
        (scope(json!({"type": "group", "group_public_ids": ["g"]})), "send_scope.group_public_ids.0"),
        (scope(json!({"type": "group"})), "send_scope.group_public_ids"),
        (scope(json!({"type": "all", "provider_public_ids": [foreign]})), "send_scope.provider_public_ids"),
    ] {
        let answer = world.post_mailbox(&body).await;
        let (status, code, param) = answer.error();
        assert_eq!(((status, code), param), (RULE, Some(field)), "{body}");
    }
    let body = json!({
        "email": "kim@elsewhere.example", "display_name": "a\nb", "quota_bytes": 7,
        "send_scope": {"type": "providers", "provider_public_ids": [foreign, "x"], "group_public_ids": ["g"]},
    });
    let faults = [
        ("email", "custom"),
        ("display_name", "custom"),
        ("quota_bytes", "custom"),
        ("send_scope.provider_public_ids.0", "custom"),
        ("send_scope.provider_public_ids.1", "custom"),
        ("send_scope.group_public_ids", "custom"),
    ];
    assert_eq!(world.post_mailbox(&body).await.faults(), faults);
    assert_eq!(world.usage().await, 0);
}

/// Whatever can be added as a domain can have mailboxes.
#[tokio::test]
async fn unusual_domains_have_mailboxes_too() {
    let world = World::start().await;
    for name in ["ab--cd.example", "bücher.example", "r3---sn.mail.example"] {
        world.receiving(name).await;
        world.mailbox(&format!("kim@{name}")).await;
    }
}

#[tokio::test]
async fn what_is_taken_or_full_is_a_conflict() {
    let world = World::with_acme().await;
    world.mailbox("kim@acme.example").await;
    assert_eq!(world.post_mailbox(&json!({"email": "KIM@acme.example"})).await.error(), CONFLICT);
    let plan = Plan { subscription_active: true, max_mailboxes: Some(1) };
    world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    // Both come before what else is wrong with a request.
    let groups = json!({"type": "group", "group_public_ids": ["g"]});
    for (email, expected) in [("kim@acme.example", CONFLICT), ("ben@acme.example", (409, "limit_exceeded", None))] {
        for body in [
            json!({"email": email, "quota_bytes": 7}),
            json!({"email": email, "display_name": "a\nb"}),
            json!({"email": email, "send_scope": groups}),
        ] {
            assert_eq!(world.post_mailbox(&body).await.error(), expected, "{body}");
        }
    }
    assert_eq!(world.usage().await, 1);
}

#[tokio::test]
async fn a_repetition_gets_the_same_secret() {
    let world = World::with_acme().await;
    let post = async |email: &str| {
        let call = world.sendmux(Method::POST, "/mailboxes").header("Idempotency-Key", "once");
        call.json(&json!({"email": email})).ask().await
    };
    let first = post("kim@acme.example").await;
    let again = post("kim@acme.example").await;
    assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
    assert!(world.lets_in(text(&first.ok(201)["credential"]["secret"])).await);
    assert_eq!(post("ben@acme.example").await.error(), (409, "idempotency_conflict", None));
    assert_eq!(world.usage().await, 1);
}

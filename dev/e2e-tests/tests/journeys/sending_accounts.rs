//! A customer of Sendmux adds SMTP accounts of a real server; their logins are tried by the verifier, once for
//! each password.

use e2e_tests::{Client, Plan, eventually};
use mail_lab::scripted::{Listener, Protocol};
use mail_lab::{Dovecot, DovecotOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;

const DANA: &str = "dana@example.test";
const PASSWORD: &str = "Pl4ntedGoodZq7w";
const WRONG: &str = "Pl4ntedWrongZq7w";

fn account(dovecot: &Dovecot, listener: Listener, protocol: &str, password: &str) -> Value {
    let address = dovecot.addr(listener);
    json!({"name": "main", "smtp_host": address.ip().to_string(), "smtp_port": address.port(),
           "smtp_protocol": protocol, "smtp_username": DANA, "smtp_password": password})
}

async fn add(api: &Client, body: &Value) -> String {
    let reply = api.post("/api/v1/providers", body).await;
    assert_eq!((reply.status, &reply.body["data"]["status"]), (201, &json!("pending")), "{}", reply.text);
    reply.body["data"]["id"].as_str().unwrap().to_owned()
}

async fn becomes(api: &Client, id: &str, status: &str) -> Value {
    eventually(status, async || {
        let reply = api.get(&format!("/api/v1/providers/{id}")).await;
        if reply.body["data"]["status"] == status { Ok(reply.body["data"].clone()) } else { Err(reply.text) }
    })
    .await
}

async fn test(api: &Client, id: &str) -> Value {
    let reply = api.send(api.request(Method::POST, &format!("/api/v1/providers/{id}/test"))).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_tried_when_it_is_added_and_when_it_is_changed() {
    let dovecot = Dovecot::start(DovecotOptions::users(&[(DANA, PASSWORD)])).unwrap();
    let system = setup().start().await;
    let api = system.sendmux(&system.tenant(Plan::Unlimited).await).await;
    for (listener, protocol) in [(Listener::SmtpStarttls, "starttls"), (Listener::SmtpImplicit, "ssl")] {
        let id = add(&api, &account(&dovecot, listener, protocol, PASSWORD)).await;
        let active = becomes(&api, &id, "active").await;
        assert_eq!((&active["status_reason"], &active["is_active"]), (&json!(null), &json!(true)));
        assert_eq!(test(&api, &id).await["success"], true);
    }
    dovecot.wait_login_log(|log| log.accepted(Protocol::Smtp, DANA) == 4).await;

    let id = add(&api, &account(&dovecot, Listener::SmtpStarttls, "tls", WRONG)).await;
    let refused = becomes(&api, &id, "error").await;
    let reason = refused["status_reason"].as_str().unwrap();
    assert!(reason.contains("password"), "{reason}");
    for _ in 0..3 {
        let result = test(&api, &id).await;
        assert_eq!((&result["success"], &result["latency_ms"]), (&json!(false), &json!(0)), "{result}");
        assert!(result["message"].as_str().unwrap().starts_with(reason), "{result}");
    }
    dovecot.wait_login_log(|log| log.refused(DANA) == 1).await;
    let path = format!("/api/v1/providers/{id}");
    let changed = api.patch(&path, &json!({"smtp_password": PASSWORD})).await;
    assert_eq!(changed.body["data"]["status"], "pending", "{}", changed.text);
    becomes(&api, &id, "active").await;
    assert_eq!(dovecot.login_log().refused(DANA), 1, "shown once");

    for (place, content) in system.traces() {
        for secret in [PASSWORD, WRONG] {
            assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()), "in {place}");
        }
    }
}

//! A customer is notified over HTTPS. Here one of Sendmux: what their server does not take comes
//! again, also after the system was killed.

mod sendkit;

use e2e_tests::{Answer, Client, Deployment, Plan, Receiver, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;

async fn sendmux(system: &Deployment) -> Client {
    let tenant = system.tenant(Plan::Unlimited).await;
    let made = system.admin(&["key", "create", "--kind", "sendmux-root", "--workspace", &tenant.workspace]).await;
    system.anonymous().with_header("Authorization", &format!("Bearer {}", made["key"].as_str().unwrap()))
}

async fn log_of(api: &Client, id: &str) -> Vec<Value> {
    let reply = api.get(&format!("/api/v1/webhooks/{id}/deliveries")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_comes_again_after_a_kill() {
    let mut receiver = Receiver::start().await;
    receiver.answers(Answer::Refuse);
    let mut system = setup().with("MAILMOOR__WEBHOOKS__RETRY_SECONDS", "3, 3, 3, 3, 3, 3, 3").start().await;
    let api = sendmux(&system).await;
    let body = json!({"url": receiver.url, "event_types": ["sendmux.test"]});
    let created = api.post("/api/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.body["data"]["id"].as_str().unwrap();
    let test = api.send(api.request(Method::POST, &format!("/api/v1/webhooks/{id}/test"))).await.unwrap();
    let event = test.body["data"]["event_id"].as_str().unwrap_or_else(|| panic!("{}", test.text));
    let first = receiver.post().await;
    assert_eq!(first.header("x-sendmux-delivery-attempt"), "1");
    eventually("the first try in the log", async || {
        let log = log_of(&api, id).await;
        if log.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
    system.kill9().await;
    receiver.answers(Answer::Accept);
    system.restart().await;
    let second = receiver.post().await;
    assert_eq!((second.header("x-sendmux-event-id"), second.header("x-sendmux-delivery-attempt")), (event, "2"));
    let log = eventually("the second try in the log", async || {
        let log = log_of(&api, id).await;
        if log.len() == 2 { Ok(log) } else { Err(format!("{log:?}")) }
    })
    .await;
    let told = |index: usize| (&log[index]["result"], &log[index]["delivery_attempt"], &log[index]["response_status"]);
    assert_eq!(told(0), (&json!("success"), &json!(2), &json!(204)));
    assert_eq!(told(1), (&json!("failed"), &json!(1), &json!(500)));
}

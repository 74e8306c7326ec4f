//! `POST /providers/{id}/test`.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::sending_accounts::TestOutcome;

use crate::world::{Options, PATIENT, World};

fn refused() -> TestOutcome {
    TestOutcome::Refused { reason: "Wrong password.".to_owned(), of_password: true }
}

#[tokio::test]
async fn a_good_login_makes_a_provider_active() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    assert_eq!(world.get_provider(&id).await["status"], "pending");
    let _verifier = world.provider_verifier(TestOutcome::Accepted);
    // The verifier subscribed after the first test was requested. The next request joins that test without a new event,
    // so the test is settled by hand.
    let asked = async { world.bid_provider(&id, "test").await };
    let made = async {
        let (test, begun) = loop {
            let test = world.store.request_login_test(world.workspace, decoded(&world).await).await.unwrap();
            if let Some(begun) = world.store.begin_login_test(test.id).await.unwrap() {
                break (test.id, begun);
            }
        };
        assert_eq!(begun.secret.password.expose(), "sesame");
        world.store.settle_login_test(test, TestOutcome::Accepted, 12).await.unwrap();
    };
    let (answer, ()) = tokio::join!(asked, made);
    let result = answer.ok(200);
    assert_eq!((&result["success"], &result["latency_ms"]), (&json!(true), &json!(12)));
    let provider = world.get_provider(&id).await;
    assert_eq!((&provider["status"], &provider["last_tested_at"]), (&json!("active"), &result["tested_at"]));
    // The next one is a test of its own.
    assert_eq!(world.bid_provider(&id, "test").await.ok(200)["success"], true);
}

async fn decoded(world: &World) -> shared_models::domain::SendingAccountId {
    world.store.sending_account_ids(world.workspace).await.unwrap()[0]
}

#[tokio::test]
async fn a_refused_login_is_an_answer_and_remembered() {
    let world = World::start().await;
    let verifier = world.provider_verifier(refused());
    let id = world.add_provider("x").await;
    world.until_status(&id, "error").await;
    verifier.abort();
    // Nobody works any more, and nobody has to.
    for _ in 0..2 {
        let answer = world.bid_provider(&id, "test").await;
        let result = answer.ok(200);
        assert_eq!((&result["success"], &result["latency_ms"]), (&json!(false), &json!(0)));
        assert!(result["message"].as_str().unwrap().starts_with("Wrong password."), "{result}");
        assert_eq!(result["tested_at"], world.get_provider(&id).await["last_tested_at"]);
    }
}

#[tokio::test]
async fn a_fault_that_passes_leaves_the_status_alone() {
    let world = World::start().await;
    let verifier = world.provider_verifier(TestOutcome::Accepted);
    let id = world.add_provider("x").await;
    world.until_status(&id, "active").await;
    verifier.abort();
    let _verifier = world.provider_verifier(TestOutcome::Unclear("The server is busy.".to_owned()));
    let answer = world.bid_provider(&id, "test").await;
    let result = answer.ok(200);
    assert_eq!((&result["success"], &result["message"]), (&json!(false), &json!("The server is busy.")));
    assert_eq!(world.get_provider(&id).await["status"], "active");
}

#[tokio::test]
async fn without_a_verifier_it_is_unavailable_for_now() {
    let world = World::with(Options { verification_wait_ms: 50, ..PATIENT }).await;
    let id = world.add_provider("x").await;
    let answer = world.bid_provider(&id, "test").await;
    assert_eq!(answer.error(), (503, "service_unavailable", None));
    // A request that got no result may be repeated under its key.
    let path = format!("/providers/{id}/test");
    let keyed = async || world.sendmux(Method::POST, &path).header("Idempotency-Key", "k").ask().await;
    assert_eq!(keyed().await.status, 503);
    let store = &world.store;
    let test = store.request_login_test(world.workspace, decoded(&world).await).await.unwrap().id;
    assert!(store.begin_login_test(test).await.unwrap().is_some());
    store.settle_login_test(test, refused(), 3).await.unwrap();
    let first = keyed().await;
    assert_eq!(first.ok(200)["success"], false);
    assert_eq!(keyed().await.body, first.body);
}

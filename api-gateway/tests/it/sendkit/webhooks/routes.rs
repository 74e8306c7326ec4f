//! Whose webhooks they are.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::webhooks::WebhookDialect;

use super::body;
use crate::client::Answer;
use crate::webhooks::Receiver;
use crate::world::World;

const URL: &str = "https://hooks.example/in";

/// Every route about one webhook.
const ROUTES: [(&str, &str); 6] =
    [("GET", ""), ("PATCH", ""), ("POST", "/rotate-secret"), ("POST", "/test"), ("GET", "/deliveries"), ("DELETE", "")];

async fn ask(world: &World, key: &str, name: &str, path: &str) -> Answer {
    let call = world.client.call_with_key(Method::from_bytes(name.as_bytes()).unwrap(), path, key);
    let call = if name == "PATCH" { call.json(&json!({"name": "mine"})) } else { call };
    call.send().await
}

async fn sendmux(world: &World, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let call = world.client.call(method, &format!("/api/v1{path}"));
    let call = call.header("Authorization", &format!("Bearer {}", world.sendmux_key));
    body.into_iter().fold(call, |call, body| call.json(body)).send().await
}

#[tokio::test]
async fn what_belongs_to_others_is_unknown() {
    let world = World::start().await;
    let (id, _) = world.add_hook(&body(URL)).await;
    let (_, stranger) = world.stranger().await;
    let second = world.store.create_workspace(world.owner, "second").await.unwrap().id;
    let sibling = world.make_key("sendkit-workspace", world.owner, Some(second)).await;
    for (name, path) in ROUTES {
        for (key, id) in [
            (&stranger, id.as_str()),
            (&sibling, id.as_str()),
            (&world.key, "66c0ffee12ab34cd56ef7890"),
            (&world.key, "x"),
        ] {
            let answer = ask(&world, key, name, &format!("/v1/webhooks/{id}{path}")).await;
            assert_eq!(answer.failure(), (404, "NOT_FOUND", "Webhook not found"), "{name} {path}");
        }
    }
    let theirs = world.client.call_with_key(Method::GET, "/v1/webhooks", &stranger).send().await;
    assert_eq!((theirs.data(), &theirs.body["pagination"]["total"]), (&json!([]), &json!(0)));
    assert_eq!(world.hook(&id).await["name"], "n");
    for (name, path) in ROUTES {
        assert_eq!(
            ask(&world, &world.key, name, &format!("/v1/webhooks/{id}{path}")).await.status,
            200,
            "{name} {path}"
        );
    }
}

fn sendmux_webhooks() -> WebhookDialect {
    let words = dialects::webhook_words(dialects::DIALECTS);
    words.iter().map(|words| words.dialect()).find(|dialect| dialect.name == "sendmux").unwrap()
}

#[tokio::test]
async fn dialects_do_not_see_each_others_webhooks() {
    let world = World::start().await;
    let (ours, _) = world.add_hook(&body(URL)).await;
    let made = json!({"url": URL, "event_types": ["sendmux.test"]});
    let made = sendmux(&world, Method::POST, "/webhooks", Some(&made)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let public_id = made.body["data"]["id"].as_str().unwrap().to_owned();
    let listed = sendmux(&world, Method::GET, "/webhooks", None).await.body["data"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(public_id)));
    let listed = world.get("/v1/webhooks").await;
    assert_eq!((listed.data()[0]["_id"].as_str(), &listed.body["pagination"]["total"]), (Some(&*ours), &json!(1)));
    // The stored id of Sendmux's, which SendKit would spell as it is.
    let all = shared_models::store::WebhookQuery { limit: 9, ..Default::default() };
    let dialect = sendmux_webhooks();
    let theirs = world.store.list_webhooks(world.workspace, dialect, all).await.unwrap().0[0].id;
    for (name, path) in ROUTES {
        ask(&world, &world.key, name, &format!("/v1/webhooks/{theirs}{path}")).await.is_failure(404, "NOT_FOUND");
    }
    let still = sendmux(&world, Method::GET, &format!("/webhooks/{public_id}"), None).await;
    assert_eq!(still.status, 200);
}

#[tokio::test]
async fn a_platform_key_names_the_workspace() {
    let world = World::start().await;
    let ask = |workspace: Option<String>| {
        let call = world.platform(Method::POST, "/v1/webhooks").json(&body(URL));
        workspace.into_iter().fold(call, |call, id| call.header("X-Workspace-Id", &id)).send()
    };
    assert_eq!(ask(None).await.bad_fields(), ["X-Workspace-Id"]);
    let (foreign, _) = world.stranger().await;
    ask(Some(foreign.to_string())).await.is_failure(403, "FORBIDDEN");
    let made = ask(Some(world.workspace.to_string())).await;
    let expected = (&json!(world.workspace), &json!(world.owner));
    assert_eq!((&made.data()["workspaceId"], &made.data()["createdBy"]), expected);
}

#[tokio::test]
async fn bodies_have_to_be_json_objects() {
    let world = World::start().await;
    let (id, _) = world.add_hook(&body(URL)).await;
    for (method, path) in [(Method::POST, "/v1/webhooks".to_owned()), (Method::PATCH, format!("/v1/webhooks/{id}"))] {
        let send = |kind: &'static str, text: String| world.call(method.clone(), &path).raw(Some(kind), text).send();
        send("text/plain", "{}".to_owned()).await.is_failure(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(send("application/json", "[]".to_owned()).await.failure().0, 400);
        assert_eq!(send("application/json", "{".to_owned()).await.bad_fields(), ["body"]);
        let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(300 * 1024));
        send("application/json", large).await.is_failure(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_closed_workspace_is_told_nothing() {
    let world = World::start().await;
    let mut receiver = Receiver::start().await;
    let (id, _) = world.add_hook(&body(&receiver.url())).await;
    world.test_hook(&id).await;
    world.store.delete_workspace(world.workspace).await.unwrap();
    let _deliveries = world.start_deliveries("60", None);
    let queue = shared_models::events::WEBHOOK_QUEUE;
    let drained = async {
        while world.store.queue_depth(queue).await.unwrap() != (0, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), drained).await.expect("the event stays");
    assert!(receiver.is_quiet());
}

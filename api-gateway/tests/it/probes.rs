//! Routes for orchestrators and tools, such as `/healthz`. These paths belong to no dialect.

use serde_json::{Value, json};

use crate::world::World;

async fn fetch(world: &World, path: &str) -> (u16, Value) {
    let response = reqwest::get(world.client.url(path)).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn alive_and_ready() {
    let world = World::start().await;
    assert_eq!(fetch(&world, "/healthz").await, (200, json!({"status": "ok"})));
    let ready = json!({"status": "ready", "database": "up", "broker": "up"});
    assert_eq!(fetch(&world, "/readyz").await, (200, ready));
}

#[tokio::test]
async fn elsewhere_there_is_nothing() {
    let world = World::start().await;
    for path in ["/", "/v2/mailboxes", "/healthz/x"] {
        let (status, body) = fetch(&world, path).await;
        assert_eq!((status, body["error"].is_string()), (404, true), "{path}");
    }
}

//! Permissions of the webhook routes, and the requests that all of them refuse.

use reqwest::Method;
use serde_json::json;

use super::body;
use crate::webhooks::Receiver;
use crate::world::World;

/// Each route with its permission; `{id}` stands for a webhook, `{delivery}` for a delivery to it.
const ROUTES: [(&str, &str, &str); 9] = [
    ("POST", "/webhooks", "webhook.create"),
    ("GET", "/webhooks", "webhook.read"),
    ("GET", "/webhooks/{id}", "webhook.read"),
    ("PATCH", "/webhooks/{id}", "webhook.update"),
    ("POST", "/webhooks/{id}/rotate-secret", "webhook.manage"),
    ("POST", "/webhooks/{id}/test", "webhook.manage"),
    ("GET", "/webhooks/{id}/deliveries", "webhook.read"),
    ("GET", "/webhooks/{id}/deliveries/{delivery}/payload", "webhook.read"),
    ("DELETE", "/webhooks/{id}", "webhook.delete"),
];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

/// Adds a webhook and delivers a test event to it. Returns its id and the delivery's.
async fn told(world: &World) -> (String, String) {
    let mut receiver = Receiver::start().await;
    let _deliveries = world.start_deliveries("60", None);
    let (id, _) = world.add_webhook(&receiver.url()).await;
    world.test_webhook(&id).await;
    receiver.post().await;
    let log = world.until_log(&id, |log| !log.is_empty()).await;
    (id, log[0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_route_has_its_permission() {
    let world = World::start().await;
    let (id, delivery) = told(&world).await;
    for (name, path, permission) in ROUTES {
        let path = path.replace("{id}", &id).replace("{delivery}", &delivery);
        let all =
            ["webhook.read", "webhook.create", "webhook.update", "webhook.delete", "webhook.manage", "provider.*"];
        let others: Vec<&str> = all.into_iter().filter(|other| *other != permission).collect();
        let ask = async |key: &str| {
            let call = world.sendmux_with(method(name), &path, key);
            let call = match (name, path.as_str()) {
                ("POST", "/webhooks") => call.json(&body("https://hooks.example")),
                ("PATCH", _) => call.json(&json!({})),
                _ => call,
            };
            call.ask().await
        };
        let refused = ask(&world.sendmux_key(&others).await).await;
        assert_eq!(refused.error(), (403, "insufficient_permissions", None), "{name} {path}");
        let allowed = ask(&world.sendmux_key(&[permission]).await).await;
        assert_eq!(allowed.status, if path == "/webhooks" && name == "POST" { 201 } else { 200 }, "{allowed:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_others_is_unknown() {
    let world = World::start().await;
    let (id, delivery) = told(&world).await;
    let (other, _) = world.add_webhook("https://hooks.example").await;
    let (_, stranger) = world.sendmux_stranger().await;
    for (name, path, _) in ROUTES.into_iter().filter(|(_, path, _)| path.contains("{id}")) {
        for (key, id, delivery) in [
            (&stranger, id.as_str(), delivery.as_str()),
            (&world.sendmux_key, "whk_x", delivery.as_str()),
            (&world.sendmux_key, &id.replacen("whk_", "mbx_", 1), delivery.as_str()),
        ] {
            let path = path.replace("{id}", id).replace("{delivery}", delivery);
            let call = world.sendmux_with(method(name), &path, key);
            let call = if name == "PATCH" { call.json(&json!({"name": "mine"})) } else { call };
            assert_eq!(call.ask().await.error(), (404, "not_found", None), "{name} {path}");
        }
    }
    for (id, delivery) in [(&other, delivery.as_str()), (&id, "whda_x")] {
        let path = format!("/webhooks/{id}/deliveries/{delivery}/payload");
        assert_eq!(world.sendmux(Method::GET, &path).ask().await.error(), (404, "not_found", None));
    }
    let theirs = world.sendmux_with(Method::GET, "/webhooks", &stranger).ask().await;
    assert_eq!(*theirs.ok(200), json!([]));
}

#[tokio::test]
async fn other_methods_and_bodies_are_refused() {
    let world = World::start().await;
    let (id, _) = world.add_webhook("https://hooks.example").await;
    for (name, path, allowed) in [
        ("PUT", "/webhooks", "GET, POST"),
        ("POST", "/webhooks/{id}", "GET, PATCH, DELETE"),
        ("GET", "/webhooks/{id}/test", "POST"),
        ("DELETE", "/webhooks/{id}/deliveries", "GET"),
    ] {
        let path = path.replace("{id}", &id);
        let answer = world.sendmux(method(name), &path).undocumented().ask().await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{name} {path}");
    }
    for what in ["test", "rotate-secret"] {
        let call = world.sendmux(Method::POST, &format!("/webhooks/{id}/{what}")).json(&json!({"x": 1}));
        assert_eq!(call.ask().await.faults(), [("x", "unrecognized_keys")]);
    }
}

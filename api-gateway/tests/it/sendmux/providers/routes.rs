//! Permissions of the provider routes, and the requests that all of them refuse.

use reqwest::Method;
use serde_json::json;

use super::minimal;
use crate::world::World;

/// Each route with its permission; `{id}` stands for a provider.
const ROUTES: [(&str, &str, &str); 12] = [
    ("POST", "/providers", "provider.create"),
    ("GET", "/providers", "provider.read"),
    ("GET", "/providers/{id}", "provider.read"),
    ("PATCH", "/providers/{id}", "provider.update"),
    ("POST", "/providers/{id}/activate", "provider.update"),
    ("POST", "/providers/{id}/deactivate", "provider.update"),
    ("POST", "/providers/{id}/test", "provider.update"),
    ("GET", "/providers/limits", "provider.read"),
    ("GET", "/providers/stats", "provider.read"),
    ("GET", "/providers/usage", "provider.read"),
    ("POST", "/providers/limits/sending-accounts/request-increase", "provider.create"),
    ("DELETE", "/providers/{id}", "provider.delete"),
];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

#[tokio::test]
async fn each_route_has_its_permission() {
    let world = World::start().await;
    let _verifier = world.provider_verifier(shared_models::domain::sending_accounts::TestOutcome::Accepted);
    let id = world.add_provider("x").await;
    for (name, path, permission) in ROUTES {
        let path = path.replace("{id}", &id);
        let others: Vec<&str> = ["provider.read", "provider.create", "provider.update", "provider.delete", "webhook.*"]
            .into_iter()
            .filter(|other| *other != permission)
            .collect();
        let ask = async |key: &str| {
            let call = world.sendmux_with(method(name), &path, key);
            let call = match (name, path.as_str()) {
                ("POST", "/providers") => call.json(&minimal("y")),
                ("PATCH", _) => call.json(&json!({})),
                _ => call,
            };
            call.ask().await
        };
        let refused = ask(&world.sendmux_key(&others).await).await;
        assert_eq!(refused.error(), (403, "insufficient_permissions", None), "{name} {path}");
        let allowed = ask(&world.sendmux_key(&[permission]).await).await;
        // Nothing is near its limit, so an increase breaks a rule.
        let expected = if path.ends_with("request-increase") { 422 } else { 200 };
        assert_eq!(allowed.status, if path == "/providers" && name == "POST" { 201 } else { expected }, "{allowed:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_others_is_unknown() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    let (_, stranger) = world.sendmux_stranger().await;
    let altered = format!("{}{}", &id[..id.len() - 1], if id.ends_with('0') { '1' } else { '0' });
    let other_kind = id.replacen("dprov_", "mbx_", 1);
    for (name, path, _) in ROUTES.into_iter().filter(|(_, path, _)| path.contains("{id}")) {
        for (key, id) in [
            (&stranger, id.as_str()),
            (&world.sendmux_key, altered.as_str()),
            (&world.sendmux_key, other_kind.as_str()),
            (&world.sendmux_key, "dprov_x"),
        ] {
            let call = world.sendmux_with(method(name), &path.replace("{id}", id), key);
            let call = if name == "PATCH" { call.json(&json!({"name": "mine"})) } else { call };
            assert_eq!(call.ask().await.error(), (404, "not_found", None), "{name} {path} {id}");
        }
    }
    assert_eq!(world.get_provider(&id).await["name"], "x");
    let theirs = world.sendmux_with(Method::GET, "/providers", &stranger).ask().await;
    assert_eq!(*theirs.ok(200), json!([]));
    let stats = world.sendmux_with(Method::GET, "/providers/stats", &stranger).ask().await;
    assert_eq!(stats.ok(200)["total"], 0);
}

#[tokio::test]
async fn posts_without_a_body_take_none() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    let _verifier = world.provider_verifier(shared_models::domain::sending_accounts::TestOutcome::Accepted);
    for what in ["activate", "deactivate"] {
        let path = format!("/providers/{id}/{what}");
        let post = |body: &'static str| world.sendmux(Method::POST, &path).raw(Some("application/json"), body);
        for fine in ["", "{}"] {
            assert_eq!(post(fine).ask().await.status, 200, "{what} {fine}");
        }
        let refused = post(r#"{"x":1}"#).ask().await;
        assert_eq!(refused.faults(), [("x", "unrecognized_keys")]);
        assert_eq!(post("[]").ask().await.status, 400);
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let world = World::start().await;
    let id = world.add_provider("x").await;
    for (name, path, allowed) in [
        ("DELETE", "/providers", "GET, POST"),
        ("PUT", "/providers/{id}", "GET, PATCH, DELETE"),
        ("POST", "/providers/limits", "GET"),
        ("GET", "/providers/{id}/test", "POST"),
    ] {
        let path = path.replace("{id}", &id);
        let answer = world.sendmux(method(name), &path).undocumented().ask().await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{name} {path}");
    }
}

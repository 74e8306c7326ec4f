//! Permissions of keys: every route with every permission and role.

use reqwest::Method;

use super::at;
use crate::document::Dialect;
use crate::world::{Options, PATIENT, World};

/// Every route and the permission that it needs.
const ROUTES: [(&str, &str, &str); 43] = [
    ("GET", "/me", ""),
    ("POST", "/mailboxes", "mailbox.admin.create"),
    ("GET", "/mailboxes", "mailbox.admin.read"),
    ("GET", "/mailboxes/availability", "mailbox.admin.create"),
    ("GET", "/mailboxes/{id}", "mailbox.admin.read"),
    ("PATCH", "/mailboxes/{id}", "mailbox.admin.manage"),
    ("DELETE", "/mailboxes/{id}", "mailbox.admin.delete"),
    ("POST", "/mailboxes/{id}/suspend", "mailbox.admin.manage"),
    ("POST", "/mailboxes/{id}/resume", "mailbox.admin.manage"),
    ("POST", "/mailboxes/{id}/keys", "mailbox.admin.manage"),
    ("DELETE", "/mailboxes/{id}/keys/{key_id}", "mailbox.admin.manage"),
    ("GET", "/mailboxes/{id}/filters", "mailbox.admin.read"),
    ("PUT", "/mailboxes/{id}/filters", "mailbox.admin.manage"),
    ("POST", "/domains", "domain.create"),
    ("GET", "/domains", "domain.read"),
    ("GET", "/domains/{id}", "domain.read"),
    ("PATCH", "/domains/{id}", "domain.create"),
    ("DELETE", "/domains/{id}", "domain.delete"),
    ("POST", "/domains/{id}/verify", "domain.verify"),
    ("GET", "/domains/{id}/zone-file", "domain.read"),
    ("GET", "/domains/{id}/filters", "domain.read"),
    ("PUT", "/domains/{id}/filters", "domain.create"),
    ("POST", "/providers", "provider.create"),
    ("GET", "/providers", "provider.read"),
    ("GET", "/providers/limits", "provider.read"),
    ("GET", "/providers/stats", "provider.read"),
    ("GET", "/providers/usage", "provider.read"),
    ("POST", "/providers/limits/sending-accounts/request-increase", "provider.create"),
    ("GET", "/providers/{id}", "provider.read"),
    ("PATCH", "/providers/{id}", "provider.update"),
    ("DELETE", "/providers/{id}", "provider.delete"),
    ("POST", "/providers/{id}/activate", "provider.update"),
    ("POST", "/providers/{id}/deactivate", "provider.update"),
    ("POST", "/providers/{id}/test", "provider.update"),
    ("POST", "/webhooks", "webhook.create"),
    ("GET", "/webhooks", "webhook.read"),
    ("GET", "/webhooks/{id}", "webhook.read"),
    ("PATCH", "/webhooks/{id}", "webhook.update"),
    ("DELETE", "/webhooks/{id}", "webhook.delete"),
    ("POST", "/webhooks/{id}/rotate-secret", "webhook.manage"),
    ("POST", "/webhooks/{id}/test", "webhook.manage"),
    ("GET", "/webhooks/{id}/deliveries", "webhook.read"),
    ("GET", "/webhooks/{id}/deliveries/{delivery_id}/payload", "webhook.read"),
];

/// A permission or role, and a predicate that is true for the permissions it covers.
type Grant = (&'static str, Box<dyn Fn(&str) -> bool>);

fn grant(name: &'static str, covers: impl Fn(&str) -> bool + 'static) -> Grant {
    (name, Box::new(covers))
}

fn roles() -> [Grant; 4] {
    [
        grant("root:full", |_| true),
        grant("root:readonly", |needed| needed.ends_with(".read")),
        grant("root:webhook_admin", |needed| needed.starts_with("webhook.")),
        grant("root:provider_admin", |needed| needed.starts_with("provider.") || needed.starts_with("domain.")),
    ]
}

/// The documented operations and what they need; the names of path parameters do not matter.
fn operations(world: &World) -> Vec<(Method, String, &'static str)> {
    let plain = |path: &str| {
        path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
    };
    let needed = |method: &Method, path: &str| {
        let found = ROUTES.iter().find(|(verb, route, _)| method == verb && plain(&at(route)) == plain(path));
        found.unwrap_or_else(|| panic!("{method} {path} is not in the contract")).2
    };
    let documented = world.client.document.operations_of(Dialect::Sendmux);
    documented
        .map(|one| (one.method.clone(), one.path.replace(['{', '}'], ""), needed(&one.method, &one.path)))
        .collect()
}

async fn status(world: &World, method: &Method, path: &str, key: &str) -> (u16, String) {
    let call = world.client.call(method.clone(), path).header("Authorization", &format!("Bearer {key}"));
    // Broken on purpose: the refusal of a key without the permission does not reveal it.
    let call = if method == Method::GET { call } else { call.raw(Some("application/json"), "{") };
    let answer = call.ask().await;
    (answer.status, answer.body["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_route_with_every_permission_and_role() {
    let world = World::start().await;
    let mut names: Vec<&str> = ROUTES.iter().map(|(_, _, needed)| *needed).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 17);
    let mut grants = Vec::from(roles());
    grants.extend(names.into_iter().map(|name| grant(name, move |needed| needed == name)));
    for namespace in ["provider.*", "domain.*", "mailbox.admin.*", "webhook.*"] {
        let beginning = namespace.trim_end_matches('*');
        grants.push(grant(namespace, move |needed| needed.starts_with(beginning)));
    }
    for (granted, covers) in grants {
        let key = world.sendmux_key(&[granted]).await;
        for (method, path, needed) in operations(&world) {
            let (status, message) = status(&world, &method, &path, &key).await;
            if needed.is_empty() || covers(needed) {
                assert!(status != 403 && status < 500, "{granted} {method} {path}: {status} {message}");
            } else {
                let missing = format!("This key lacks the permission {needed}");
                assert_eq!((status, message), (403, missing), "{granted} {method} {path}");
            }
        }
    }
}

/// 401, 429, 403, and then the rest.
#[tokio::test]
async fn permissions_are_judged_after_the_limit() {
    let world = World::with(Options { sendmux_per_minute: 1, ..PATIENT }).await;
    for (method, path, needed) in operations(&world) {
        if needed.is_empty() {
            continue;
        }
        let other = if needed.starts_with("webhook") { "domain.read" } else { "webhook.read" };
        let key = world.sendmux_key(&[other]).await;
        assert_eq!(status(&world, &method, &path, &key).await.0, 403, "{method} {path}");
        assert_eq!(status(&world, &method, &path, &key).await.0, 429, "{method} {path}");
    }
}

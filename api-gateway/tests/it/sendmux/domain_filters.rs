//! Filters of a domain, which decide who may write to it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Call};
use crate::world::World;

struct Domain<'w> {
    world: &'w World,
    path: String,
}

impl<'w> Domain<'w> {
    async fn new(world: &'w World, name: &str, mode: &str) -> Self {
        let domain = world.domain(name, mode).await;
        Self { world, path: format!("/domains/{}/filters", domain["id"].as_str().unwrap()) }
    }

    async fn get(&self) -> Answer {
        self.world.sendmux(Method::GET, &self.path).ask().await
    }

    fn put(&self, body: &Value) -> Call {
        self.world.sendmux(Method::PUT, &self.path).json(body)
    }
}

#[tokio::test]
async fn rules_are_replaced_and_shown_sorted() {
    let world = World::start().await;
    let domain = Domain::new(&world, "acme.com", "send_receive").await;
    let empty = domain.get().await;
    assert_eq!(empty.ok(200), &json!({"mode": "off", "rules": []}));
    let rules = json!([
        {"type": "deny", "pattern": "*@Spam.example", "note": null},
        {"type": "deny", "pattern": "Kim@Other.example", "note": "asked \"twice\""},
        {"type": "deny", "pattern": "bücher.example"},
    ]);
    let put =
        domain.put(&json!({"mode": "denylist", "rules": rules})).header("If-Match", empty.header("etag")).ask().await;
    let expected = json!({"mode": "denylist", "rules": [
        {"type": "deny", "pattern": "kim@other.example", "note": "asked \"twice\""},
        {"type": "deny", "pattern": "spam.example", "note": null},
        {"type": "deny", "pattern": "xn--bcher-kva.example", "note": null},
    ]});
    assert_eq!(put.ok(200), &expected);
    let read = domain.get().await;
    assert_eq!((read.ok(200), read.header("etag")), (&expected, put.header("etag")));
    let known = world.sendmux(Method::GET, &domain.path).header("If-None-Match", read.header("etag")).ask().await;
    assert_eq!((known.status, known.header("etag")), (304, read.header("etag")));

    let other = json!({"mode": "allowlist", "rules": [{"type": "allow", "pattern": "a.example"}]});
    let mismatch = domain.put(&other).header("If-Match", empty.header("etag")).ask().await;
    assert_eq!((mismatch.error(), mismatch.header("etag")), ((409, "conflict", None), read.header("etag")));
    assert_eq!(domain.get().await.ok(200), &expected);
    assert_eq!(domain.put(&other).ask().await.ok(200)["rules"].as_array().unwrap().len(), 1);
    let off = json!({"mode": "off", "rules": []});
    assert_eq!(domain.put(&off).ask().await.ok(200), &off);
}

#[tokio::test]
async fn bad_bodies_are_taken_apart() {
    let world = World::start().await;
    let domain = Domain::new(&world, "acme.com", "send_receive").await;
    let rule = |kind: &str, pattern: &str| json!({"type": kind, "pattern": pattern});
    for (body, faults) in [
        (json!({}), &[("mode", "invalid_type"), ("rules", "invalid_type")][..]),
        (json!({"mode": "on", "rules": {}}), &[("mode", "invalid_enum_value"), ("rules", "invalid_type")]),
        (json!({"mode": "off", "rules": [5]}), &[("rules.0", "invalid_type")]),
        (
            json!({"mode": "off", "rules": [rule("allow", "a.example"), {"type": "block", "note": 1, "x": 2}]}),
            &[
                ("rules.1.type", "invalid_enum_value"),
                ("rules.1.pattern", "invalid_type"),
                ("rules.1.note", "invalid_type"),
                ("rules.1.x", "unrecognized_keys"),
            ],
        ),
        (
            json!({"mode": "off", "rules": [{"type": "deny", "pattern": "a.example", "note": "n".repeat(256)}]}),
            &[("rules.0.note", "too_big")],
        ),
        (json!({"mode": "off", "rules": [], "more": 1}), &[("more", "unrecognized_keys")]),
    ] {
        let answer = domain.put(&body).ask().await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some(faults[0].0)), "{body}");
        assert_eq!(answer.faults(), faults, "{body}");
    }
    let many = |count: usize| (0..count).map(|n| rule("allow", &format!("d{n}.example"))).collect::<Vec<_>>();
    for (body, faults) in [
        (json!({"mode": "allowlist", "rules": many(1001)}), &[("rules", "too_big")][..]),
        (
            json!({"mode": "denylist", "rules": [rule("deny", "nonsense"), rule("deny", "a.example"), rule("deny", "@")]}),
            &[("rules.0.pattern", "invalid_string"), ("rules.2.pattern", "invalid_string")],
        ),
        (
            json!({"mode": "allowlist", "rules": [rule("allow", "a.example"), rule("deny", "b.example")]}),
            &[("rules.1.type", "custom")],
        ),
        (
            json!({"mode": "off", "rules": [rule("allow", "a.example"), rule("deny", "*@A.example")]}),
            &[("rules.1.pattern", "custom")],
        ),
    ] {
        let answer = domain.put(&body).ask().await;
        assert_eq!(answer.error(), (422, "validation_error", Some(faults[0].0)));
        assert_eq!(answer.faults(), faults);
    }
    assert_eq!(domain.get().await.ok(200), &json!({"mode": "off", "rules": []}));
    assert_eq!(domain.put(&json!({"mode": "allowlist", "rules": many(1000)})).ask().await.status, 200);
}

#[tokio::test]
async fn a_domain_that_only_sends_has_none() {
    let world = World::start().await;
    let domain = Domain::new(&world, "acme.com", "send_only").await;
    assert_eq!(domain.get().await.error(), (409, "conflict", None));
    let body = json!({"mode": "off", "rules": []});
    assert_eq!(domain.put(&body).ask().await.error(), (409, "conflict", None));
}

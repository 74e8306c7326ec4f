//! Failures on the wire, word for word, and in which order they are found.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::tenancy::Plan;

use super::domains::COMPLETE;
use crate::client::{Answer, Call};
use crate::world::World;

const MEBIBYTE: usize = 1024 * 1024;

impl World {
    async fn known_domain(&self, name: &str) -> String {
        let answer = self.sendmux(Method::POST, "/domains").json(&json!({"domain": name})).ask().await;
        answer.ok(201)["id"].as_str().unwrap().to_owned()
    }

    fn raw_domain(&self, body: impl Into<reqwest::Body>) -> Call {
        self.sendmux(Method::POST, "/domains").raw(Some("application/json"), body)
    }
}

/// The member `error`.
fn error(answer: &Answer) -> &Value {
    &answer.body["error"]
}

#[tokio::test]
async fn word_for_word() {
    let world = World::start().await;
    let id = world.known_domain("one.example").await;
    let reader = world.sendmux_key(&["root:readonly"]).await;
    let (_, stranger) = world.sendmux_stranger().await;
    let one = format!("/domains/{id}");
    let refused = |code: &str, message: &str| json!({"code": code, "message": message, "retryable": false});
    let taken =
        world.sendmux(Method::POST, "/domains").header("Idempotency-Key", "k").json(&json!({"domain": "b.example"}));
    assert_eq!(taken.ask().await.status, 201);
    let again = world.sendmux(Method::POST, "/domains").header("Idempotency-Key", "k");
    for (call, status, expected) in [
        (
            world.client.call(Method::GET, "/api/v1/domains"),
            401,
            refused("authentication_required", "A valid API key is required"),
        ),
        (
            world.sendmux_with(Method::POST, "/domains", &reader),
            403,
            refused("insufficient_permissions", "This key lacks the permission domain.create"),
        ),
        (world.sendmux_with(Method::GET, &one, &stranger), 404, refused("not_found", "Domain not found")),
        (world.sendmux(Method::GET, "/domains/nonsense"), 404, refused("not_found", "Domain not found")),
        (
            world.raw_domain("{\"domain\": }"),
            400,
            refused("invalid_parameter", "The request body is not valid JSON: expected value at line 1 column 12"),
        ),
        (world.raw_domain("[]"), 400, refused("invalid_parameter", "The request body must be a JSON object")),
        (
            world.sendmux(Method::POST, "/domains").raw(Some("text/plain"), "{}"),
            400,
            refused("invalid_parameter", "Content-Type must be application/json"),
        ),
        (
            world.raw_domain("{\"name\":\"a\",\"mode\":\"both\"}"),
            400,
            json!({
                "code": "invalid_parameter", "message": "domain: is required", "retryable": false, "param": "domain",
                "errors": [
                    {"field": "domain", "code": "invalid_type", "message": "is required"},
                    {"field": "mode", "code": "invalid_enum_value", "message": "must be one of send_only, send_receive"},
                    {"field": "name", "code": "unrecognized_keys", "message": "is not known here"},
                ],
            }),
        ),
        (
            world.sendmux(Method::GET, "/domains?limit=101&cursor=x"),
            400,
            json!({
                "code": "invalid_parameter", "message": "limit: must be from 1 to 100", "retryable": false,
                "param": "limit", "errors": [
                    {"field": "limit", "code": "too_big", "message": "must be from 1 to 100"},
                    {"field": "cursor", "code": "invalid_string", "message": "is not a cursor of this list"},
                ],
            }),
        ),
        (
            world.raw_domain(vec![b' '; MEBIBYTE + 1]),
            413,
            refused("payload_too_large", "The request body is larger than 1048576 bytes"),
        ),
        (
            again.json(&json!({"domain": "c.example"})),
            409,
            refused("idempotency_conflict", "This Idempotency-Key was used with another request"),
        ),
        (
            world.sendmux(Method::PATCH, &one).json(&json!({"mode": "send_only"})),
            422,
            json!({
                "code": "validation_error", "message": "mode: can only be changed to send_receive", "retryable": false,
                "param": "mode",
                "errors": [{"field": "mode", "code": "custom", "message": "can only be changed to send_receive"}],
            }),
        ),
        (
            world.sendmux(Method::PATCH, &one).header("If-Match", "\"old\"").json(&json!({"mode": "send_receive"})),
            409,
            refused("conflict", "The resource has changed since: the ETag in If-Match is not the current one"),
        ),
    ] {
        let answer = call.ask().await;
        assert_eq!((answer.status, error(&answer)), (status, &expected));
    }
    assert_eq!(world.raw_domain("{\"domain\":\"one.example\"}").ask().await.error(), (409, "conflict", None));
}

/// Refusals of the mailbox routes: statuses, codes and messages.
#[tokio::test]
async fn word_for_word_of_mailboxes() {
    let world = World::start().await;
    world.domain("acme.example", "send_receive").await;
    world.find_records(COMPLETE).await;
    let create =
        async |email: &str| world.sendmux(Method::POST, "/mailboxes").json(&json!({"email": email})).ask().await;
    assert_eq!(create("kim@acme.example").await.status, 201);
    let answer = world.sendmux(Method::GET, "/mailboxes/availability").ask().await;
    let expected = json!({
        "code": "missing_parameter", "message": "The query parameter email is required", "retryable": false,
        "param": "email",
    });
    assert_eq!((answer.status, error(&answer)), (400, &expected));
    assert_eq!(create("kim@acme.example").await.error(), (409, "conflict", None));
    assert_eq!(create("kim@other.example").await.error(), (422, "validation_error", Some("email")));
    let plan = Plan { subscription_active: true, max_mailboxes: Some(1) };
    world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    let full = create("lou@acme.example").await;
    let message = "The limit of 1 is reached";
    let expected = json!({"code": "limit_exceeded", "message": message, "retryable": false});
    assert_eq!((full.status, error(&full)), (409, &expected));
}

/// A body of exactly one mebibyte is read.
#[tokio::test]
async fn the_largest_body() {
    let world = World::start().await;
    let body = |size: usize| {
        let frame = r#"{"domain":"a.example"}"#;
        format!("{frame}{}", " ".repeat(size - frame.len()))
    };
    assert_eq!(world.raw_domain(body(MEBIBYTE)).ask().await.status, 201);
    assert_eq!(world.raw_domain(body(MEBIBYTE + 1)).ask().await.error(), (413, "payload_too_large", None));
}

/// Clients escape what they put into a path.
#[tokio::test]
async fn ids_may_be_escaped() {
    let world = World::start().await;
    let id = world.known_domain("one.example").await;
    let escaped: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for path in [escaped.clone(), escaped.to_lowercase(), id.replacen('_', "%5F", 1)] {
        assert_eq!(world.sendmux(Method::GET, &format!("/domains/{path}")).ask().await.ok(200)["id"], id.as_str());
    }
    for path in ["%00", "%2F", "%FF", "%zz", "%", &format!("{id}%20"), &format!("{escaped}%30")] {
        let answer = world.sendmux(Method::GET, &format!("/domains/{path}")).ask().await;
        assert_eq!(answer.error(), (404, "not_found", None), "{path}");
    }
}

/// Numbers are limited before anything is kept.
#[tokio::test]
async fn too_many_members_and_items_are_refused() {
    let world = World::start().await;
    let members: Vec<String> = (0..1_001).map(|n| format!("\"m{n}\":0")).collect();
    let answer = world.raw_domain(format!("{{{}}}", members.join(","))).ask().await;
    assert_eq!(answer.error(), (400, "invalid_parameter", None));
    assert_eq!(error(&answer)["message"], "The request body has an object with more than 1000 members");
    let types = json!({"url": "https://hooks.tenant.example/in", "event_types": vec!["sendmux.test"; 101]});
    let answer = world.sendmux(Method::POST, "/webhooks").json(&types).ask().await;
    let fault = json!({"field": "event_types", "code": "too_big", "message": "must have at most 100 items"});
    assert_eq!((answer.status, &error(&answer)["errors"]), (400, &json!([fault])));
    // This is a rule, however many there are, and not the schema.
    let id = world.known_domain("one.example").await;
    let rules = format!("{{\"mode\":\"off\",\"rules\":[{}0]}}", "{},".repeat(300_000));
    let call = world.sendmux(Method::PUT, &format!("/domains/{id}/filters"));
    assert_eq!(call.raw(Some("application/json"), rules).ask().await.error(), (422, "validation_error", Some("rules")));
}

/// 413, 400, 404, idempotency, `If-Match`, other 409, 422.
#[tokio::test]
async fn the_order_of_complaints() {
    let world = World::start().await;
    let id = world.known_domain("one.example").await;
    let (one, unknown) = (format!("/domains/{id}"), "/domains/mdom_cl00000000000000000000000");
    let patch = |path: &str, body: &str| {
        let call = world.sendmux(Method::PATCH, path).header("If-Match", "\"old\"");
        call.raw(Some("application/json"), body.to_owned())
    };
    let (huge, bad, wrong) = ("{".repeat(MEBIBYTE + 1), "{\"mode\":1}", "{\"mode\":\"send_only\"}");
    for (call, status) in [
        (patch(unknown, &huge), 413),
        (patch(unknown, "{"), 400),
        (patch(unknown, bad), 400),
        (patch(unknown, wrong), 404),
        (patch(&one, bad), 400),
        (patch(&one, wrong), 409),
    ] {
        assert_eq!(call.ask().await.status, status);
    }
    // Nothing was changed by what was refused.
    let read = world.sendmux(Method::GET, &one).ask().await;
    assert_eq!(
        (read.ok(200)["mode"].as_str(), read.ok(200)["verification_status"].as_str()),
        (Some("send_receive"), Some("pending"))
    );
    let long = "k".repeat(256);
    let post = |body: &str| {
        let call = world.sendmux(Method::POST, "/domains").header("Idempotency-Key", &long);
        call.raw(Some("application/json"), body.to_owned())
    };
    assert_eq!(post(&huge).ask().await.status, 413);
    assert_eq!(
        post("{\"domain\":\"one.example\"}").ask().await.error(),
        (400, "invalid_parameter", Some("Idempotency-Key"))
    );
}

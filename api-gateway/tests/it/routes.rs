//! The route table against the document.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::{Answer, Call};
use crate::document::Dialect;
use crate::world::{World, minimal};

/// Status and word of a failure in the envelope of its dialect.
fn refusal(dialect: Dialect, answer: &Answer) -> (u16, &str) {
    match dialect {
        Dialect::Sendkit => {
            let (status, code, _) = answer.failure();
            (status, code)
        }
        Dialect::Coldsend => answer.detail(),
        Dialect::Sendmux => (answer.status, answer.body["error"]["code"].as_str().unwrap()),
    }
}

impl World {
    /// By somebody who may use the dialect.
    fn known_call(&self, dialect: Dialect, method: Method, path: &str) -> Call {
        match dialect {
            Dialect::Sendkit | Dialect::Coldsend => self.call(method, path),
            Dialect::Sendmux => {
                let call = self.client.call(method, path);
                call.header("Authorization", &format!("Bearer {}", self.sendmux_key))
            }
        }
    }
}

#[tokio::test]
async fn every_documented_operation_is_there_and_needs_a_key() {
    let world = World::start().await;
    for (dialect, least, keys) in [
        (
            Dialect::Sendkit,
            15,
            [
                (None, "UNAUTHORIZED"),
                (Some("sk_000000000000000000000000000000000000000000000000"), "UNAUTHORIZED"),
                (Some(world.coldsend_key.as_str()), "UNAUTHORIZED"),
            ],
        ),
        (
            Dialect::Coldsend,
            9,
            [
                (None, "API key required. Include your API key in X-API-Key header."),
                (Some("cs_live_0000000000000000000000000000000000000000"), "Invalid or revoked API key"),
                (Some(world.key.as_str()), "Invalid or revoked API key"),
            ],
        ),
        (
            Dialect::Sendmux,
            1,
            [
                (None, "authentication_required"),
                (Some("smx_root_0000000000000000000000000000000000000000"), "authentication_required"),
                (Some(world.key.as_str()), "authentication_required"),
            ],
        ),
    ] {
        assert!(world.client.document.operations_of(dialect).count() >= least);
        for operation in world.client.document.operations_of(dialect) {
            let path = operation.path.replace(['{', '}'], "");
            for (key, word) in keys {
                let call = world.client.call(operation.method.clone(), &path);
                let call = key.into_iter().fold(call, |call, key| match dialect {
                    Dialect::Sendmux => call.header("Authorization", &format!("Bearer {key}")),
                    _ => call.header("X-Api-Key", key),
                });
                // Broken on purpose: without a valid key, the answer does not reveal it.
                let answer = call.raw(Some("text/plain"), "{").send().await;
                assert_eq!(refusal(dialect, &answer), (401, word), "{} {path}", operation.method);
            }
        }
    }
}

/// A method that answers anything but 405 is in the document, and the 405 names those that are.
#[tokio::test]
async fn every_served_method_is_documented() {
    let world = World::start().await;
    let mut paths: Vec<&str> = world.client.document.operations().iter().map(|o| o.path.as_str()).collect();
    paths.dedup();
    for template in paths {
        let path = template.replace(['{', '}'], "");
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let (known, unknown): (Vec<_>, Vec<_>) =
            methods.into_iter().partition(|method| world.client.document.operation(method, &path).is_some());
        let dialect = Dialect::of(&path);
        let word = match dialect {
            Dialect::Sendkit => "METHOD_NOT_ALLOWED",
            Dialect::Coldsend => "Method Not Allowed",
            Dialect::Sendmux => "not_found",
        };
        for method in unknown {
            let answer = world.known_call(dialect, method, &path).undocumented().send().await;
            assert_eq!(refusal(dialect, &answer), (405, word), "{path}");
            let known: Vec<&str> = known.iter().map(Method::as_str).collect();
            assert_eq!(answer.headers["allow"], known.join(", "), "{path}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_are_answered_in_the_envelope() {
    let world = World::start().await;
    for path in [
        "/v1",
        "/v1/nothing",
        "/v1/mailboxes/a/b",
        "/v1/mailboxes/a/health/b",
        "/v1/workspaces/a/members",
        "/api/public/v1",
        "/api/public/v1/campaigns",
        "/api/public/v1/sender-accounts/a/b",
        "/api/public/v1/sender-accounts/smtp/bulk/a",
        "/api/public/v1/sender-accounts/smtp/bulk/a/progress/b",
        "/api/public/v1/sender-accounts/bulk/delete/a",
        "/api/v1",
        "/api/v1/teams",
        "/api/v1/me/a",
    ] {
        let word = match Dialect::of(path) {
            Dialect::Sendkit => "NOT_FOUND",
            Dialect::Coldsend => "Not Found",
            Dialect::Sendmux => "not_found",
        };
        for method in [Method::GET, Method::POST] {
            let answer = world.known_call(Dialect::of(path), method, path).undocumented().send().await;
            assert_eq!(refusal(Dialect::of(path), &answer), (404, word), "{path}");
        }
    }
}

/// Clients join a base URL that ends in a slash with a path that begins with one.
#[tokio::test]
async fn slashes_too_many_do_no_harm() {
    let world = World::start().await;
    for path in ["//v1/account", "/v1/account/", "/v1//account"] {
        let response = reqwest::Client::new()
            .get(world.client.url(path))
            .header("X-Api-Key", &world.platform_key)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
}

/// The judge of all other tests notices a member too many, one too few and one of the wrong type.
#[tokio::test]
async fn the_document_is_strict() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    for (path, inner) in [
        ("/v1/mailboxes".to_owned(), "/data/0/warmup"),
        ("/v1/mailboxes".to_owned(), "/pagination"),
        (format!("/v1/mailboxes/{id}"), "/data"),
        (format!("/v1/mailboxes/{id}"), "/data/warmup/config"),
        (format!("/v1/mailboxes/{id}/health"), "/data/dns/mx"),
        (format!("/v1/mailboxes/{id}/connection-test"), "/data"),
        (format!("/v1/workspaces/{}", world.workspace), "/data/members/0"),
    ] {
        let answer = world.get(&path).await;
        let operation = world.client.document.operation(&Method::GET, &path).unwrap();
        assert!(operation.allows(200, &answer.body) && !operation.allows(201, &answer.body));
        let first = answer.body.pointer(inner).unwrap().as_object().unwrap().keys().next().unwrap().clone();
        let bent = |bend: &dyn Fn(&mut Map<String, Value>)| {
            let mut body = answer.body.clone();
            bend(body.pointer_mut(inner).unwrap().as_object_mut().unwrap());
            operation.allows(200, &body)
        };
        assert!(!bent(&|object| drop(object.insert("surprise".to_owned(), Value::Null))), "{path} {inner}");
        assert!(!bent(&|object| drop(object.remove(&first))), "{path} {inner}/{first}");
        assert!(!bent(&|object| drop(object.insert(first.clone(), json!([[1]])))), "{path} {inner}/{first}");
    }
}

//! Scopes of keys: every route with every scope.

use reqwest::Method;
use serde_json::json;

use super::{ACCOUNTS, FOREIGN};
use crate::world::World;

/// Every route and the scope that it needs.
fn routes() -> Vec<(Method, String, &'static str)> {
    let (create, read, delete) = ("sender_accounts:create", "sender_accounts:read", "sender_accounts:delete");
    vec![
        (Method::POST, format!("{ACCOUNTS}/smtp"), create),
        (Method::POST, format!("{ACCOUNTS}/smtp/bulk"), create),
        (Method::GET, format!("{ACCOUNTS}/smtp/bulk/{FOREIGN}/progress"), read),
        (Method::POST, format!("{ACCOUNTS}/bulk/delete"), delete),
        (Method::GET, format!("{ACCOUNTS}/bulk/delete/{FOREIGN}/progress"), read),
        (Method::GET, ACCOUNTS.to_owned(), read),
        (Method::GET, format!("{ACCOUNTS}/{FOREIGN}"), read),
        (Method::DELETE, format!("{ACCOUNTS}/{FOREIGN}"), delete),
        (Method::POST, format!("{ACCOUNTS}/{FOREIGN}/test-email"), create),
    ]
}

#[tokio::test]
async fn every_route_with_every_scope() {
    let world = World::start().await;
    let (create, read, delete) = ("sender_accounts:create", "sender_accounts:read", "sender_accounts:delete");
    let all = &[create, read, delete][..];
    for (granted, covered) in [
        (&[][..], all),
        (&["*"], all),
        (&["sender_accounts:all"], all),
        (&["campaigns:read", "sender_accounts:all"], all),
        (&[create], &[create]),
        (&[read], &[read]),
        (&[delete], &[delete]),
        (&[read, delete], &[read, delete]),
        // Of earlier days.
        (&["sender_accounts:write"], &[create, delete]),
        (&["campaigns:read"], &[]),
        (&["campaigns:all", "leads:all"], &[]),
        (&["sender_accounts:update"], &[]),
    ] {
        let key = world.scoped_key(granted).await;
        for (method, path, needed) in routes() {
            let call = world.client.call_with_key(method.clone(), &path, &key);
            // The body is wrong on purpose: the refusal of a key without the scope does not reveal it.
            let body = if method == Method::POST { "[]" } else { "" };
            let answer = call.raw(Some("application/json"), body).send().await;
            if covered.contains(&needed) {
                let expected = if method == Method::POST { 422 } else { 404 };
                let expected = if path == ACCOUNTS { 200 } else { expected };
                assert_eq!(answer.status, expected, "{granted:?} {method} {path} {answer:?}");
                continue;
            }
            let refusal = json!({
                "detail": format!("Missing required scopes: {needed}"), "error": "insufficient_scopes",
                "required": [needed], "granted": granted,
            });
            assert_eq!((answer.status, answer.body), (403, refusal), "{granted:?} {method} {path}");
        }
    }
    assert_eq!(routes().len(), world.client.document.operations_of(crate::document::Dialect::Coldsend).count());
}

/// 401, 429, 403, 422.
#[tokio::test]
async fn scopes_are_judged_after_the_limit_and_before_the_path() {
    let world = World::with(crate::world::Options { limits: (0, 1, 0), ..crate::world::PATIENT }).await;
    let key = world.scoped_key(&["leads:read"]).await;
    let path = format!("{ACCOUNTS}/nonsense");
    let call = async || world.client.call_with_key(Method::GET, &path, &key).send().await;
    assert_eq!((call().await.status, call().await.status), (403, 429));
}

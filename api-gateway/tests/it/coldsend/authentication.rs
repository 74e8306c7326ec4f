//! Keys and their header.

use reqwest::Method;

use super::ACCOUNTS;
use crate::client::Answer;
use crate::world::World;

const NONE: (u16, &str) = (401, "API key required. Include your API key in X-API-Key header.");
const BAD: (u16, &str) = (401, "Invalid or revoked API key");

async fn list(world: &World, headers: &[(&str, &str)]) -> Answer {
    let call = world.client.call(Method::GET, ACCOUNTS);
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

#[tokio::test]
async fn the_header_goes_in_any_case() {
    let world = World::start().await;
    for name in ["X-API-Key", "x-api-key", "X-Api-Key"] {
        assert_eq!(list(&world, &[(name, &world.coldsend_key)]).await.status, 200);
    }
    assert!(world.coldsend_key.starts_with("cs_live_") && world.coldsend_key.len() == 48);
}

#[tokio::test]
async fn no_key() {
    let world = World::start().await;
    let bearer = format!("Bearer {}", world.coldsend_key);
    for headers in [
        &[][..],
        &[("X-API-Key", "")],
        &[("X-API-Key", "   ")],
        &[("Authorization", bearer.as_str())],
        &[("Authorization", bearer.as_str()), ("X-API-Key", "")],
    ] {
        let answer = list(&world, headers).await;
        assert_eq!(answer.detail(), NONE, "{headers:?}");
        assert_eq!(answer.body.as_object().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn unknown_revoked_malformed_and_foreign_keys() {
    let world = World::start().await;
    let revoked = world.make_key("coldsend", world.owner, Some(world.workspace)).await;
    let keys = world.store.list_api_keys().await.unwrap();
    world.store.revoke_api_key(keys.last().unwrap().key.id).await.unwrap();
    let good = world.coldsend_key.as_str();
    let altered = format!("{}{}", &good[..47], if good.ends_with('a') { 'b' } else { 'a' });
    for key in [
        revoked.as_str(),
        &altered,
        &good[..40],
        &good.to_uppercase(),
        &format!("Bearer {good}"),
        &format!("{good},{good}"),
        "cs_live_",
        "cs_live_0000000000000000000000000000000000000000",
        "cs_test_0000000000000000000000000000000000000000",
        "nonsense",
        "schlüssel",
        &world.key,
        &world.platform_key,
    ] {
        assert_eq!(list(&world, &[("X-API-Key", key)]).await.detail(), BAD, "{key}");
    }
}

#[tokio::test]
async fn revocation_counts_from_the_next_request_on() {
    let world = World::start().await;
    assert_eq!(world.cs_get(ACCOUNTS).await.status, 200);
    let keys = world.store.list_api_keys().await.unwrap();
    let id = keys.iter().find(|key| key.key.kind == "coldsend").unwrap().key.id;
    world.store.revoke_api_key(id).await.unwrap();
    assert_eq!(world.cs_get(ACCOUNTS).await.detail(), BAD);
}

/// Without a valid key, the answer reveals no fault of the body or the path.
#[tokio::test]
async fn the_key_comes_before_everything_else() {
    let world = World::start().await;
    for body in ["{", "[]", "planted"] {
        let call = world.client.call_with_key(Method::POST, &format!("{ACCOUNTS}/smtp"), "cs_live_nobody");
        assert_eq!(call.raw(Some("text/plain"), body).send().await.detail(), BAD);
    }
    let call = world.client.call_with_key(Method::GET, &format!("{ACCOUNTS}/nonsense"), "cs_live_nobody");
    assert_eq!(call.send().await.detail(), BAD);
}

/// A key opens one team. What SendKit's header says about workspaces means nothing here.
#[tokio::test]
async fn teams_do_not_see_each_other() {
    let world = World::start().await;
    let (other, key) = world.other_team().await;
    world.active(super::new_mailbox("kim")).await;
    let listed = list(&world, &[("X-API-Key", &key), ("X-Workspace-Id", &world.workspace.to_string())]).await;
    assert_eq!((listed.status, &listed.body["pagination"]["total"]), (200, &serde_json::json!(0)));
    assert_eq!(world.store.count_mailboxes(other).await.unwrap(), 0);
}

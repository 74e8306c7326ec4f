//! Keys, their headers and the workspace that they open.

use reqwest::Method;
use shared_models::domain::WorkspaceId;

use crate::client::{Answer, Client};
use crate::world::World;

/// A request to a path of one workspace, with these headers.
async fn list(client: &Client, headers: &[(&str, &str)]) -> Answer {
    headers
        .iter()
        .fold(client.call(Method::GET, "/v1/mailboxes"), |call, (name, value)| call.header(name, value))
        .send()
        .await
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[tokio::test]
async fn either_header_carries_the_key() {
    let world = World::start().await;
    let key = world.key.as_str();
    for headers in [
        [("X-Api-Key", key.to_owned())],
        [("x-api-key", key.to_owned())],
        [("X-API-KEY", format!(" {key} "))],
        [("Authorization", bearer(key))],
        [("authorization", format!("bearer {key}"))],
        [("Authorization", format!("BEARER   {key}"))],
    ] {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(list(&world.client, &headers).await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn no_key_unknown_key_and_revoked_key_are_the_same() {
    let world = World::start().await;
    let revoked = world.make_key("sendkit-platform", world.owner, None).await;
    let keys = world.store.list_api_keys().await.unwrap();
    world.store.revoke_api_key(keys.last().unwrap().key.id).await.unwrap();
    let good = world.key.as_str();
    let altered = format!("{}{}", &good[..50], if good.ends_with('0') { '1' } else { '0' });
    let answers = [
        list(&world.client, &[]).await,
        list(&world.client, &[("X-Api-Key", "")]).await,
        list(&world.client, &[("X-Api-Key", "sk_")]).await,
        list(&world.client, &[("X-Api-Key", "hello")]).await,
        list(&world.client, &[("X-Api-Key", &altered)]).await,
        list(&world.client, &[("X-Api-Key", &revoked)]).await,
        list(&world.client, &[("X-Api-Key", "schlüssel")]).await,
        list(&world.client, &[("Authorization", good)]).await,
        list(&world.client, &[("Authorization", "Bearer")]).await,
        list(&world.client, &[("Authorization", &format!("Basic {good}"))]).await,
        list(&world.client, &[("Authorization", &bearer(&revoked))]).await,
    ];
    for answer in &answers {
        answer.is_failure(401, "UNAUTHORIZED");
        assert_eq!(answer.body, answers[0].body);
    }
}

/// Good or not: its beginning says where it belongs.
#[tokio::test]
async fn a_key_of_another_dialect_is_sent_there() {
    let world = World::start().await;
    for (key, prefix, paths) in [
        (world.coldsend_key.as_str(), "cs_live_", "/api/public/v1"),
        ("cs_live_nonsense", "cs_live_", "/api/public/v1"),
        (&world.sendmux_key, "smx_root_", "/api/v1"),
        ("smx_mbx_nonsense", "smx_mbx_", "/api/v1"),
    ] {
        let message = format!("An API key that begins with {prefix} is for {paths}; here it opens nothing");
        for header in [("X-Api-Key", key), ("Authorization", &bearer(key))] {
            assert_eq!(list(&world.client, &[header]).await.failure(), (401, "UNAUTHORIZED", message.as_str()));
        }
    }
}

#[tokio::test]
async fn with_both_headers_the_key_header_decides() {
    let world = World::start().await;
    let (good, bad) = (world.key.as_str(), "sk_000000000000000000000000000000000000000000000000");
    let both = async |key: &str, authorization: &str| {
        list(&world.client, &[("X-Api-Key", key), ("Authorization", authorization)]).await
    };
    assert_eq!(both(good, &bearer(bad)).await.status, 200);
    assert_eq!(both(good, "nonsense").await.status, 200);
    both(bad, &bearer(good)).await.is_failure(401, "UNAUTHORIZED");
    both("", &bearer(good)).await.is_failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_platform_key_names_its_workspace() {
    let world = World::start().await;
    let (foreign, _) = world.stranger().await;
    let second = world.store.create_workspace(world.owner, "second").await.unwrap().id;
    let closed = world.store.create_workspace(world.owner, "closed").await.unwrap().id;
    world.store.delete_workspace(closed).await.unwrap();
    let key = world.platform_key.as_str();
    let named = async |id: &str| list(&world.client, &[("X-Api-Key", key), ("X-Workspace-Id", id)]).await;
    for own in [world.workspace, second] {
        assert_eq!(named(&own.to_string()).await.status, 200);
        let lower = [("authorization", bearer(key)), ("x-workspace-id", format!(" {own} "))];
        let lower = lower.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(list(&world.client, &lower).await.status, 200);
    }
    assert_eq!(list(&world.client, &[("X-Api-Key", key)]).await.bad_fields(), ["X-Workspace-Id"]);
    for id in [foreign.to_string(), closed.to_string(), WorkspaceId::new().to_string(), "nonsense".to_owned()] {
        named(&id).await.is_failure(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_workspace_key_opens_its_own_only() {
    let world = World::start().await;
    let second = world.store.create_workspace(world.owner, "second").await.unwrap().id;
    let named = async |id: &str| list(&world.client, &[("X-Api-Key", &world.key), ("X-Workspace-Id", id)]).await;
    assert_eq!(named(&world.workspace.to_string()).await.status, 200);
    for id in [second.to_string(), WorkspaceId::new().to_string(), "nonsense".to_owned()] {
        named(&id).await.is_failure(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn revocation_counts_from_the_next_request_on() {
    let world = World::start().await;
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
    let id = world
        .store
        .list_api_keys()
        .await
        .unwrap()
        .into_iter()
        .find(|key| (&*key.key.kind, key.key.workspace_id) == ("sendkit-workspace", Some(world.workspace)))
        .unwrap()
        .key
        .id;
    world.store.revoke_api_key(id).await.unwrap();
    world.get("/v1/mailboxes").await.is_failure(401, "UNAUTHORIZED");
}

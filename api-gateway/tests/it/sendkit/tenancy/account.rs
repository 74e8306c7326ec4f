//! `/v1/account`, for platform keys.

use reqwest::Method;
use serde_json::json;
use shared_models::domain::tenancy::Plan;

use crate::world::World;

#[tokio::test]
async fn the_owner_and_the_workspaces() {
    let world = World::start().await;
    let second = world.store.create_workspace(world.owner, "second").await.unwrap();
    let first = world.store.workspace(world.workspace).await.unwrap();
    world.stranger().await;
    let answer = world.platform(Method::GET, "/v1/account").send().await;
    let membership = |workspace: &shared_models::domain::tenancy::Workspace| json!({"workspaceId": workspace.id, "role": "owner", "joinedAt": workspace.created_at.to_rfc3339()});
    let expected = json!({
        "id": world.owner, "name": "dana", "email": "dana@tenant.example", "image": null, "tier": "active",
        "workspaces": [membership(&first), membership(&second)],
    });
    assert_eq!((answer.status, answer.data()), (200, &expected));
    let none = Plan { subscription_active: false, max_mailboxes: None };
    world.store.set_plan("dana@tenant.example", none).await.unwrap();
    assert_eq!(world.platform(Method::GET, "/v1/account").send().await.data()["tier"], "none");
}

#[tokio::test]
async fn the_name_changes() {
    let world = World::start().await;
    let rename = async |body| world.platform(Method::PATCH, "/v1/account").json(&body).send().await;
    let answer = rename(json!({"name": "  Dana Field ", "email": "x@y.example", "tier": "x"})).await;
    assert_eq!(
        (answer.status, &answer.data()["name"], &answer.data()["email"]),
        (200, &json!("Dana Field"), &json!("dana@tenant.example"))
    );
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": " "}),
        json!({"name": 5}),
        json!({"name": null}),
        json!({"name": "a\nb"}),
        json!({"name": "x".repeat(256)}),
    ] {
        assert_eq!(rename(body.clone()).await.bad_fields(), ["name"], "{body}");
    }
    assert_eq!(world.platform(Method::GET, "/v1/account").send().await.data()["name"], "Dana Field");
}

#[tokio::test]
async fn workspace_keys_are_not_for_this() {
    let world = World::start().await;
    world.get("/v1/account").await.is_failure(403, "FORBIDDEN");
    world.patch("/v1/account", &json!({"name": "x"})).await.is_failure(403, "FORBIDDEN");
    let broken = world.call(Method::PATCH, "/v1/account").raw(Some("text/plain"), "{").send().await;
    broken.is_failure(403, "FORBIDDEN");
}

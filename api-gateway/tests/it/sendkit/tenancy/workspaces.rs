//! `/v1/workspaces`.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::WorkspaceId;
use shared_models::domain::tenancy::Workspace;

use crate::client::Answer;
use crate::world::{World, minimal};

fn body_of(workspace: &Workspace) -> Value {
    json!({
        "id": workspace.id, "name": workspace.name, "ownerId": workspace.owner_id, "memberCount": 1,
        "createdAt": workspace.created_at.to_rfc3339(),
    })
}

fn path(id: WorkspaceId) -> String {
    format!("/v1/workspaces/{id}")
}

async fn create(world: &World, body: &Value) -> Answer {
    world.platform(Method::POST, "/v1/workspaces").json(body).send().await
}

#[tokio::test]
async fn each_key_sees_its_own() {
    let world = World::start().await;
    let first = world.store.workspace(world.workspace).await.unwrap();
    let second = world.store.create_workspace(world.owner, "second").await.unwrap();
    world.stranger().await;
    let all = world.platform(Method::GET, "/v1/workspaces").send().await;
    assert_eq!(all.body, json!({"success": true, "data": [body_of(&first), body_of(&second)]}));
    let own = world.get("/v1/workspaces").await;
    assert_eq!(own.body, json!({"success": true, "data": [body_of(&first)]}));
}

#[tokio::test]
async fn one_in_detail() {
    let world = World::start().await;
    world.add(&minimal("dana")).await;
    let workspace = world.store.workspace(world.workspace).await.unwrap();
    let mut expected = body_of(&workspace);
    expected["members"] =
        json!([{"userId": world.owner, "role": "owner", "joinedAt": workspace.created_at.to_rfc3339()}]);
    expected["settings"] = json!({});
    expected["limits"] = json!({"maxMailboxes": null});
    expected["usage"] = json!({"totalCampaigns": 0, "totalLeads": 0, "totalMailboxes": 1, "totalEmailsSent": 0});
    for answer in
        [world.get(&path(world.workspace)).await, world.platform(Method::GET, &path(world.workspace)).send().await]
    {
        assert_eq!((answer.status, answer.data()), (200, &expected));
    }
}

#[tokio::test]
async fn opening_one() {
    let world = World::start().await;
    let answer = create(&world, &json!({"name": "  Sales  ", "id": "x"})).await;
    assert_eq!(answer.status, 201);
    let id: WorkspaceId = answer.data()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer.data(), &body_of(&world.store.workspace(id).await.unwrap()));
    assert_eq!(answer.data()["name"], "Sales");
    create(&world, &json!({"name": "Sales"})).await.is_failure(409, "CONFLICT");
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": " "}),
        json!({"name": 5}),
        json!({"name": "a\rb"}),
        json!({"name": "x".repeat(256)}),
    ] {
        assert_eq!(create(&world, &body).await.bad_fields(), ["name"], "{body}");
    }
    world.post("/v1/workspaces", &json!({"name": "Mine"})).await.is_failure(403, "FORBIDDEN");
    assert_eq!(world.store.workspaces_of(world.owner).await.unwrap().len(), 2);
}

#[tokio::test]
async fn renaming_one() {
    let world = World::start().await;
    create(&world, &json!({"name": "Sales"})).await;
    let rename = async |name: &str| {
        world.platform(Method::PATCH, &path(world.workspace)).json(&json!({"name": name})).send().await
    };
    let answer = rename(" Support ").await;
    assert_eq!((answer.status, &answer.data()["name"]), (200, &json!("Support")));
    assert_eq!(rename("Support").await.status, 200, "its own name is not taken");
    let (status, code, message) = (409, "CONFLICT", "A workspace of this name exists already");
    assert_eq!(rename("Sales").await.failure(), (status, code, message));
    assert_eq!(rename("").await.bad_fields(), ["name"]);
    assert_eq!(world.store.workspace(world.workspace).await.unwrap().name, "Support");
}

#[tokio::test]
async fn closing_one() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    let close = async || world.platform(Method::DELETE, &path(world.workspace)).send().await;
    world.delete(&path(world.workspace)).await.is_failure(403, "FORBIDDEN");
    close().await.is_failure(409, "CONFLICT");
    assert_eq!(world.get("/v1/mailboxes").await.status, 200);
    world.delete(&format!("/v1/mailboxes/{id}")).await.data();
    let answer = close().await;
    assert_eq!((answer.status, answer.body), (200, json!({"success": true, "data": {"message": "Workspace removed"}})));
    close().await.is_failure(404, "NOT_FOUND");
    world.get("/v1/mailboxes").await.is_failure(401, "UNAUTHORIZED");
    let left = world.platform(Method::GET, "/v1/workspaces").send().await;
    assert_eq!(left.data(), &json!([]));
}

#[tokio::test]
async fn its_key_is_made_once_and_works() {
    let world = World::start().await;
    let id: WorkspaceId =
        create(&world, &json!({"name": "Sales"})).await.data()["id"].as_str().unwrap().parse().unwrap();
    let make = async || world.platform(Method::POST, &format!("{}/api-key", path(id))).send().await;
    let answer = make().await;
    assert_eq!(answer.status, 201);
    let key = answer.data()["apiKey"].as_str().unwrap();
    let hex = key.strip_prefix("sk_").unwrap();
    assert!(hex.len() == 48 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{key}");
    assert_eq!(answer.data()["createdBy"], json!(world.owner));
    let list = world.client.call_with_key(Method::GET, "/v1/workspaces", key).send().await;
    assert_eq!(list.data()[0]["id"], json!(id));
    make().await.is_failure(409, "CONFLICT");
    let own = world.call(Method::POST, &format!("{}/api-key", path(world.workspace))).send().await;
    own.is_failure(403, "FORBIDDEN");
}

#[tokio::test]
async fn those_of_others_are_unknown() {
    let world = World::start().await;
    let (foreign, _) = world.stranger().await;
    let second = world.store.create_workspace(world.owner, "second").await.unwrap().id;
    let operations = [(Method::GET, ""), (Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "/api-key")];
    for (method, tail) in operations {
        for id in [foreign.to_string(), WorkspaceId::new().to_string(), "nonsense".to_owned()] {
            let call = world.platform(method.clone(), &format!("/v1/workspaces/{id}{tail}"));
            call.json(&json!({"name": "taken over"})).send().await.is_failure(404, "NOT_FOUND");
        }
    }
    for id in [foreign, second] {
        world.get(&path(id)).await.is_failure(404, "NOT_FOUND");
        world.patch(&path(id), &json!({"name": "taken over"})).await.is_failure(404, "NOT_FOUND");
    }
    assert_eq!(world.store.workspace(foreign).await.unwrap().name, "default");
    assert_eq!(world.store.workspace(second).await.unwrap().name, "second");
}

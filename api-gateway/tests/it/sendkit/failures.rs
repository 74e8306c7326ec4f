//! Faults of ours, in the dialect's envelope and without a word about the cause.

use mail_lab::Postgres;
use reqwest::Method;
use serde_json::json;
use shared_models::store::DatabaseSettings;
use tokio::task::JoinSet;

use crate::document::Dialect;
use crate::world::{World, minimal};

/// Every operation, with ids that exist.
fn operations(world: &World, mailbox: &str) -> Vec<(Method, String)> {
    let documented = world.client.document.operations_of(Dialect::Sendkit);
    let fill = |path: &str| path.replace("{mailboxId}", mailbox).replace("{workspaceId}", &world.workspace.to_string());
    documented.map(|operation| (operation.method.clone(), fill(&operation.path))).collect()
}

#[tokio::test]
async fn without_its_database_everything_is_unavailable_for_now() {
    let server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let settings = DatabaseSettings::Postgres { url: database.url(), max_connections: 1 };
    let world = World::over(settings).await;
    let id = world.add(&minimal("dana")).await.to_string();
    drop(server);
    // At the same time, for each of them waits a while for a connection.
    let mut asked = JoinSet::new();
    for (method, path) in operations(&world, &id) {
        let call = world.platform(method, &path).header("X-Workspace-Id", &world.workspace.to_string());
        asked.spawn(call.json(&json!({"name": "x"})).send());
    }
    for answer in asked.join_all().await {
        let body = json!({"success": false, "error": {"code": "SERVICE_UNAVAILABLE",
            "message": "The service is temporarily unavailable; try again shortly"}});
        assert_eq!((answer.status, answer.body), (503, body));
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    }
    let ready = reqwest::get(world.client.url("/readyz")).await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.headers().contains_key("retry-after")), (503, true));
    let body: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(body, json!({"status": "unavailable", "database": "down", "broker": "down"}));
    assert_eq!(reqwest::get(world.client.url("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_internal_error() {
    let database = Postgres::shared().unwrap().database().unwrap();
    let world = World::over(DatabaseSettings::Postgres { url: database.url(), max_connections: 2 }).await;
    let id = world.add(&minimal("dana")).await;
    database.execute("UPDATE mailboxes SET status = 'planted'").unwrap();
    let body = json!({"success": false, "error": {"code": "INTERNAL_ERROR", "message": "An internal error occurred"}});
    let one = format!("/v1/mailboxes/{id}");
    for (method, path) in [
        (Method::GET, "/v1/mailboxes".to_owned()),
        (Method::GET, one.clone()),
        (Method::PATCH, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::GET, format!("{one}/health")),
    ] {
        let answer = world.call(method, &path).send().await;
        assert_eq!((answer.status, &answer.body), (500, &body), "{path}");
    }
    database.execute("UPDATE mailboxes SET status = 'active'").unwrap();
    assert_eq!(world.get(&one).await.status, 200);
}

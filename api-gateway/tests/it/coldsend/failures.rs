//! Faults of ours, without a word about the cause.

use mail_lab::Postgres;
use reqwest::Method;
use serde_json::{Value, json};
use shared_models::store::DatabaseSettings;
use tokio::task::JoinSet;

use super::{ACCOUNTS, FOREIGN, account, new_mailbox};
use crate::document::Dialect;
use crate::world::World;

/// A body that every operation finds good.
fn body(path: &str, inbox: &str) -> Value {
    match path.rsplit('/').next() {
        Some("smtp") => account("zoe"),
        Some("bulk") => json!({"inboxes": [account("zoe")]}),
        Some("delete") => json!({"inbox_ids": [inbox], "confirm_deletion": true}),
        _ => json!({"recipient_email": "zoe@out.example"}),
    }
}

#[tokio::test]
async fn without_its_database_everything_is_unavailable_for_now() {
    let server = Postgres::start().unwrap();
    let database = server.database().unwrap();
    let world = World::over(DatabaseSettings::Postgres { url: database.url(), max_connections: 1 }).await;
    world.active(new_mailbox("kim")).await;
    let inbox = world.uuid_of("kim").await;
    drop(server);
    // At the same time, for each of them waits a while for a connection.
    let mut asked = JoinSet::new();
    for operation in world.client.document.operations_of(Dialect::Coldsend) {
        let path = operation.path.replace("{inbox_id}", &inbox).replace("{job_id}", FOREIGN);
        asked.spawn(world.coldsend(operation.method.clone(), &path).json(&body(&path, &inbox)).send());
    }
    for answer in asked.join_all().await {
        assert_eq!(answer.detail(), (503, "The service is temporarily unavailable; try again shortly"));
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_internal_error() {
    let database = Postgres::shared().unwrap().database().unwrap();
    let world = World::over(DatabaseSettings::Postgres { url: database.url(), max_connections: 2 }).await;
    world.active(new_mailbox("kim")).await;
    let one = format!("{ACCOUNTS}/{}", world.uuid_of("kim").await);
    database.execute("UPDATE mailboxes SET status = 'planted'").unwrap();
    for (method, path) in [(Method::GET, ACCOUNTS), (Method::GET, one.as_str()), (Method::DELETE, one.as_str())] {
        let answer = world.coldsend(method, path).send().await;
        assert_eq!(answer.detail(), (500, "Internal server error"), "{path}");
    }
    database.execute("UPDATE mailboxes SET status = 'active'").unwrap();
    assert_eq!(world.cs_get(&one).await.status, 200);
}

/// The lists of the document are as long as those of the answers.
#[tokio::test]
async fn the_document_is_strict() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let one = format!("{ACCOUNTS}/{}", world.uuid_of("kim").await);
    for (path, inner) in
        [(ACCOUNTS, ""), (ACCOUNTS, "/sender_accounts/0"), (ACCOUNTS, "/pagination"), (one.as_str(), "")]
    {
        let answer = world.cs_get(path).await;
        let operation = world.client.document.operation(&Method::GET, path).unwrap();
        assert!(operation.allows(200, &answer.body) && !operation.allows(201, &answer.body));
        for name in answer.body.pointer(inner).unwrap().as_object().unwrap().keys() {
            let mut body = answer.body.clone();
            body.pointer_mut(inner).unwrap().as_object_mut().unwrap().remove(name);
            assert!(!operation.allows(200, &body), "{path} {inner} without {name}");
        }
        let mut body = answer.body.clone();
        body.pointer_mut(inner).unwrap().as_object_mut().unwrap().insert("surprise".to_owned(), Value::Null);
        assert!(!operation.allows(200, &body), "{path} {inner}");
    }
}

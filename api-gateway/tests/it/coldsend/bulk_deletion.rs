//! `POST /sender-accounts/bulk/delete`, which answers when all is deleted, and the route that reports it later.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ACCOUNTS, FOREIGN, faults, is_time, is_uuid, new_mailbox, places, text};
use crate::client::Answer;
use crate::world::World;

async fn delete(world: &World, ids: &[&str]) -> Answer {
    world.cs_post(&format!("{ACCOUNTS}/bulk/delete"), &json!({"inbox_ids": ids, "confirm_deletion": true})).await
}

async fn progress(world: &World, job: &str) -> Value {
    let answer = world.cs_get(&format!("{ACCOUNTS}/bulk/delete/{job}/progress")).await;
    assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{answer:?}");
    answer.body["job"].clone()
}

#[tokio::test]
async fn what_is_there_is_deleted_and_the_rest_skipped() {
    let world = World::start().await;
    let mut ids = vec![];
    for name in ["a", "b", "kept"] {
        world.active(new_mailbox(name)).await;
        ids.push(world.uuid_of(name).await);
    }
    let (other, key) = world.other_team().await;
    world.store.create_mailbox(other, world.owner, new_mailbox("theirs")).await.unwrap();
    let theirs = world.client.call_with_key(Method::GET, ACCOUNTS, &key).send().await;
    let theirs = text(&theirs.body["sender_accounts"][0]["inbox_id"]).to_owned();

    let shouted = ids[1].to_uppercase();
    let answer = delete(&world, &[&ids[0], FOREIGN, &shouted, &theirs, &ids[0]]).await;
    let gone = |id: &str, name: &str| json!({"email_address": format!("{name}@out.example"), "success": true, "inbox_id": id, "error": null});
    let unknown = |id: Value| json!({"email_address": null, "success": false, "inbox_id": id, "error": "Sender account not found"});
    let results = |foreign: Value| {
        json!([
            gone(&ids[0], "a"),
            unknown(foreign),
            gone(&ids[1], "b"),
            unknown(json!(theirs)),
            unknown(json!(ids[0]))
        ])
    };
    let expected = json!({
        "success": true, "message": "Bulk deletion completed", "total": 5, "deleted_count": 2, "failed_count": 0,
        "job_id": answer.body["job_id"], "skipped_count": 3, "results": results(json!(FOREIGN)),
    });
    assert_eq!((answer.status, &answer.body), (200, &expected));
    assert!(is_uuid(&answer.body["job_id"]));

    let job = progress(&world, text(&answer.body["job_id"])).await;
    assert!(is_time(&job["started_at"]) && is_time(&job["completed_at"]));
    let expected = json!({
        "job_id": answer.body["job_id"], "status": "COMPLETED", "progress_percentage": 100, "total_rows": 5,
        "processed_count": 5, "success_count": 2, "failed_count": 0, "skipped_count": 3,
        "started_at": job["started_at"], "completed_at": job["completed_at"],
        // A UUID that was never ours is not kept.
        "results": results(Value::Null),
    });
    assert_eq!(job, expected);
    let left = world.cs_get(ACCOUNTS).await;
    assert_eq!(left.body["sender_accounts"][0]["inbox_id"], json!(ids[2]));
    assert_eq!((world.usage().await, world.store.count_mailboxes(other).await.unwrap()), (2, 1));
}

#[tokio::test]
async fn it_must_be_meant() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let id = world.uuid_of("kim").await;
    let path = format!("{ACCOUNTS}/bulk/delete");
    for no in [json!(false), json!("false")] {
        let answer = world.cs_post(&path, &json!({"inbox_ids": [id], "confirm_deletion": no})).await;
        assert_eq!(answer.detail(), (400, "Bulk deletion must be confirmed"));
    }
    for (body, place, kind) in [
        (json!({"inbox_ids": [id]}), "confirm_deletion", "value_error.missing"),
        (json!({"inbox_ids": [id], "confirm_deletion": null}), "confirm_deletion", "type_error.none.not_allowed"),
        (json!({"inbox_ids": [id], "confirm_deletion": "yes"}), "confirm_deletion", "type_error.bool"),
        (json!({"confirm_deletion": false}), "inbox_ids", "value_error.missing"),
    ] {
        let answer = world.cs_post(&path, &body).await;
        let faults: Vec<_> = faults(&answer).into_iter().map(|(loc, _, kind)| (loc, kind)).collect();
        assert_eq!(faults, [(json!(["body", place]), kind)], "{body}");
    }
    assert_eq!(world.usage().await, 1);
    let meant = world.cs_post(&path, &json!({"inbox_ids": [id], "confirm_deletion": "true"})).await;
    assert_eq!((meant.status, world.usage().await), (200, 0));
}

#[tokio::test]
async fn ids_that_are_none() {
    let world = World::start().await;
    let path = format!("{ACCOUNTS}/bulk/delete");
    for (ids, expected) in [
        (json!([]), &[("body.inbox_ids", "value_error.list.min_items")][..]),
        (json!(vec![FOREIGN; 101]), &[("body.inbox_ids", "value_error.list.max_items")]),
        (json!(FOREIGN), &[("body.inbox_ids", "type_error.list")]),
        (
            json!([FOREIGN, "nonsense", null, 5, ""]),
            &[
                ("body.inbox_ids.1", "type_error.uuid"),
                ("body.inbox_ids.2", "type_error.none.not_allowed"),
                ("body.inbox_ids.3", "type_error.uuid"),
                ("body.inbox_ids.4", "type_error.uuid"),
            ],
        ),
    ] {
        let answer = world.cs_post(&path, &json!({"inbox_ids": ids, "confirm_deletion": true})).await;
        let places = places(&answer);
        let told: Vec<_> =
            places.iter().map(String::as_str).zip(faults(&answer)).map(|(at, (.., kind))| (at, kind)).collect();
        assert_eq!(told, expected);
    }
    let all = world.cs_post(&path, &json!({"inbox_ids": vec![FOREIGN; 100], "confirm_deletion": true})).await;
    assert_eq!((all.status, &all.body["skipped_count"]), (200, &json!(100)));
}

#[tokio::test]
async fn a_job_is_its_teams_own() {
    let world = World::start().await;
    let (_, other) = world.other_team().await;
    let job = text(&delete(&world, &[FOREIGN]).await.body["job_id"]).to_owned();
    let path = format!("{ACCOUNTS}/bulk/delete/{job}/progress");
    assert_eq!(world.cs_get(&path).await.status, 200);
    let foreign = world.client.call_with_key(Method::GET, &path, &other).send().await;
    assert_eq!(foreign.detail(), (404, "Job not found"));
    let as_creation = world.cs_get(&format!("{ACCOUNTS}/smtp/bulk/{job}/progress")).await;
    assert_eq!(as_creation.detail(), (404, "Job not found"));
}

//! `If-Match` and `If-None-Match` on everything that can be read by itself.

use mail_lab::{Database, Postgres};
use reqwest::Method;
use serde_json::{Value, json};
use shared_models::store::DatabaseSettings;
use tokio::task::JoinSet;

use super::domains::COMPLETE;
use crate::client::Answer;
use crate::world::World;

/// Changes of one resource that are all different.
const CHANGES: usize = 8;

/// A resource, the method that changes it, and the changes.
struct Resource {
    path: String,
    method: Method,
    bodies: Vec<Value>,
}

/// One world on each backend; the database goes away with the value beside it.
async fn worlds() -> [(World, Option<Database>); 2] {
    let database = Postgres::shared().unwrap().database().unwrap();
    let settings = DatabaseSettings::Postgres { url: database.url(), max_connections: 8 };
    [(World::start().await, None), (World::over(settings).await, Some(database))]
}

async fn post(world: &World, path: &str, body: &Value) -> String {
    let answer = world.sendmux(Method::POST, path).json(body).ask().await;
    format!("{path}/{}", answer.ok(201)["id"].as_str().or(answer.body["data"]["mailbox"]["id"].as_str()).unwrap())
}

async fn resources(world: &World) -> Vec<Resource> {
    let domain = post(world, "/domains", &json!({"domain": "acme.example"})).await;
    world.find_records(COMPLETE).await;
    let mailbox = post(world, "/mailboxes", &json!({"email": "kim@acme.example"})).await;
    let provider = json!({
        "name": "Relay", "smtp_host": "smtp.relay.example", "smtp_port": 587, "smtp_protocol": "starttls",
        "smtp_username": "relay", "smtp_password": "sesame",
    });
    let provider = post(world, "/providers", &provider).await;
    let each = |body: fn(usize) -> Value| (0..CHANGES).map(body).collect::<Vec<_>>();
    let rules = |n: usize| json!({"mode": "denylist", "rules": [{"type": "deny", "pattern": format!("n{n}.example"), "note": null}]});
    let change = |path: &str, method, bodies| Resource { path: path.to_owned(), method, bodies };
    vec![
        change(&mailbox, Method::PATCH, each(|n| json!({"display_name": format!("Kim {n}")}))),
        change(&provider, Method::PATCH, each(|n| json!({"name": format!("Relay {n}")}))),
        change(&format!("{domain}/filters"), Method::PUT, each(rules)),
        change(&format!("{mailbox}/filters"), Method::PUT, each(rules)),
    ]
}

async fn read(world: &World, path: &str) -> Answer {
    let answer = world.sendmux(Method::GET, path).ask().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_of_the_same_state_one_is_made() {
    for (world, _database) in worlds().await {
        for Resource { path, method, bodies } in resources(&world).await {
            let tag = read(&world, &path).await.header("etag").to_owned();
            let calls = bodies.iter().map(|body| {
                let call = world.sendmux(method.clone(), &path).header("If-Match", &tag);
                call.json(body).ask()
            });
            let answers = calls.collect::<JoinSet<_>>().join_all().await;
            let now = read(&world, &path).await;
            let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
            assert_eq!((made.len(), refused.len()), (1, CHANGES - 1), "{path} {answers:?}");
            assert_eq!((made[0].header("etag"), made[0].ok(200)), (now.header("etag"), now.ok(200)), "{path}");
            assert_ne!(now.header("etag"), tag);
            for answer in refused {
                assert_eq!((answer.error(), answer.header("etag")), ((409, "conflict", None), now.header("etag")));
            }
        }
    }
}

#[tokio::test]
async fn without_the_header_or_with_any_every_change_is_made() {
    let world = World::start().await;
    for Resource { path, method, bodies } in resources(&world).await {
        let mut tags = vec![read(&world, &path).await.header("etag").to_owned()];
        for (n, body) in bodies.iter().enumerate() {
            let call = world.sendmux(method.clone(), &path).json(body);
            let own = format!("\"a\", {}", tags[n]);
            let call = match n {
                0 => call,
                1 => call.header("If-Match", "*"),
                2 => call.header("If-Match", &own),
                _ => call.header("If-Match", tags[n].trim_start_matches("W/")),
            };
            let answer = call.ask().await;
            assert_eq!(answer.status, 200, "{path} {answer:?}");
            let now = read(&world, &path).await;
            assert_eq!((answer.header("etag"), answer.ok(200)), (now.header("etag"), now.ok(200)));
            tags.push(now.header("etag").to_owned());
        }
        let known = world.sendmux(Method::GET, &path).header("If-None-Match", tags.last().unwrap()).ask().await;
        assert_eq!((known.status, known.header("etag")), (304, tags.last().unwrap().as_str()));
        let old = world.sendmux(Method::GET, &path).header("If-None-Match", &tags[0]).ask().await;
        assert_eq!(old.status, 200);
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let world = World::start().await;
    for Resource { path, method, bodies } in resources(&world).await {
        let before = read(&world, &path).await;
        for wrong in ["\"0123456789abcdef\"", "W/\"\"", "nonsense"] {
            let call = world.sendmux(method.clone(), &path).header("If-Match", wrong).json(&bodies[0]);
            let refused = call.ask().await;
            assert_eq!((refused.error(), refused.header("etag")), ((409, "conflict", None), before.header("etag")));
        }
        assert_eq!(read(&world, &path).await.ok(200), before.ok(200));
    }
}

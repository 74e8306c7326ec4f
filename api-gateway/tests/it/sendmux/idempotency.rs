//! `Idempotency-Key`: carried out once, answered always.

use std::collections::BTreeSet;

use mail_lab::{Database, Postgres};
use reqwest::Method;
use serde_json::json;
use shared_models::domain::tenancy::KeyText;
use shared_models::store::{Begun, DatabaseSettings, RepeatableRequest};
use tokio::task::JoinSet;

use super::domains::COMPLETE;
use crate::client::Answer;
use crate::world::{Options, PATIENT, World};

const CONFLICT: (u16, &str, Option<&str>) = (409, "idempotency_conflict", None);

impl World {
    async fn add_domain(&self, key: &str, name: &str) -> Answer {
        self.add_domain_as(&self.sendmux_key, key, &json!({"domain": name}).to_string()).await
    }

    async fn add_domain_as(&self, team_key: &str, key: &str, body: &str) -> Answer {
        let call = self.sendmux_with(Method::POST, "/domains", team_key).header("Idempotency-Key", key);
        call.raw(Some("application/json"), body.to_owned()).ask().await
    }

    async fn domain_names(&self) -> Vec<String> {
        let page = self.store.list_domains(self.workspace, None, 100).await.unwrap();
        page.items.iter().map(|domain| domain.name.as_str().to_owned()).collect()
    }
}

/// Everything that a replay repeats.
fn told(answer: &Answer) -> (u16, &str, &str, String) {
    (answer.status, answer.header("location"), answer.header("x-request-id"), answer.body.to_string())
}

/// One world on each backend; the database goes away with the value beside it.
async fn worlds() -> [(World, Option<Database>); 2] {
    let database = Postgres::shared().unwrap().database().unwrap();
    let settings = DatabaseSettings::Postgres { url: database.url(), max_connections: 8 };
    [(World::start().await, None), (World::over(settings).await, Some(database))]
}

#[tokio::test]
async fn a_repetition_is_answered_with_the_first_answer() {
    for (world, _database) in worlds().await {
        let first = world.add_domain("k", "one.example").await;
        assert_eq!((first.status, first.ok(201)["domain"].as_str()), (201, Some("one.example")));
        for _ in 0..3 {
            assert_eq!(told(&world.add_domain("k", "one.example").await), told(&first));
        }
        assert_eq!(world.domain_names().await, ["one.example"]);
        let fresh = world.sendmux(Method::GET, "/domains").ask().await;
        assert_ne!(fresh.header("x-request-id"), first.header("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_is_carried_out() {
    for (world, _database) in worlds().await {
        for round in 0..3 {
            let name = format!("round{round}.example");
            let mut requests = JoinSet::new();
            for _ in 0..50 {
                let call = world.sendmux(Method::POST, "/domains").header("Idempotency-Key", &name);
                requests.spawn(call.json(&json!({"domain": name})).ask());
            }
            let answers = requests.join_all().await;
            let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
            assert!(!done.is_empty());
            let distinct: BTreeSet<String> = done.iter().map(|answer| format!("{:?}", told(answer))).collect();
            assert_eq!(distinct.len(), 1, "all of them are the same answer: {distinct:#?}");
            assert!(refused.iter().all(|answer| answer.error() == CONFLICT), "{refused:?}");
            assert_eq!(told(&world.add_domain(&name, &name).await), told(done[0]));
        }
        assert_eq!(world.domain_names().await, ["round2.example", "round1.example", "round0.example"]);
    }
}

#[tokio::test]
async fn another_body_is_another_request() {
    let world = World::start().await;
    let first = world.add_domain("k", "one.example").await;
    for body in [
        r#"{"domain":"two.example"}"#,
        r#"{"domain": "one.example"}"#,
        r#"{"domain":"one.example","mode":"send_receive"}"#,
    ] {
        let other = world.add_domain_as(&world.sendmux_key, "k", body).await;
        assert_eq!(other.error(), CONFLICT, "{body}");
        assert_eq!(other.body["error"]["message"], "This Idempotency-Key was used with another request");
    }
    assert_eq!(told(&world.add_domain("k", "one.example").await), told(&first));
    assert_eq!(world.domain_names().await, ["one.example"]);
}

#[tokio::test]
async fn while_the_first_one_is_under_way_the_others_are_refused() {
    let world = World::start().await;
    let body = json!({"domain": "one.example"}).to_string();
    let content = [b"\0", body.as_bytes()].concat().into();
    let first =
        RepeatableRequest { workspace: world.workspace, endpoint: "POST /domains", key: "k".to_owned(), content };
    let Begun::First(ticket) = world.store.begin_once(first).await.unwrap() else { panic!("it is the first") };
    let twin = world.add_domain("k", "one.example").await;
    assert_eq!(twin.error(), CONFLICT);
    let message = "The first request with this Idempotency-Key is still being processed";
    assert_eq!(twin.body["error"]["message"], message);
    assert_eq!(world.domain_names().await, [""; 0]);
    world.store.give_up_once(&ticket).await.unwrap();
    assert_eq!(world.add_domain("k", "one.example").await.status, 201);
}

#[tokio::test]
async fn only_successes_are_kept() {
    let world = World::start().await;
    let id = world.add_domain("first", "one.example").await.ok(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(world.add_domain("k", "one.example").await.error(), (409, "conflict", None));
    assert_eq!(world.add_domain("k", "nonsense").await.error(), (400, "invalid_parameter", Some("domain")));
    let removed = world.sendmux(Method::DELETE, &format!("/domains/{id}")).ask().await;
    assert_eq!(removed.status, 200);
    let second = world.add_domain("k", "one.example").await;
    assert_eq!(second.status, 201, "what failed left the key free");
    assert_ne!(second.ok(201)["id"], id.as_str());
    // The first answer is repeated although the domain that it describes is deleted.
    assert_eq!(world.add_domain("first", "one.example").await.ok(201)["id"], id.as_str());
}

#[tokio::test]
async fn a_key_counts_within_its_team() {
    let world = World::start().await;
    let (_, stranger) = world.sendmux_stranger().await;
    let first = world.add_domain("k", "one.example").await;
    let body = json!({"domain": "one.example"}).to_string();
    let theirs = world.add_domain_as(&stranger, "k", &body).await;
    assert_ne!(theirs.ok(201)["id"], first.ok(201)["id"]);
    let colleague = world.make_key("sendmux-root", world.owner, Some(world.workspace)).await;
    assert_eq!(told(&world.add_domain_as(&colleague, "k", &body).await), told(&first));
    let reader = world.sendmux_key(&["root:readonly"]).await;
    let refused = world.add_domain_as(&reader, "k", &body).await;
    assert_eq!(refused.error(), (403, "insufficient_permissions", None));
}

#[tokio::test]
async fn what_counts_as_a_key() {
    let world = World::start().await;
    for (n, key) in ["k", "K", "k k", "a:b", "schlüssel", &"k".repeat(255), &"ü".repeat(255)].into_iter().enumerate()
    {
        let name = format!("d{n}.example");
        let first = world.add_domain(key, &name).await;
        assert_eq!(told(&world.add_domain(key, &name).await), told(&first), "{key}");
        assert_eq!(told(&world.add_domain(&format!("  {key} "), &name).await), told(&first), "{key}");
    }
    for key in ["", "   "] {
        let name = format!("none{}.example", key.len());
        assert_eq!(world.add_domain(key, &name).await.status, 201);
        assert_eq!(world.add_domain(key, &name).await.error(), (409, "conflict", None), "an empty key is none");
    }
    for key in ["k".repeat(256), "ü".repeat(256)] {
        let refused = world.add_domain(&key, "long.example").await;
        assert_eq!(refused.error(), (400, "invalid_parameter", Some("Idempotency-Key")));
        assert_eq!(refused.faults(), [("Idempotency-Key", "too_big")]);
    }
}

#[tokio::test]
async fn repetitions_count_against_the_limit() {
    let world = World::with(Options { sendmux_per_minute: 3, ..PATIENT }).await;
    for left in ["2", "1", "0"] {
        let answer = world.add_domain("k", "one.example").await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (201, left));
    }
    assert_eq!(world.add_domain("k", "one.example").await.error(), (429, "rate_limit_exceeded", None));
}

/// The secret of a mailbox is shown once, to whoever asks in these words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_and_its_secret_are_made_once() {
    for (world, _database) in worlds().await {
        world.domain("acme.example", "send_receive").await;
        world.find_records(COMPLETE).await;
        let create = || {
            let call = world.sendmux(Method::POST, "/mailboxes").header("Idempotency-Key", "k");
            call.json(&json!({"email": "kim@acme.example"})).ask()
        };
        let answers = (0..50).map(|_| create()).collect::<JoinSet<_>>().join_all().await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert!(refused.iter().all(|answer| answer.error() == CONFLICT), "{refused:?}");
        let first = done[0];
        let secret = first.ok(201)["credential"]["secret"].as_str().unwrap();
        assert!(secret.starts_with("smx_mbx_"), "{secret}");
        for again in done.iter().skip(1).copied().chain([&create().await]) {
            assert_eq!(told(again), told(first));
        }
        assert!(world.store.mailbox_key(KeyText::new(secret)).await.unwrap().is_some());
        let mailboxes = world.store.list_hosted_mailboxes(world.workspace, true, None, 100).await.unwrap();
        assert_eq!((mailboxes.items.len(), world.usage().await), (1, 1));

        // A key of that family is a good one, and no team's.
        let answer = world.sendmux_with(Method::GET, "/me", secret).ask().await;
        assert_eq!(answer.error(), (403, "insufficient_permissions", None));
    }
}

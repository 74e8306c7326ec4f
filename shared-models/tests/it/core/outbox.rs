//! The outbox, on PostgreSQL only: a message broker needs it.

use std::sync::Arc;
use std::time::Duration;

use shared_models::domain::CoreError;
use shared_models::events::Envelope;
use shared_models::store::{OutboxEvent, Relayed, Store};
use tokio::sync::Notify;

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, UNLIMITED, accepted, mailbox};

async fn bench() -> (TestDatabase, Store, Tenant) {
    let database = TestDatabase::postgres();
    let store = database.open_with_outbox().await;
    let tenant = Tenant::with_plan(&store, "owner@tenant.example", UNLIMITED).await;
    (database, store, tenant)
}

fn ids(events: &[OutboxEvent]) -> Vec<i64> {
    events.iter().map(|event| event.id).collect()
}

/// Takes every event and confirms it.
async fn relay_all(store: &Store) -> Vec<OutboxEvent> {
    let (sent, events) = tokio::sync::oneshot::channel();
    let publish = |events: Vec<OutboxEvent>| async move {
        let all = ids(&events);
        sent.send(events).unwrap();
        all
    };
    match store.relay_outbox(100, publish).await.unwrap().taken {
        0 => vec![],
        _ => events.await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_there_once_and_nothing_that_did_not_happen() {
    let (database, store, tenant) = bench().await;
    let id = tenant.add(mailbox("dana")).await.id;
    let again = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await;
    assert!(matches!(again, Err(CoreError::AlreadyExists)));
    store.settle_verification(id, accepted()).await.unwrap();
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!(database.count("queue_messages"), 0);
    let backlog = store.outbox_backlog().await.unwrap();
    assert_eq!(backlog.pending, 3);
    assert!(backlog.oldest.unwrap().remaining().is_zero());
    let events = relay_all(&store).await;
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["mailbox.created", "mailbox.activated", "mailbox.deleted"]);
    for event in events {
        let envelope = Envelope::parse(event.envelope.as_bytes()).unwrap();
        assert_eq!((envelope.id.to_string(), envelope.event.mailbox().unwrap().mailbox_id), (event.event_id, id));
    }
    assert_eq!((store.outbox_backlog().await.unwrap().pending, database.count("outbox")), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unconfirmed_event_stays() {
    let (_home, store, tenant) = bench().await;
    for name in ["a", "b", "c"] {
        tenant.add(mailbox(name)).await;
    }
    let second_only = |events: Vec<OutboxEvent>| async move { vec![events[1].id] };
    assert_eq!(store.relay_outbox(2, second_only).await.unwrap(), Relayed { taken: 2, confirmed: 1 });
    let nothing = |_: Vec<OutboxEvent>| async move { vec![] };
    assert_eq!(store.relay_outbox(10, nothing).await.unwrap(), Relayed { taken: 2, confirmed: 0 });
    assert_eq!(relay_all(&store).await.len(), 2);
    assert!(relay_all(&store).await.is_empty());
}

/// Two gateways relay at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_in_one_hand_at_a_time() {
    let (database, store, tenant) = bench().await;
    let other = database.open_with_outbox().await;
    for name in ["a", "b", "c"] {
        tenant.add(mailbox(name)).await;
    }
    let (holds, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = {
        let (store, holds, go) = (store.clone(), holds.clone(), go.clone());
        let publish = move |events: Vec<OutboxEvent>| async move {
            holds.notify_one();
            go.notified().await;
            ids(&events)
        };
        tokio::spawn(async move { store.relay_outbox(2, publish).await.unwrap() })
    };
    holds.notified().await;
    assert_eq!(relay_all(&other).await.len(), 1, "the two that the first one holds are passed over");
    go.notify_one();
    assert_eq!(first.await.unwrap(), Relayed { taken: 2, confirmed: 2 });
    assert_eq!(database.count("outbox"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_dies_gives_its_events_back() {
    let (_home, store, tenant) = bench().await;
    tenant.add(mailbox("dana")).await;
    let dying = |_: Vec<OutboxEvent>| async move { panic!("on purpose") };
    assert!(store.relay_outbox(10, dying).await.is_err());
    assert_eq!(relay_all(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_the_relay() {
    let (_home, store, tenant) = bench().await;
    for name in ["a", "b"] {
        let waiting = store.clone();
        let relay = tokio::spawn(async move { waiting.outbox_filled(Duration::from_secs(600)).await });
        tenant.add(mailbox(name)).await;
        tokio::time::timeout(Duration::from_secs(30), relay).await.unwrap().unwrap();
    }
}

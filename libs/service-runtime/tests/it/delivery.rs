//! The contract of a broker: delivery, settling and redelivery.

use std::time::{Duration, Instant};

use service_runtime::shutdown::CancellationToken;
use tokio::task::JoinSet;

use crate::bench::{Bench, PATIENCE, about, receive, receive_one, soon, subscribe, until};

contract!(
    a_commit_is_what_delivers,
    a_message_that_was_there_before_is_delivered,
    messages_come_in_order,
    an_acknowledged_message_does_not_come_again,
    a_failed_try_counts_and_waits,
    a_message_given_back_does_not_count,
    a_dead_letter_is_parked_with_its_reason,
    a_message_without_an_end_comes_again,
    subscriptions_share_the_work,
    a_stopped_subscription_takes_nothing,
);

/// An idle subscription sleeps for a minute unless it is woken: without its wake-up each message would come too late.
async fn a_commit_is_what_delivers(bench: Bench) {
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    for _ in 0..20 {
        let waiting = tokio::spawn(async move {
            let delivery = receive_one(&mut subscription).await;
            (subscription, delivery)
        });
        let published = bench.publish().await;
        let (again, delivery) = waiting.await.unwrap();
        subscription = again;
        assert_eq!(about(&*delivery), published);
        assert_eq!((delivery.attempt(), delivery.deliveries()), (1, 1));
        delivery.ack().await.unwrap();
    }
}

async fn a_message_that_was_there_before_is_delivered(bench: Bench) {
    let published = bench.publish().await;
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    assert_eq!(about(&*receive_one(&mut subscription).await), published);
}

async fn messages_come_in_order(bench: Bench) {
    let mut published = vec![];
    for _ in 0..9 {
        published.push(bench.publish().await);
    }
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let (mut received, mut limits) = (vec![], [1, 3, 2].into_iter());
    while received.len() < published.len() {
        let deliveries = receive(&mut subscription, limits.next().unwrap_or(100)).await;
        received.extend(deliveries.iter().map(|delivery| about(&**delivery)));
    }
    assert_eq!(received, published);
}

async fn an_acknowledged_message_does_not_come_again(bench: Bench) {
    let broker = bench.short_leased();
    let mut subscription = subscribe(&*broker);
    bench.publish().await;
    let delivery = receive_one(&mut subscription).await;
    delivery.ack().await.unwrap();
    // Settling twice is a mistake without effect.
    let _ = delivery.ack().await;
    until(async || bench.depth().await == (0, 0)).await;
    let second = bench.publish().await;
    assert_eq!(about(&*receive_one(&mut subscription).await), second);
}

async fn a_failed_try_counts_and_waits(bench: Bench) {
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let published = bench.publish().await;
    let delay = Duration::from_millis(60);
    let mut returned: Option<Instant> = None;
    for tries in 1..=3 {
        let delivery = receive_one(&mut subscription).await;
        // The store rounds to milliseconds.
        assert!(returned.is_none_or(|at| at.elapsed() >= delay - Duration::from_millis(1)));
        assert_eq!((about(&*delivery), delivery.attempt(), delivery.deliveries()), (published, tries, tries));
        returned = Some(Instant::now());
        delivery.retry(delay, true).await.unwrap();
    }
    drop(subscription);
    until(async || bench.depth().await == (1, 0)).await;
}

async fn a_message_given_back_does_not_count(bench: Bench) {
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    bench.publish().await;
    for deliveries in 1..=4 {
        let delivery = receive_one(&mut subscription).await;
        assert_eq!((delivery.attempt(), delivery.deliveries()), (1, deliveries));
        delivery.retry(Duration::ZERO, false).await.unwrap();
    }
    drop(subscription);
    until(async || bench.depth().await == (1, 0)).await;
}

async fn a_dead_letter_is_parked_with_its_reason(bench: Bench) {
    let broker = bench.short_leased();
    let mut subscription = subscribe(&*broker);
    bench.publish().await;
    let delivery = receive_one(&mut subscription).await;
    delivery.dead_letter("nobody can read it: 'ü'".to_owned()).await.unwrap();
    until(async || bench.depth().await == (0, 1)).await;
    let next = bench.publish().await;
    assert_eq!(about(&*receive_one(&mut subscription).await), next, "only the living one comes");
}

/// As after the death of the consumer or its process.
async fn a_message_without_an_end_comes_again(bench: Bench) {
    let published = bench.publish().await;
    let dying = bench.short_leased();
    let mut subscription = subscribe(&*dying);
    let delivery = receive_one(&mut subscription).await;
    drop((delivery, subscription, dying));
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let delivery = receive_one(&mut subscription).await;
    assert_eq!((about(&*delivery), delivery.attempt(), delivery.deliveries()), (published, 1, 2));
}

async fn subscriptions_share_the_work(bench: Bench) {
    let mut published = vec![];
    for _ in 0..30 {
        published.push(bench.publish().await);
    }
    let broker = bench.broker();
    let stop = CancellationToken::new();
    let (received, mut arriving) = tokio::sync::mpsc::unbounded_channel();
    let mut workers = JoinSet::new();
    for _ in 0..3 {
        let (mut subscription, stop, received) = (subscribe(&*broker), stop.clone(), received.clone());
        workers.spawn(async move {
            while let Some(delivery) = subscription.receive(1, &stop).await.unwrap().pop() {
                assert_eq!(delivery.deliveries(), 1);
                received.send(about(&*delivery)).unwrap();
                delivery.ack().await.unwrap();
            }
        });
    }
    let mut seen = vec![];
    while seen.len() < published.len() {
        seen.push(soon(arriving.recv()).await.unwrap());
    }
    until(async || bench.depth().await == (0, 0)).await;
    stop.cancel();
    soon(workers.join_all()).await;
    assert!(arriving.try_recv().is_err());
    seen.sort_unstable();
    assert_eq!(seen, published);
}

async fn a_stopped_subscription_takes_nothing(bench: Bench) {
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let stop = CancellationToken::new();
    let waiting = stop.clone();
    let waiting = tokio::spawn(async move { subscription.receive(5, &waiting).await.unwrap().len() });
    stop.cancel();
    assert_eq!(tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap(), 0);
    let mut subscription = subscribe(&*broker);
    bench.publish().await;
    assert!(subscription.receive(5, &stop).await.unwrap().is_empty());
    assert_eq!(receive_one(&mut subscription).await.deliveries(), 1);
}

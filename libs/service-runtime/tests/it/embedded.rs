//! The further contract of the brokers inside the database.

use std::sync::Arc;

use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::shutdown::CancellationToken;

use crate::bench::{Bench, QUEUE, SHORT_LEASE, about, receive_one, soon, subscribe, until};

embedded_contract!(messages_of_other_processes_are_found, a_lease_is_renewed_while_work_goes_on);

async fn messages_of_other_processes_are_found(bench: Bench) {
    let other = bench.another_process().await;
    let broker = EmbeddedBroker::new(bench.store.clone(), Sharing::WithOthers);
    let mut subscription = subscribe(&broker);
    for _ in 0..2 {
        let published = bench.publish_through(&other).await;
        let delivery = receive_one(&mut subscription).await;
        assert_eq!(about(&*delivery), published);
        delivery.ack().await.unwrap();
    }
}

async fn a_lease_is_renewed_while_work_goes_on(bench: Bench) {
    bench.publish().await;
    let broker = bench.short_leased();
    let mut subscription = subscribe(&*broker);
    let delivery = receive_one(&mut subscription).await;
    let claimed_until = async || bench.store.next_message_at(QUEUE).await.unwrap().unwrap();
    let first = claimed_until().await;
    // Without renewal the first claim would have run out long ago.
    until(async || claimed_until().await > first.plus(SHORT_LEASE)).await;
    assert!(first.remaining().is_zero());
    let idle = CancellationToken::new();
    let mut other = subscribe(&*broker);
    let second = bench.publish().await;
    let received = soon(other.receive(10, &idle)).await.unwrap();
    assert_eq!(received.iter().map(|delivery| about(&**delivery)).collect::<Vec<_>>(), [second]);
    delivery.ack().await.unwrap();
    assert_eq!(bench.depth().await, (1, 0));
}

/// The polling broker is the clock: during three of its polls the other one, which commits wake, makes no query.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_subscription_asks_nothing() {
    let (idle, clock) = (Bench::embedded_on_postgres().await, Bench::embedded_on_postgres().await);
    let stop = CancellationToken::new();
    let mut waiting = vec![];
    let looking = Arc::new(EmbeddedBroker::new(clock.store.clone(), Sharing::WithOthers));
    for broker in [idle.broker(), looking] {
        let (mut subscription, stop) = (subscribe(&*broker), stop.clone());
        waiting.push(tokio::spawn(async move { subscription.receive(1, &stop).await.unwrap().len() }));
    }
    let ticks = async |count: usize| {
        for _ in 0..count {
            let before = clock.last_question();
            until(async || clock.last_question() != before).await;
        }
    };
    ticks(2).await;
    let before = idle.last_question();
    ticks(3).await;
    assert_eq!(idle.last_question(), before);
    stop.cancel();
    for subscription in waiting {
        assert_eq!(subscription.await.unwrap(), 0);
    }
}

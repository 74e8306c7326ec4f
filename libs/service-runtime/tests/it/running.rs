//! The runner while it runs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use shared_models::domain::MailboxId;

use crate::bench::{Bench, receive_one, subscribe, until};
use crate::worker::{Act, Call, Running, Worker};

contract!(
    a_handled_event_is_acknowledged,
    a_temporary_fault_is_tried_again,
    a_fault_or_panic_costs_one_delivery,
    what_cannot_be_read_is_parked,
    what_never_ends_is_parked,
    no_more_at_once_than_allowed,
);

async fn a_handled_event_is_acknowledged(bench: Bench) {
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    for _ in 0..5 {
        let mailbox = bench.publish().await;
        assert_eq!(running.next_call().await, Call { mailbox, attempt: 1 });
    }
    until(async || bench.depth().await == (0, 0)).await;
    assert_eq!(running.stop().await.finished(), 5);
}

async fn a_temporary_fault_is_tried_again(bench: Bench) {
    let retry = |call: Call| if call.attempt < 4 { Act::Retry(Duration::from_millis(5)) } else { Act::Finish };
    let mut running = Running::start(bench.broker(), Worker::new(retry));
    let mailbox = bench.publish().await;
    for attempt in 1..=4 {
        assert_eq!(running.next_call().await, Call { mailbox, attempt });
    }
    until(async || bench.depth().await == (0, 0)).await;
    assert_eq!(running.stop().await.finished(), 1);
}

/// A fault of ours does not use up the attempts of the mailbox.
async fn a_fault_or_panic_costs_one_delivery(bench: Bench) {
    let (failing, panicking, fine) = (bench.publish().await, bench.publish().await, bench.publish().await);
    let met = Mutex::new(HashMap::<MailboxId, u32>::new());
    let worker = Worker::new(move |call| {
        let mut met = met.lock().unwrap();
        let times = met.entry(call.mailbox).or_default();
        *times += 1;
        match *times {
            1 if call.mailbox == failing => Act::Fail,
            1 if call.mailbox == panicking => {
                drop(met);
                Act::Panic
            }
            _ => Act::Finish,
        }
    });
    let mut running = Running::start(bench.broker(), worker);
    let mut calls = vec![];
    for _ in 0..5 {
        let call = running.next_call().await;
        assert_eq!(call.attempt, 1);
        calls.push(call.mailbox);
    }
    let first: Vec<MailboxId> = {
        let mut first = calls[..3].to_vec();
        first.sort_unstable();
        first
    };
    let mut again = calls[3..].to_vec();
    again.sort_unstable();
    assert_eq!((first, again), (vec![failing, panicking, fine], vec![failing, panicking]));
    until(async || bench.depth().await == (0, 0)).await;
    assert_eq!(running.stop().await.finished(), 3);
}

async fn what_cannot_be_read_is_parked(bench: Bench) {
    let good = r#"{"id":"0197d5f4-3c1b-7c1e-8f00-000000000000","source":"mailmoor","specversion":"1.0","type":"mailbox.created",
        "subject":"mailboxes/66c0ffee12ab34cd56ef7890","time":"2026-02-03T04:05:06.000Z","datacontenttype":"application/json",
        "data":{"mailboxId":"66c0ffee12ab34cd56ef7890","workspaceId":"66c0ffee12ab34cd56ef7891"}}"#;
    let bad = [
        String::new(),
        "hello".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        good.replace("\"1.0\"", "\"2.0\""),
        good.replace("mailbox.created", "mailbox.eaten"),
        good.replace("66c0ffee12ab34cd56ef7890\",\"work", "nonsense\",\"work"),
    ];
    for body in &bad {
        bench.smuggle_in(body).await;
    }
    // The one that can be read: the others differ from it by one thing only.
    bench.smuggle_in(good).await;
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    assert_eq!(running.next_call().await.mailbox.to_string(), "66c0ffee12ab34cd56ef7890");
    let mailbox = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, mailbox);
    until(async || bench.depth().await == (0, bad.len() as i64)).await;
    for reason in bench.dead_letters().await {
        assert!(reason.starts_with("not a mailmoor event: "), "{reason}");
    }
    assert_eq!(running.stop().await.finished(), 2);
}

async fn what_never_ends_is_parked(bench: Bench) {
    bench.publish().await;
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    // Delivered this often without being settled.
    for _ in 0..25 {
        receive_one(&mut subscription).await.retry(Duration::ZERO, false).await.unwrap();
    }
    drop(subscription);
    let running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    until(async || bench.depth().await == (0, 1)).await;
    let [reason] = &bench.dead_letters().await[..] else { panic!("one") };
    // Going away may count as one more.
    assert!(["26", "27"].map(|n| format!("handed out {n} times without an end")).contains(reason), "{reason}");
    assert_eq!(running.stop().await.finished(), 0);
}

async fn no_more_at_once_than_allowed(bench: Bench) {
    let mut published = vec![];
    for _ in 0..12 {
        published.push(bench.publish().await);
    }
    let (worker, calls) = Worker::new(|_| Act::WaitForGate);
    let mut running = Running::start(bench.broker(), (worker.with_concurrency(3), calls));
    let mut seen = vec![];
    for begun in 1..=12 {
        seen.push(running.next_call().await.mailbox);
        if begun >= 3 {
            assert!(running.calls.try_recv().is_err(), "a fourth one began");
            // A worker at its limit claims no further message, so that another process could take it.
            assert_eq!(bench.has_unclaimed().await, begun < 12);
            running.worker.open_gate(1);
        }
    }
    running.worker.open_gate(2);
    until(async || bench.depth().await == (0, 0)).await;
    seen.sort_unstable();
    assert_eq!(seen, published);
    let worker = running.stop().await;
    assert_eq!((worker.finished(), worker.most_in_flight(), worker.in_flight()), (12, 3, 0));
}

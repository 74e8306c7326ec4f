//! The end of work: in order, after the grace, or with the process.

use std::time::Duration;

use crate::bench::{Bench, about, receive_one, subscribe, until};
use crate::worker::{Act, Call, Running, Worker};

contract!(
    work_in_flight_is_finished,
    what_exceeds_the_grace_is_given_back,
    an_idle_consumer_stops_at_once,
    a_process_that_dies_loses_nothing,
);

async fn work_in_flight_is_finished(bench: Bench) {
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::WaitForGate));
    let first = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, first);
    running.stop.cancel();
    let late = bench.publish().await;
    assert!(!running.has_ended(), "it waits for the work in flight");
    running.worker.open_gate(2);
    let worker = running.ended().await;
    assert_eq!((worker.finished(), worker.in_flight()), (1, 0));
    until(async || bench.depth().await == (1, 0)).await;
    let delivery = receive_one(&mut subscribe(&*bench.broker())).await;
    assert_eq!((about(&*delivery), delivery.attempt()), (late, 1));
}

async fn what_exceeds_the_grace_is_given_back(bench: Bench) {
    let (worker, calls) = Worker::new(|_| Act::WaitForGate);
    let mut running = Running::start(bench.broker(), (worker.with_grace(Duration::from_millis(30)), calls));
    let mut published = vec![];
    for _ in 0..3 {
        published.push(bench.publish().await);
        running.next_call().await;
    }
    let worker = running.stop().await;
    until(async || worker.in_flight() == 0).await;
    assert_eq!(worker.finished(), 0);
    // Delivered again at once; the interrupted attempt does not count.
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let mut back = vec![];
    for _ in 0..3 {
        let again = receive_one(&mut subscription).await;
        assert_eq!((again.attempt(), again.deliveries()), (1, 2));
        back.push(about(&*again));
    }
    back.sort_unstable();
    assert_eq!(back, published);
}

async fn an_idle_consumer_stops_at_once(bench: Bench) {
    let running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    running.stop().await;
    bench.publish().await;
    until(async || bench.depth().await == (1, 0)).await;
}

/// All tasks of the first process end where they are, as with kill -9.
async fn a_process_that_dies_loses_nothing(bench: Bench) {
    let published = [bench.publish().await, bench.publish().await, bench.publish().await];
    let dying = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (broker, (worker, calls)) = (bench.short_leased(), Worker::new(|_| Act::WaitForGate));
    let mut first = {
        let _inside = dying.enter();
        Running::start(broker, (worker.with_concurrency(2), calls))
    };
    let mut begun = [first.next_call().await.mailbox, first.next_call().await.mailbox];
    begun.sort_unstable();
    assert_eq!(begun, published[..2]);
    dying.shutdown_background();

    let mut second = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    let mut seen = vec![];
    for _ in 0..3 {
        let Call { mailbox, attempt } = second.next_call().await;
        assert_eq!(attempt, 1, "an interrupted try does not count");
        seen.push(mailbox);
    }
    seen.sort_unstable();
    assert_eq!(seen, published);
    until(async || bench.depth().await == (0, 0)).await;
    assert_eq!(second.stop().await.finished(), 3);
}

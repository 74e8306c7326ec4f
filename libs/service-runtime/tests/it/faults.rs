//! A broker whose own calls fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use service_runtime::bus::{Broker, Delivery, Subscription};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::{CoreError, Timestamp};
use shared_models::events::{Envelope, Event, MailboxRef};
use shared_models::store::DeadLetter;

use crate::worker::{Act, Running, Worker};

/// The ways in which a delivery was settled, with their numbers.
#[derive(Default)]
struct Ends {
    acked: AtomicUsize,
    given_back: AtomicUsize,
    other: AtomicUsize,
}

/// A single message; what comes before it is up to the test.
struct OneMessage {
    ends: Arc<Ends>,
    faults_before: usize,
    stop_while_receiving: bool,
    ack_fails: bool,
}

struct OneSubscription {
    faults_left: usize,
    left: Option<OneDelivery>,
    stop_while_receiving: bool,
}

struct OneDelivery {
    body: Vec<u8>,
    ends: Arc<Ends>,
    ack_fails: bool,
}

#[async_trait]
impl Broker for OneMessage {
    fn subscribe(&self, _: &'static str, _: usize) -> Box<dyn Subscription> {
        let about = MailboxRef {
            mailbox_id: "66c0ffee12ab34cd56ef7890".parse().unwrap(),
            workspace_id: "66c0ffee12ab34cd56ef7891".parse().unwrap(),
        };
        let body = serde_json::to_vec(&Envelope::new(Event::MailboxCreated(about), Timestamp::now())).unwrap();
        Box::new(OneSubscription {
            faults_left: self.faults_before,
            left: Some(OneDelivery { body, ends: self.ends.clone(), ack_fails: self.ack_fails }),
            stop_while_receiving: self.stop_while_receiving,
        })
    }

    async fn run(&self, _: CancellationToken) {}

    async fn listen(&self, _stop: CancellationToken) {}

    async fn ping(&self) -> Result<(), CoreError> {
        Ok(())
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError> {
        Ok(vec![])
    }

    async fn count_dead_letters(&self) -> Result<u64, CoreError> {
        Ok(0)
    }

    async fn replay_dead_letters(&self, _: Option<&str>) -> Result<usize, CoreError> {
        Ok(0)
    }

    async fn drop_dead_letter(&self, _: &str) -> Result<(), CoreError> {
        Err(CoreError::NotFound("dead letter"))
    }
}

#[async_trait]
impl Subscription for OneSubscription {
    async fn receive(&mut self, _: usize, stop: &CancellationToken) -> Result<Vec<Box<dyn Delivery>>, CoreError> {
        if self.faults_left > 0 {
            self.faults_left -= 1;
            return Err(CoreError::Unavailable { retry_after: Duration::ZERO, cause: "on purpose".to_owned() });
        }
        if let Some(delivery) = self.left.take() {
            if self.stop_while_receiving {
                stop.cancel();
            }
            return Ok(vec![Box::new(delivery)]);
        }
        stop.cancelled().await;
        Ok(vec![])
    }
}

#[async_trait]
impl Delivery for OneDelivery {
    fn body(&self) -> &[u8] {
        &self.body
    }

    fn attempt(&self) -> u32 {
        1
    }

    fn deliveries(&self) -> u32 {
        1
    }

    async fn ack(&self) -> Result<(), CoreError> {
        self.ends.acked.fetch_add(1, Ordering::SeqCst);
        if self.ack_fails { Err(CoreError::Internal("on purpose".to_owned())) } else { Ok(()) }
    }

    async fn retry(&self, delay: Duration, failed: bool) -> Result<(), CoreError> {
        let given_back = delay.is_zero() && !failed;
        let end = if given_back { &self.ends.given_back } else { &self.ends.other };
        end.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn dead_letter(&self, _: String) -> Result<(), CoreError> {
        self.ends.other.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn one_message() -> OneMessage {
    OneMessage { ends: Arc::default(), faults_before: 0, stop_while_receiving: false, ack_fails: false }
}

/// Acknowledged, given back, anything else.
fn ended(ends: &Ends) -> [usize; 3] {
    [&ends.acked, &ends.given_back, &ends.other].map(|count| count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_broker_that_comes_back_is_used_again() {
    let broker = OneMessage { faults_before: 1, ..one_message() };
    let ends = broker.ends.clone();
    let mut running = Running::start(Arc::new(broker), Worker::new(|_| Act::Finish));
    running.next_call().await;
    running.stop().await;
    assert_eq!(ended(&ends), [1, 0, 0]);
}

#[tokio::test]
async fn a_broken_broker_does_not_hold_up_the_stop() {
    let running = Running::start(
        Arc::new(OneMessage { faults_before: usize::MAX, ..one_message() }),
        Worker::new(|_| Act::Finish),
    );
    tokio::task::yield_now().await;
    running.stop().await;
}

/// Otherwise its lease would keep it from other consumers for half a minute.
#[tokio::test]
async fn a_message_taken_while_stopping_is_given_back() {
    let broker = OneMessage { stop_while_receiving: true, ..one_message() };
    let ends = broker.ends.clone();
    let running = Running::start(Arc::new(broker), Worker::new(|_| Act::Finish));
    assert_eq!(running.ended().await.finished(), 0);
    assert_eq!(ended(&ends), [0, 1, 0]);
}

/// The broker delivers the message again by itself, so it gets no other call.
#[tokio::test]
async fn an_end_that_cannot_be_told_is_left_at_that() {
    let broker = OneMessage { ack_fails: true, ..one_message() };
    let ends = broker.ends.clone();
    let mut running = Running::start(Arc::new(broker), Worker::new(|_| Act::Finish));
    running.next_call().await;
    running.stop().await;
    assert_eq!(ended(&ends), [1, 0, 0]);
}

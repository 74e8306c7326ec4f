//! The further contract of RabbitMQ: outages, foreign messages, and the view of integrators.

use std::time::Duration;

use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use mail_lab::{Postgres, RabbitMq};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::{CoreError, MailboxId, Timestamp};
use shared_models::events::{DNS_CHECKER_QUEUE, DOMAIN_QUEUE, Envelope, Event, MailboxRef};

use crate::amqp::Amqp;
use crate::bench::{Bench, QUEUE, receive_one, subscribe, until};
use crate::worker::{Act, Running, Worker};

const EXCHANGE: &str = "mailmoor.events";

/// No process of ours is restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_loses_nothing_and_ends_by_itself() {
    let mut server = RabbitMq::start().unwrap();
    let bench = Bench::on(server.vhost().unwrap(), Postgres::shared().unwrap().database().unwrap()).await;
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    let before = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, before);
    server.stop().unwrap();
    let mut during = [bench.publish().await, bench.publish().await];
    assert!(matches!(bench.broker().ping().await, Err(CoreError::Unavailable { .. })));
    assert_eq!(bench.store.outbox_backlog().await.unwrap().pending, 2);
    server.start_again().unwrap();
    let mut seen = [running.next_call().await.mailbox, running.next_call().await.mailbox];
    seen.sort_unstable();
    during.sort_unstable();
    assert_eq!(seen, during);
    until(async || bench.store.outbox_backlog().await.unwrap().pending == 0).await;
    let after = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, after);
    running.stop().await;
}

/// By an operator's mistake. Their messages are lost (the gateway's housekeeping requests that work again), later ones
/// are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_that_are_deleted_are_made_again() {
    let bench = Bench::rabbitmq().await;
    let amqp = Amqp::connect(bench.vhost()).await;
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    bench.publish().await;
    running.next_call().await;
    amqp.channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await.unwrap();
    until(async || amqp.consumers(QUEUE).await > 0).await;
    let after = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, after);
    running.stop().await;
}

/// RabbitMQ keeps a binding until it is removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_does_not_keep_the_events_of_an_earlier_version() {
    const MOVED: &str = "domain.verification_requested";
    let bench = Bench::rabbitmq().await;
    let amqp = Amqp::connect(bench.vhost()).await;
    let running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    let (queue, bind) = (DNS_CHECKER_QUEUE.into(), QueueBindOptions::default());
    amqp.channel.queue_bind(queue, EXCHANGE.into(), MOVED.into(), bind, FieldTable::default()).await.unwrap();
    amqp.publish(EXCHANGE, MOVED, b"{}").await;
    until(async || amqp.ready(DNS_CHECKER_QUEUE).await == 1 && amqp.ready(DOMAIN_QUEUE).await == 1).await;
    // Every connection declares everything.
    amqp.channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await.unwrap();
    until(async || amqp.consumers(QUEUE).await > 0).await;
    amqp.publish(EXCHANGE, MOVED, b"{}").await;
    until(async || amqp.ready(DOMAIN_QUEUE).await == 2).await;
    assert_eq!(amqp.ready(DNS_CHECKER_QUEUE).await, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integrators_see_every_event() {
    let bench = Bench::rabbitmq().await;
    let amqp = Amqp::connect(bench.vhost()).await;
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    amqp.channel.queue_declare("theirs".into(), options, FieldTable::default()).await.unwrap();
    let (key, bind) = ("mailbox.#".into(), QueueBindOptions::default());
    amqp.channel.queue_bind("theirs".into(), EXCHANGE.into(), key, bind, FieldTable::default()).await.unwrap();
    let mailbox = bench.publish().await;
    bench.delete(mailbox).await;
    for event_type in ["mailbox.created", "mailbox.deleted"] {
        until(async || amqp.ready("theirs").await > 0).await;
        let taken = amqp.channel.basic_get("theirs".into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
        let envelope = Envelope::parse(&taken.delivery.data).unwrap();
        assert_eq!((envelope.event.event_type(), envelope.event.mailbox().unwrap().mailbox_id), (event_type, mailbox));
        assert_eq!(taken.delivery.routing_key.as_str(), event_type);
        let properties = &taken.delivery.properties;
        assert_eq!(properties.message_id().as_ref().map(|id| id.as_str()), Some(&*envelope.id.to_string()));
        assert_eq!(properties.kind().as_ref().map(|kind| kind.as_str()), Some(event_type));
        assert_eq!(properties.content_type().as_ref().map(|kind| kind.as_str()), Some("application/cloudevents+json"));
        assert_eq!(*properties.delivery_mode(), Some(2));
    }
}

/// Larger than any event, in every queue; no consumer stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_message_is_parked_whole() {
    let bench = Bench::rabbitmq().await;
    let amqp = Amqp::connect(bench.vhost()).await;
    let huge = vec![b'x'; 5_000_000];
    amqp.publish("", QUEUE, &huge).await;
    // Without a delay of its own it is one of those that wait the queue's longest.
    amqp.publish("", &format!("{QUEUE}.retry.0s"), &huge).await;
    let mut running = Running::start(bench.broker(), Worker::new(|_| Act::Finish));
    until(async || bench.depth().await == (0, 2)).await;
    let letters = bench.broker().dead_letters().await.unwrap();
    for letter in &letters {
        assert_eq!(letter.reason, "not a mailmoor event: 5000000 bytes are more than any event has");
        assert_eq!((letter.queue.as_str(), letter.deliveries, letter.event_type.as_str()), (QUEUE, 1, ""));
        assert!(
            letter.dead_at.remaining().is_zero() && letter.dead_at > Timestamp::now().minus(Duration::from_secs(600))
        );
    }
    assert_ne!(letters[0].id, letters[1].id);
    let mailbox = bench.publish().await;
    assert_eq!(running.next_call().await.mailbox, mailbox);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_replayed_and_dropped() {
    let bench = Bench::rabbitmq().await;
    let broker = bench.broker();
    let amqp = Amqp::connect(bench.vhost()).await;
    let mut subscription = subscribe(&*broker);
    let mut events = vec![];
    for reason in ["one", "two", "three"] {
        let id = bench.publish().await;
        let delivery = receive_one(&mut subscription).await;
        delivery.dead_letter(reason.to_owned()).await.unwrap();
        events.push(id);
    }
    // Put there by hand: no id, no reason, no sense.
    amqp.publish("", &format!("{DNS_CHECKER_QUEUE}.dead"), b"hello").await;
    until(async || broker.count_dead_letters().await.unwrap() == 4).await;
    let letters = broker.dead_letters().await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["unknown", "one", "two", "three"], "oldest first");
    assert_eq!((letters[0].queue.as_str(), letters[0].event_id.as_str()), (DNS_CHECKER_QUEUE, ""));
    assert_eq!(letters[1].event_type, "mailbox.created");

    broker.drop_dead_letter(&letters[0].id).await.unwrap();
    broker.drop_dead_letter(&letters[1].id).await.unwrap();
    for gone in [&letters[1].id, "nonsense"] {
        assert!(matches!(broker.drop_dead_letter(gone).await, Err(CoreError::NotFound(_))));
        assert!(matches!(broker.replay_dead_letters(Some(gone)).await, Err(CoreError::NotFound(_))));
    }
    assert_eq!(broker.replay_dead_letters(Some(&letters[2].id)).await.unwrap(), 1);
    let again = receive_one(&mut subscription).await;
    assert_eq!((crate::bench::about(&*again), again.attempt(), again.deliveries()), (events[1], 1, 1));
    assert_eq!(broker.replay_dead_letters(None).await.unwrap(), 1);
    until(async || broker.count_dead_letters().await.unwrap() == 0).await;
}

/// The broker itself parks a message whose consumers die before they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brokers_own_limit_is_a_reason_too() {
    let bench = Bench::rabbitmq().await;
    let broker = bench.broker();
    let about = MailboxRef { mailbox_id: MailboxId::new(), workspace_id: bench.workspace() };
    let event = Envelope::new(Event::MailboxCreated(about), Timestamp::now());
    Amqp::connect(bench.vhost()).await.publish("", QUEUE, &serde_json::to_vec(&event).unwrap()).await;
    let mut handed_out = 0;
    while broker.count_dead_letters().await.unwrap() == 0 {
        let mut dying = subscribe(&*broker);
        let stop = CancellationToken::new();
        let waiting = dying.receive(1, &stop);
        // The message may be on its way to the dead letters already.
        let Ok(received) = tokio::time::timeout(Duration::from_millis(500), waiting).await else { continue };
        handed_out += received.unwrap().len();
    }
    assert_eq!(handed_out, 51);
    let letters = broker.dead_letters().await.unwrap();
    assert_eq!(letters[0].reason, "given up by the broker: delivery_limit");
    assert_eq!(letters[0].event_id, event.id.to_string());
}

/// Delays are kept among other delays: a short one does not wait for a long one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_delay_overtakes_a_long_one() {
    let bench = Bench::rabbitmq().await;
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    let (long, short) = (bench.publish().await, bench.publish().await);
    for _ in 0..2 {
        let delivery = receive_one(&mut subscription).await;
        let first = crate::bench::about(&*delivery) == long;
        let delay = if first { Duration::from_secs(600) } else { Duration::from_millis(30) };
        delivery.retry(delay, true).await.unwrap();
    }
    let back = receive_one(&mut subscription).await;
    assert_eq!((crate::bench::about(&*back), back.attempt()), (short, 2));
    assert_eq!(Amqp::connect(bench.vhost()).await.ready(&format!("{QUEUE}.retry.512s")).await, 1);
}

/// The headers are published in the AsyncAPI document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_carries_its_history() {
    let bench = Bench::rabbitmq().await;
    let broker = bench.broker();
    let mut subscription = subscribe(&*broker);
    bench.publish().await;
    receive_one(&mut subscription).await.retry(Duration::from_millis(1), true).await.unwrap();
    receive_one(&mut subscription).await.dead_letter("no use".to_owned()).await.unwrap();
    let amqp = Amqp::connect(bench.vhost()).await;
    let dead = format!("{QUEUE}.dead");
    let taken = amqp.channel.basic_get(dead.as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap().unwrap();
    let headers = taken.delivery.properties.headers().clone().unwrap();
    let number = |name: &str| headers.inner().get(name).and_then(AMQPValue::as_long_long_int);
    let text = |name: &str| headers.inner().get(name).and_then(|v| v.as_long_string()).map(ToString::to_string);
    assert_eq!((number("x-mailmoor-attempt"), number("x-mailmoor-deliveries")), (Some(2), Some(2)));
    assert_eq!((text("x-mailmoor-reason"), text("x-mailmoor-queue")), (Some("no use".into()), Some(QUEUE.into())));
    assert!(number("x-mailmoor-dead-at").is_some());
}

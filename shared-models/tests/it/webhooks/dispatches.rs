//! Webhook dispatches: the webhooks that an event goes to, and what follows from an attempt.

use std::time::Duration;

use shared_models::domain::webhooks::{DeliveryResult, NewWebhook, WebhookChange};
use shared_models::domain::{HostedMailboxId, Timestamp};
use shared_models::events::{Event, WebhookDispatchRef};
use shared_models::store::{PendingAnswer, Settled, WebhookTest};

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::webhooks::changes::{DIALECT, HOUR, OTHER, Webhooks, event, make_due, new, reply};

contract!(
    an_event_goes_to_the_webhooks_that_want_it,
    an_event_is_delivered_once,
    a_delivered_event_is_over,
    a_refused_event_is_tried_again_when_it_is_due,
    after_the_last_attempt_a_webhook_is_failing,
    a_lost_delivery_is_due_again,
    a_postponed_delivery_is_no_attempt,
    an_attempt_is_settled_once,
    switching_off_ends_everything,
    a_test_goes_to_one_webhook,
    an_unwanted_event_is_known_before,
    a_webhook_may_have_its_own_retries_and_timeout,
    a_failing_webhook_can_be_revived_at_once,
);

async fn an_event_goes_to_the_webhooks_that_want_it(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let (mine, other) = (HostedMailboxId::new(), HostedMailboxId::new());
    let all = webhooks.add(new(&["a", "b"])).await.id;
    let one = webhooks.add(NewWebhook { mailboxes: vec![mine], ..new(&["a"]) }).await.id;
    webhooks.add(NewWebhook { enabled: false, ..new(&["a"]) }).await;
    let sibling = webhooks.tenant.sibling().await.workspace;
    webhooks.store.create_webhook(sibling, new(&["a"]), PendingAnswer::not_kept()).await.unwrap();
    for (event, receivers) in [
        (event("a", Some(mine)), vec![all, one]),
        (event("a", Some(other)), vec![all]),
        (event("b", Some(mine)), vec![all]),
        (event("a", None), vec![all]),
        (event("c", None), vec![]),
    ] {
        let mut news = webhooks.store.news();
        assert_eq!(webhooks.publish(&event).await, receivers.len());
        for webhook in receivers {
            let about = webhooks.about(webhook, &event);
            assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
            let job = webhooks.begin(about).await.unwrap();
            assert_eq!((job.event_id, job.attempt), (event.id, 1));
            assert_eq!((job.event_type, job.body), (event.event_type.clone(), event.body.clone()));
            assert_eq!(job.url, "https://hooks.example/in?a=b");
        }
        assert!(news.try_recv().is_err());
    }
    assert_eq!(database.count("queue_messages WHERE queue = 'mailmoor.webhooks'"), 5);
}

async fn an_event_is_delivered_once(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let event = event("a", None);
    let receivers = at_once((0..4).map(|_| {
        let (store, workspace, event) = (webhooks.store.clone(), webhooks.workspace(), event.clone());
        async move { store.publish_webhook_event(workspace, event).await.unwrap() }
    }));
    assert_eq!(receivers.await.into_iter().sum::<usize>(), 1);
    let about = webhooks.about(webhook, &event);
    webhooks.attempt(about, 200, None).await;
    assert_eq!(webhooks.publish(&event).await, 0);
    assert!(webhooks.begin(about).await.is_none());
}

async fn a_delivered_event_is_over(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await;
    let about = webhooks.deliver(webhook.id).await;
    webhooks.attempt(about, 204, Some(HOUR)).await;
    assert_eq!(database.count("webhook_dispatches"), 0);
    let log = webhooks.log(webhook.id).await;
    let [delivery] = &log[..] else { panic!("{log:?}") };
    assert_eq!((delivery.result, delivery.next_retry_at), (DeliveryResult::Success, None));
    assert_eq!((delivery.attempt, delivery.max_attempts, delivery.event_id), (1, 8, about.webhook_event_id));
    assert_eq!(delivery.reply, reply(204));
    let (read, body) =
        webhooks.store.webhook_payload(webhooks.workspace(), DIALECT, webhook.id, delivery.id).await.unwrap();
    assert_eq!((&read, body.len() as i64), (delivery, delivery.payload_bytes));
    let sum = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    let hex: String = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(delivery.payload_sha256, hex);
    assert_eq!(webhooks.read(webhook.id).await, webhook);
}

async fn a_refused_event_is_tried_again_when_it_is_due(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    let before = Timestamp::now();
    assert_eq!(webhooks.attempt(about, 500, Some(HOUR)).await, 1);
    let due = webhooks.store.next_webhook_delivery_at().await.unwrap().unwrap();
    assert!((before.plus(HOUR)..=Timestamp::now().plus(HOUR)).contains(&due));
    assert_eq!(webhooks.log(webhook).await[0].next_retry_at, Some(due));
    assert!(webhooks.begin(about).await.is_none(), "not before its time, whoever asks");
    assert_eq!(webhooks.store.queue_due_webhook_deliveries(9).await.unwrap(), 0);
    make_due(&database);
    let mut news = webhooks.store.news();
    let claimed = at_once((0..4).map(|_| {
        let store = webhooks.store.clone();
        async move { store.queue_due_webhook_deliveries(9).await.unwrap() }
    }));
    assert_eq!(claimed.await.into_iter().sum::<usize>(), 1);
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert_eq!(webhooks.attempt(about, 302, Some(HOUR)).await, 2);
    use DeliveryResult::{Failed, Retrying, Success};
    assert_eq!(webhooks.results(webhook).await, [(2, Retrying), (1, Failed)]);
    make_due(&database);
    webhooks.store.queue_due_webhook_deliveries(9).await.unwrap();
    webhooks.attempt(about, 200, Some(HOUR)).await;
    assert_eq!(webhooks.results(webhook).await, [(3, Success), (2, Failed), (1, Failed)]);
    assert!(webhooks.log(webhook).await.iter().all(|delivery| delivery.next_retry_at.is_none()));
    assert_eq!(webhooks.store.next_webhook_delivery_at().await.unwrap(), None);
}

async fn after_the_last_attempt_a_webhook_is_failing(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let (first, second) = (webhooks.deliver(webhook).await, webhooks.deliver(webhook).await);
    webhooks.attempt(second, 500, Some(HOUR)).await;
    webhooks.attempt(first, 500, None).await;
    let failing = webhooks.read(webhook).await;
    assert!(failing.failing && failing.enabled);
    use DeliveryResult::{Failed, PermanentFailure};
    assert_eq!(webhooks.results(webhook).await, [(1, PermanentFailure), (1, Failed)], "nothing is to be retried");
    assert_eq!(database.count("webhook_dispatches"), 0);
    assert_eq!(webhooks.publish(&event("a", None)).await, 0);
    let set = |enabled| WebhookChange { enabled: Some(enabled), ..WebhookChange::default() };
    assert!(webhooks.change(webhook, set(true)).await.failing, "it was not off");
    let off = webhooks.change(webhook, set(false)).await;
    assert!(off.failing && !off.enabled);
    let on = webhooks.change(webhook, set(true)).await;
    assert!(!on.failing && on.enabled);
    assert_eq!(webhooks.publish(&event("a", None)).await, 1);
}

async fn a_lost_delivery_is_due_again(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    assert_eq!(webhooks.store.queue_due_webhook_deliveries(9).await.unwrap(), 0);
    make_due(&database);
    let mut news = webhooks.store.news();
    assert_eq!(webhooks.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert_eq!(webhooks.attempt(about, 200, None).await, 1);
}

async fn a_postponed_delivery_is_no_attempt(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    webhooks.store.postpone_webhook_delivery(about, HOUR).await.unwrap();
    assert!(webhooks.begin(about).await.is_none());
    make_due(&database);
    assert_eq!(webhooks.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert_eq!(webhooks.attempt(about, 200, None).await, 1);
}

async fn an_attempt_is_settled_once(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    let job = webhooks.begin(about).await.unwrap();
    let settled = at_once((0..4).map(|_| {
        let (store, job) = (webhooks.store.clone(), job.clone());
        async move { store.settle_webhook_delivery(about, job, reply(500), Some(HOUR), 8).await.unwrap() }
    }));
    let settled = settled.await;
    assert_eq!(settled.iter().filter(|settled| **settled == Settled::Stored).count(), 1);
    assert_eq!(webhooks.results(webhook).await, [(1, DeliveryResult::Retrying)]);
}

async fn switching_off_ends_everything(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let (queued, waiting) = (webhooks.deliver(webhook).await, webhooks.deliver(webhook).await);
    webhooks.attempt(waiting, 500, Some(HOUR)).await;
    let job = webhooks.begin(queued).await.unwrap();
    webhooks.change(webhook, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert_eq!(database.count("webhook_dispatches"), 0);
    assert_eq!(webhooks.results(webhook).await, [(1, DeliveryResult::Failed)]);
    let late = webhooks.store.settle_webhook_delivery(queued, job, reply(500), None, 8).await.unwrap();
    assert_eq!(late, Settled::Superseded);
    assert!(!webhooks.read(webhook).await.failing);
    // An event of that very moment.
    database.execute(&format!(
        "INSERT INTO webhook_dispatches VALUES ('{webhook}', '{}', '{}', 'queued', 0, 7)",
        queued.webhook_event_id,
        webhooks.workspace()
    ));
    assert_eq!(webhooks.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert!(webhooks.begin(queued).await.is_none());
    assert_eq!(database.count("webhook_dispatches"), 0);
}

async fn a_test_goes_to_one_webhook(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let one = webhooks.add(NewWebhook { mailboxes: vec![HostedMailboxId::new()], ..new(&["t"]) }).await.id;
    webhooks.add(new(&["t"])).await;
    let deaf = webhooks.add(new(&["a"])).await.id;
    let test = async |webhook| {
        let event = event("t", None);
        let id = event.id;
        let store = &webhooks.store;
        (id, store.test_webhook(webhooks.workspace(), webhook, event, PendingAnswer::not_kept()).await.unwrap())
    };
    let mut news = webhooks.store.news();
    let (id, sent) = test(one).await;
    assert_eq!(sent, WebhookTest::Sent(id));
    let about = WebhookDispatchRef { webhook_id: one, webhook_event_id: id, workspace_id: webhooks.workspace() };
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert!(news.try_recv().is_err());
    assert_eq!(test(deaf).await.1, WebhookTest::NotWanted);
    webhooks.change(one, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert_eq!(test(one).await.1, WebhookTest::NotListening);
}

async fn an_unwanted_event_is_known_before(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let wanted = async |event_type| {
        let (store, workspace) = (&webhooks.store, webhooks.workspace());
        store.is_webhook_event_wanted(workspace, DIALECT, event_type).await.unwrap()
    };
    assert!(!wanted("a").await);
    let webhook = webhooks.add(new(&["a"])).await.id;
    let sendkit = NewWebhook { dialect: OTHER, ..new(&["b"]) };
    webhooks.add(sendkit).await;
    assert_eq!((wanted("a").await, wanted("b").await, wanted("").await), (true, false, false));
    let sibling = webhooks.tenant.sibling().await.workspace;
    assert!(!webhooks.store.is_webhook_event_wanted(sibling, DIALECT, "a").await.unwrap());
    webhooks.change(webhook, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert!(!wanted("a").await);
    webhooks.change(webhook, WebhookChange { enabled: Some(true), ..WebhookChange::default() }).await;
    let about = webhooks.deliver(webhook).await;
    webhooks.attempt(about, 500, None).await;
    assert!(!wanted("a").await, "it is failing");
    webhooks.store.delete_workspace(webhooks.workspace()).await.unwrap();
    assert!(!wanted("a").await);
}

async fn a_webhook_may_have_its_own_retries_and_timeout(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let own = (Some(0), Some(Duration::from_millis(30_000)));
    let patient = NewWebhook { retry_attempts: own.0, timeout: own.1, ..new(&["a"]) };
    for (new, expected) in [(patient, own), (new(&["a"]), (None, None))] {
        let webhook = webhooks.add(new).await;
        assert_eq!((webhook.retry_attempts, webhook.timeout), expected);
        assert_eq!(webhooks.read(webhook.id).await, webhook);
        let job = webhooks.begin(webhooks.deliver(webhook.id).await).await.unwrap();
        assert_eq!((job.retry_attempts, job.timeout), expected);
        webhooks.store.delete_webhook(webhooks.workspace(), DIALECT, webhook.id).await.unwrap();
    }
}

async fn a_failing_webhook_can_be_revived_at_once(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    webhooks.attempt(about, 500, None).await;
    assert!(webhooks.read(webhook).await.failing);
    let revived = webhooks.change(webhook, WebhookChange { revived: true, ..WebhookChange::default() }).await;
    assert!(!revived.failing && revived.enabled);
    assert_eq!(webhooks.read(webhook).await, revived);
    assert_eq!(webhooks.publish(&event("a", None)).await, 1);
}

//! What webhooks are told: whom an event goes to, and what becomes of a try.

use std::time::Duration;

use shared_models::domain::webhooks::{DeliveryResult, NewWebhook, WebhookChange};
use shared_models::domain::{HostedMailboxId, Timestamp};
use shared_models::events::{Event, WebhookDispatchRef};
use shared_models::store::{PendingAnswer, Settled, WebhookTest};

use crate::core::races::at_once;
use crate::webhooks::changes::{Bench, DIALECT, HOUR, OTHER, event, make_due, new, reply};
use crate::world::home::Home;

contract!(
    an_event_is_told_to_those_who_asked,
    an_event_is_told_once,
    a_taken_event_is_over,
    a_refused_event_is_tried_again_when_it_is_due,
    after_the_last_try_a_webhook_is_failing,
    what_got_lost_is_due_again,
    a_postponed_try_is_no_try,
    a_try_is_settled_once,
    switching_off_ends_everything,
    a_test_goes_to_one_webhook,
    what_nobody_wants_is_known_before,
    a_webhook_may_have_its_own_patience,
    a_failing_webhook_can_be_revived_at_once,
);

async fn an_event_is_told_to_those_who_asked(home: Home) {
    let bench = Bench::new(&home).await;
    let (mine, other) = (HostedMailboxId::new(), HostedMailboxId::new());
    let all = bench.add(new(&["a", "b"])).await.id;
    let one = bench.add(NewWebhook { mailboxes: vec![mine], ..new(&["a"]) }).await.id;
    bench.add(NewWebhook { enabled: false, ..new(&["a"]) }).await;
    let sibling = bench.tenant.sibling().await.workspace;
    bench.store.create_webhook(sibling, new(&["a"]), PendingAnswer::not_kept()).await.unwrap();
    for (event, told) in [
        (event("a", Some(mine)), vec![all, one]),
        (event("a", Some(other)), vec![all]),
        (event("b", Some(mine)), vec![all]),
        (event("a", None), vec![all]),
        (event("c", None), vec![]),
    ] {
        let mut news = bench.store.news();
        assert_eq!(bench.publish(&event).await, told.len());
        for webhook in told {
            let about = bench.about(webhook, &event);
            assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
            let job = bench.begin(about).await.unwrap();
            assert_eq!((job.event_id, job.attempt), (event.id, 1));
            assert_eq!((job.event_type, job.body), (event.event_type.clone(), event.body.clone()));
            assert_eq!(job.url, "https://hooks.example/in?a=b");
        }
        assert!(news.try_recv().is_err());
    }
    assert_eq!(home.count("queue_messages WHERE queue = 'mailmoor.webhooks'"), 5);
}

async fn an_event_is_told_once(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let event = event("a", None);
    let told = at_once((0..4).map(|_| {
        let (store, workspace, event) = (bench.store.clone(), bench.workspace(), event.clone());
        async move { store.publish_webhook_event(workspace, event).await.unwrap() }
    }));
    assert_eq!(told.await.into_iter().sum::<usize>(), 1);
    let about = bench.about(webhook, &event);
    bench.attempt(about, 200, None).await;
    assert_eq!(bench.publish(&event).await, 0);
    assert!(bench.begin(about).await.is_none());
}

async fn a_taken_event_is_over(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await;
    let about = bench.told(webhook.id).await;
    bench.attempt(about, 204, Some(HOUR)).await;
    assert_eq!(home.count("webhook_dispatches"), 0);
    let log = bench.log(webhook.id).await;
    let [delivery] = &log[..] else { panic!("{log:?}") };
    assert_eq!((delivery.result, delivery.next_retry_at), (DeliveryResult::Success, None));
    assert_eq!((delivery.attempt, delivery.max_attempts, delivery.event_id), (1, 8, about.webhook_event_id));
    assert_eq!(delivery.reply, reply(204));
    let (read, body) = bench.store.webhook_payload(bench.workspace(), DIALECT, webhook.id, delivery.id).await.unwrap();
    assert_eq!((&read, body.len() as i64), (delivery, delivery.payload_bytes));
    let sum = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    let hex: String = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(delivery.payload_sha256, hex);
    assert_eq!(bench.read(webhook.id).await, webhook);
}

async fn a_refused_event_is_tried_again_when_it_is_due(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let about = bench.told(webhook).await;
    let before = Timestamp::now();
    assert_eq!(bench.attempt(about, 500, Some(HOUR)).await, 1);
    let due = bench.store.next_webhook_delivery_at().await.unwrap().unwrap();
    assert!((before.plus(HOUR)..=Timestamp::now().plus(HOUR)).contains(&due));
    assert_eq!(bench.log(webhook).await[0].next_retry_at, Some(due));
    assert!(bench.begin(about).await.is_none(), "not before its time, whoever asks");
    assert_eq!(bench.store.queue_due_webhook_deliveries(9).await.unwrap(), 0);
    make_due(&home);
    let mut news = bench.store.news();
    let claimed = at_once((0..4).map(|_| {
        let store = bench.store.clone();
        async move { store.queue_due_webhook_deliveries(9).await.unwrap() }
    }));
    assert_eq!(claimed.await.into_iter().sum::<usize>(), 1);
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert_eq!(bench.attempt(about, 302, Some(HOUR)).await, 2);
    use DeliveryResult::{Failed, Retrying, Success};
    assert_eq!(bench.results(webhook).await, [(2, Retrying), (1, Failed)]);
    make_due(&home);
    bench.store.queue_due_webhook_deliveries(9).await.unwrap();
    bench.attempt(about, 200, Some(HOUR)).await;
    assert_eq!(bench.results(webhook).await, [(3, Success), (2, Failed), (1, Failed)]);
    assert!(bench.log(webhook).await.iter().all(|delivery| delivery.next_retry_at.is_none()));
    assert_eq!(bench.store.next_webhook_delivery_at().await.unwrap(), None);
}

async fn after_the_last_try_a_webhook_is_failing(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let (first, second) = (bench.told(webhook).await, bench.told(webhook).await);
    bench.attempt(second, 500, Some(HOUR)).await;
    bench.attempt(first, 500, None).await;
    let failing = bench.read(webhook).await;
    assert!(failing.failing && failing.enabled);
    use DeliveryResult::{Failed, PermanentFailure};
    assert_eq!(bench.results(webhook).await, [(1, PermanentFailure), (1, Failed)], "nothing is to be retried");
    assert_eq!(home.count("webhook_dispatches"), 0);
    assert_eq!(bench.publish(&event("a", None)).await, 0);
    let set = |enabled| WebhookChange { enabled: Some(enabled), ..WebhookChange::default() };
    assert!(bench.change(webhook, set(true)).await.failing, "it was not off");
    let off = bench.change(webhook, set(false)).await;
    assert!(off.failing && !off.enabled);
    let on = bench.change(webhook, set(true)).await;
    assert!(!on.failing && on.enabled);
    assert_eq!(bench.publish(&event("a", None)).await, 1);
}

async fn what_got_lost_is_due_again(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let about = bench.told(webhook).await;
    assert_eq!(bench.store.queue_due_webhook_deliveries(9).await.unwrap(), 0);
    make_due(&home);
    let mut news = bench.store.news();
    assert_eq!(bench.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert_eq!(bench.attempt(about, 200, None).await, 1);
}

async fn a_postponed_try_is_no_try(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let about = bench.told(webhook).await;
    bench.store.postpone_webhook_delivery(about, HOUR).await.unwrap();
    assert!(bench.begin(about).await.is_none());
    make_due(&home);
    assert_eq!(bench.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert_eq!(bench.attempt(about, 200, None).await, 1);
}

async fn a_try_is_settled_once(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let about = bench.told(webhook).await;
    let job = bench.begin(about).await.unwrap();
    let settled = at_once((0..4).map(|_| {
        let (store, job) = (bench.store.clone(), job.clone());
        async move { store.settle_webhook_delivery(about, job, reply(500), Some(HOUR), 8).await.unwrap() }
    }));
    let settled = settled.await;
    assert_eq!(settled.iter().filter(|settled| **settled == Settled::Stored).count(), 1);
    assert_eq!(bench.results(webhook).await, [(1, DeliveryResult::Retrying)]);
}

async fn switching_off_ends_everything(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let (queued, waiting) = (bench.told(webhook).await, bench.told(webhook).await);
    bench.attempt(waiting, 500, Some(HOUR)).await;
    let job = bench.begin(queued).await.unwrap();
    bench.change(webhook, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert_eq!(home.count("webhook_dispatches"), 0);
    assert_eq!(bench.results(webhook).await, [(1, DeliveryResult::Failed)]);
    let late = bench.store.settle_webhook_delivery(queued, job, reply(500), None, 8).await.unwrap();
    assert_eq!(late, Settled::Superseded);
    assert!(!bench.read(webhook).await.failing);
    // Something that happened in that very moment.
    home.execute(&format!(
        "INSERT INTO webhook_dispatches VALUES ('{webhook}', '{}', '{}', 'queued', 0, 7)",
        queued.webhook_event_id,
        bench.workspace()
    ));
    assert_eq!(bench.store.queue_due_webhook_deliveries(9).await.unwrap(), 1);
    assert!(bench.begin(queued).await.is_none());
    assert_eq!(home.count("webhook_dispatches"), 0);
}

async fn a_test_goes_to_one_webhook(home: Home) {
    let bench = Bench::new(&home).await;
    let one = bench.add(NewWebhook { mailboxes: vec![HostedMailboxId::new()], ..new(&["t"]) }).await.id;
    bench.add(new(&["t"])).await;
    let deaf = bench.add(new(&["a"])).await.id;
    let test = async |webhook| {
        let event = event("t", None);
        let id = event.id;
        let store = &bench.store;
        (id, store.test_webhook(bench.workspace(), webhook, event, PendingAnswer::not_kept()).await.unwrap())
    };
    let mut news = bench.store.news();
    let (id, sent) = test(one).await;
    assert_eq!(sent, WebhookTest::Sent(id));
    let about = WebhookDispatchRef { webhook_id: one, webhook_event_id: id, workspace_id: bench.workspace() };
    assert_eq!(news.try_recv().unwrap(), Event::WebhookDeliveryRequested(about));
    assert!(news.try_recv().is_err());
    assert_eq!(test(deaf).await.1, WebhookTest::NotWanted);
    bench.change(one, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert_eq!(test(one).await.1, WebhookTest::NotListening);
}

async fn what_nobody_wants_is_known_before(home: Home) {
    let bench = Bench::new(&home).await;
    let wanted = async |event_type| {
        let (store, workspace) = (&bench.store, bench.workspace());
        store.is_webhook_event_wanted(workspace, DIALECT, event_type).await.unwrap()
    };
    assert!(!wanted("a").await);
    let webhook = bench.add(new(&["a"])).await.id;
    let sendkit = NewWebhook { dialect: OTHER, ..new(&["b"]) };
    bench.add(sendkit).await;
    assert_eq!((wanted("a").await, wanted("b").await, wanted("").await), (true, false, false));
    let sibling = bench.tenant.sibling().await.workspace;
    assert!(!bench.store.is_webhook_event_wanted(sibling, DIALECT, "a").await.unwrap());
    bench.change(webhook, WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await;
    assert!(!wanted("a").await);
    bench.change(webhook, WebhookChange { enabled: Some(true), ..WebhookChange::default() }).await;
    let about = bench.told(webhook).await;
    bench.attempt(about, 500, None).await;
    assert!(!wanted("a").await, "it is failing");
    bench.store.delete_workspace(bench.workspace()).await.unwrap();
    assert!(!wanted("a").await);
}

async fn a_webhook_may_have_its_own_patience(home: Home) {
    let bench = Bench::new(&home).await;
    let own = (Some(0), Some(Duration::from_millis(30_000)));
    let patient = NewWebhook { retry_attempts: own.0, timeout: own.1, ..new(&["a"]) };
    for (new, expected) in [(patient, own), (new(&["a"]), (None, None))] {
        let webhook = bench.add(new).await;
        assert_eq!((webhook.retry_attempts, webhook.timeout), expected);
        assert_eq!(bench.read(webhook.id).await, webhook);
        let job = bench.begin(bench.told(webhook.id).await).await.unwrap();
        assert_eq!((job.retry_attempts, job.timeout), expected);
        bench.store.delete_webhook(bench.workspace(), DIALECT, webhook.id).await.unwrap();
    }
}

async fn a_failing_webhook_can_be_revived_at_once(home: Home) {
    let bench = Bench::new(&home).await;
    let webhook = bench.add(new(&["a"])).await.id;
    let about = bench.told(webhook).await;
    bench.attempt(about, 500, None).await;
    assert!(bench.read(webhook).await.failing);
    let revived = bench.change(webhook, WebhookChange { revived: true, ..WebhookChange::default() }).await;
    assert!(!revived.failing && revived.enabled);
    assert_eq!(bench.read(webhook).await, revived);
    assert_eq!(bench.publish(&event("a", None)).await, 1);
}

//! Webhooks: what is stored of them, and the log of their deliveries.

use std::time::Duration;

use shared_models::domain::webhooks::{
    DeliveryResult, NewWebhook, SecretStyle, Webhook, WebhookChange, WebhookDelivery, WebhookDialect, WebhookEvent,
    WebhookJob, WebhookReply,
};
use shared_models::domain::{CoreError, HostedMailboxId, WebhookDeliveryId, WebhookEventId, WebhookId, WorkspaceId};
use shared_models::events::WebhookDispatchRef;
use shared_models::store::{DeliveryQuery, PendingAnswer, Settled, Store, WebhookQuery};

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::support::tenant::Tenant;

contract!(
    what_is_stored_is_read,
    secrets_are_sealed_and_new_ones_replace_them,
    lists_are_pages_of_one_workspace,
    dialects_do_not_meet,
    there_are_at_most_fifty,
    nothing_is_left_of_a_deleted_webhook,
    the_log_is_a_list_with_filters,
    after_a_week_a_delivery_is_forgotten,
    a_closed_workspace_gets_nothing,
);

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DIALECT: WebhookDialect = WebhookDialect { name: "sendmux", secrets: SecretStyle::Standard };
pub(crate) const OTHER: WebhookDialect = WebhookDialect { name: "sendkit", secrets: SecretStyle::Hex };

pub(crate) fn new(event_types: &[&str]) -> NewWebhook {
    NewWebhook {
        dialect: DIALECT,
        url: "https://hooks.example/in?a=b".to_owned(),
        event_types: event_types.iter().map(|&name| name.to_owned()).collect(),
        name: None,
        enabled: true,
        mailboxes: vec![],
        retry_attempts: None,
        timeout: None,
        secret: None,
    }
}

pub(crate) fn event(event_type: &str, mailbox: Option<HostedMailboxId>) -> WebhookEvent {
    let id = WebhookEventId::new();
    let body = format!(r#"{{"id":"{id}","type":"{event_type}"}}"#);
    WebhookEvent { id, dialect: DIALECT, event_type: event_type.to_owned(), mailbox, body }
}

pub(crate) fn reply(status: u16) -> WebhookReply {
    WebhookReply { status: Some(status), body: Some("ü".to_owned()), millis: 12, error: None }
}

pub(crate) struct Webhooks {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
}

impl Webhooks {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let store = database.open().await;
        Self { tenant: Tenant::new(&store).await, store }
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.tenant.workspace
    }

    pub(crate) async fn add(&self, new: NewWebhook) -> Webhook {
        self.store.create_webhook(self.workspace(), new, PendingAnswer::not_kept()).await.unwrap().0
    }

    pub(crate) async fn read(&self, id: WebhookId) -> Webhook {
        self.store.webhook(self.workspace(), DIALECT, id).await.unwrap()
    }

    pub(crate) async fn change(&self, id: WebhookId, change: WebhookChange) -> Webhook {
        self.store.change_webhook(self.workspace(), DIALECT, id, change, None).await.unwrap()
    }

    pub(crate) async fn publish(&self, event: &WebhookEvent) -> usize {
        self.store.publish_webhook_event(self.workspace(), event.clone()).await.unwrap()
    }

    pub(crate) fn about(&self, webhook: WebhookId, event: &WebhookEvent) -> WebhookDispatchRef {
        WebhookDispatchRef { webhook_id: webhook, webhook_event_id: event.id, workspace_id: self.workspace() }
    }

    /// Dispatches an event to one webhook, which is to be delivered for the first time.
    pub(crate) async fn deliver(&self, webhook: WebhookId) -> WebhookDispatchRef {
        let event = event("a", None);
        assert_eq!(self.publish(&event).await, 1);
        self.about(webhook, &event)
    }

    pub(crate) async fn begin(&self, about: WebhookDispatchRef) -> Option<WebhookJob> {
        self.store.begin_webhook_delivery(about).await.unwrap()
    }

    /// Begins and ends an attempt; without `retry_after` it is the last one.
    pub(crate) async fn attempt(&self, about: WebhookDispatchRef, status: u16, retry_after: Option<Duration>) -> u32 {
        let job = self.begin(about).await.unwrap();
        let attempt = job.attempt;
        let settled = self.store.settle_webhook_delivery(about, job, reply(status), retry_after, 8).await.unwrap();
        assert_eq!(settled, Settled::Stored);
        attempt
    }

    pub(crate) async fn log(&self, webhook: WebhookId) -> Vec<WebhookDelivery> {
        let query = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
        self.store.webhook_deliveries(self.workspace(), DIALECT, webhook, query).await.unwrap().0
    }

    pub(crate) async fn results(&self, webhook: WebhookId) -> Vec<(u32, DeliveryResult)> {
        self.log(webhook).await.iter().map(|delivery| (delivery.attempt, delivery.result)).collect()
    }
}

pub(crate) fn make_due(database: &TestDatabase) {
    database.execute("UPDATE webhook_dispatches SET due_at = 7");
}

async fn what_is_stored_is_read(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let mailbox = HostedMailboxId::new();
    let added =
        webhooks.add(NewWebhook { name: Some("n".to_owned()), mailboxes: vec![mailbox], ..new(&["a", "b"]) }).await;
    assert_eq!((added.retry_attempts, added.timeout), (None, None));
    assert_eq!(webhooks.read(added.id).await, added);
    assert!(added.enabled && !added.failing);
    let change = WebhookChange {
        url: Some("https://other.example".to_owned()),
        event_types: Some(vec!["c".to_owned()]),
        name: Some(None),
        enabled: Some(false),
        mailboxes: Some(vec![]),
        retry_attempts: Some(10),
        timeout: Some(Duration::from_millis(1500)),
        revived: false,
    };
    let changed = webhooks.change(added.id, change.clone()).await;
    assert_eq!(webhooks.read(added.id).await, changed);
    assert_eq!((changed.name.as_ref(), changed.enabled, changed.mailboxes.len()), (None, false, 0));
    assert_eq!((changed.retry_attempts, changed.timeout), (Some(10), Some(Duration::from_millis(1500))));
    assert_eq!((changed.url.as_str(), changed.event_types.join(",")), ("https://other.example", "c".to_owned()));
    assert_eq!(webhooks.change(added.id, change).await, changed, "nothing new");
    let stale = webhooks.store.change_webhook(
        webhooks.workspace(),
        DIALECT,
        added.id,
        WebhookChange { enabled: Some(true), ..WebhookChange::default() },
        Some(added.clone()),
    );
    assert!(matches!(stale.await, Err(CoreError::Conflict(_))));
    assert_eq!(webhooks.read(added.id).await, changed);
}

async fn secrets_are_sealed_and_new_ones_replace_them(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let (added, first) =
        webhooks.store.create_webhook(webhooks.workspace(), new(&["a"]), PendingAnswer::not_kept()).await.unwrap();
    let random = first.expose().strip_prefix("whsec_").unwrap();
    assert_eq!(random.len(), 44);
    let hex: String = first.expose().bytes().map(|b| format!("{b:02x}")).collect();
    assert!(!database.dump("webhooks").contains(random) && !database.dump("webhooks").contains(&hex));
    let about = webhooks.deliver(added.id).await;
    assert_eq!(webhooks.begin(about).await.unwrap().secret.expose(), first.expose());
    let rotate =
        webhooks.store.rotate_webhook_secret(webhooks.workspace(), DIALECT, added.id, PendingAnswer::not_kept());
    let (rotated, second) = rotate.await.unwrap();
    assert_ne!(first.expose(), second.expose());
    assert_eq!(webhooks.read(added.id).await, rotated);
    assert_eq!(webhooks.begin(about).await.unwrap().secret.expose(), second.expose());
    let other = webhooks.add(new(&["b"])).await;
    database.execute(&format!(
        "UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE id = '{}') WHERE id = '{}'",
        other.id, added.id
    ));
    let moved = webhooks.store.begin_webhook_delivery(about).await.unwrap_err();
    assert!(matches!(&moved, CoreError::Internal(text) if text.contains(&added.id.to_string())), "{moved}");
}

async fn lists_are_pages_of_one_workspace(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let mut all = vec![];
    for _ in 0..5 {
        all.insert(0, webhooks.add(new(&["a"])).await);
    }
    let list = async |after, limit| {
        let query = WebhookQuery { after, limit, ..WebhookQuery::default() };
        webhooks.store.list_webhooks(webhooks.workspace(), DIALECT, query).await.unwrap()
    };
    assert_eq!(list(None, 2).await, (all[..2].to_vec(), true));
    assert_eq!(list(Some(all[1].id), 3).await, (all[2..].to_vec(), false));
    assert_eq!(list(Some(all[4].id), 3).await, (vec![], false));
    let sibling = webhooks.tenant.sibling().await.workspace;
    let later = WebhookQuery { offset: 3, limit: 1, ..WebhookQuery::default() };
    let skipped = webhooks.store.list_webhooks(webhooks.workspace(), DIALECT, later).await.unwrap();
    assert_eq!(skipped, (all[3..4].to_vec(), true));
    let whole = WebhookQuery { limit: 9, ..WebhookQuery::default() };
    assert_eq!(webhooks.store.list_webhooks(sibling, DIALECT, whole).await.unwrap(), (vec![], false));
    assert_eq!(webhooks.store.count_webhooks(webhooks.workspace(), DIALECT).await.unwrap(), 5);
    assert_eq!(webhooks.store.count_webhooks(sibling, DIALECT).await.unwrap(), 0);
    let id = all[0].id;
    let foreign = webhooks.store.webhook(sibling, DIALECT, id).await;
    assert!(matches!(foreign, Err(CoreError::NotFound("webhook"))), "{foreign:?}");
    assert!(webhooks.store.change_webhook(sibling, DIALECT, id, WebhookChange::default(), None).await.is_err());
    assert!(webhooks.store.rotate_webhook_secret(sibling, DIALECT, id, PendingAnswer::not_kept()).await.is_err());
    assert!(webhooks.store.delete_webhook(sibling, DIALECT, id).await.is_err());
    assert!(webhooks.store.webhook_deliveries(sibling, DIALECT, id, DeliveryQuery::default()).await.is_err());
    assert_eq!(webhooks.read(id).await, all[0]);
}

async fn dialects_do_not_meet(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let mine = webhooks.add(new(&["a"])).await;
    let other = webhooks.add(NewWebhook { dialect: OTHER, ..new(&["a"]) }).await;
    let all = WebhookQuery { limit: 9, ..WebhookQuery::default() };
    for (dialect, listed, hidden) in [(DIALECT, &mine, other.id), (OTHER, &other, mine.id)] {
        let (store, workspace) = (&webhooks.store, webhooks.workspace());
        let list = store.list_webhooks(workspace, dialect, all).await.unwrap();
        assert_eq!(list, (vec![listed.clone()], false));
        assert_eq!(store.count_webhooks(workspace, dialect).await.unwrap(), 1);
        assert_eq!(&store.webhook(workspace, dialect, listed.id).await.unwrap(), listed);
        let off = WebhookChange { enabled: Some(false), ..WebhookChange::default() };
        let log = DeliveryQuery { limit: 9, ..DeliveryQuery::default() };
        let answer = PendingAnswer::not_kept();
        let refused = [
            store.webhook(workspace, dialect, hidden).await.err(),
            store.change_webhook(workspace, dialect, hidden, off, None).await.err(),
            store.rotate_webhook_secret(workspace, dialect, hidden, answer).await.err(),
            store.delete_webhook(workspace, dialect, hidden).await.err(),
            store.webhook_deliveries(workspace, dialect, hidden, log).await.err(),
            store.count_webhook_deliveries(workspace, dialect, hidden).await.err(),
            store.webhook_payload(workspace, dialect, hidden, WebhookDeliveryId::new()).await.err(),
        ];
        assert!(refused.iter().all(|error| matches!(error, Some(CoreError::NotFound("webhook")))), "{refused:?}");
        // An event in the words of one dialect does not reach webhooks of the other.
        let event = WebhookEvent { dialect, ..event("a", None) };
        assert_eq!(webhooks.publish(&event).await, 1);
        assert_eq!(webhooks.begin(webhooks.about(listed.id, &event)).await.unwrap().dialect, dialect.name);
        assert!(webhooks.begin(webhooks.about(hidden, &event)).await.is_none());
        let foreign = store.test_webhook(workspace, hidden, event, PendingAnswer::not_kept()).await;
        assert!(matches!(foreign, Err(CoreError::NotFound("webhook"))));
    }
    assert_eq!((webhooks.read(mine.id).await, database.count("webhooks")), (mine, 2));
}

async fn there_are_at_most_fifty(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let created = at_once((0..52).map(|_| {
        let (store, workspace) = (webhooks.store.clone(), webhooks.workspace());
        async move { store.create_webhook(workspace, new(&["a"]), PendingAnswer::not_kept()).await }
    }));
    let refused: Vec<_> = created.await.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|error| matches!(error, CoreError::LimitExceeded { usage: 50, limit: 50, .. })));
    webhooks.add(NewWebhook { dialect: OTHER, ..new(&["a"]) }).await;
}

async fn nothing_is_left_of_a_deleted_webhook(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let (webhook, other) = (webhooks.add(new(&["a"])).await.id, webhooks.add(new(&["b"])).await.id);
    let about = webhooks.deliver(webhook).await;
    webhooks.attempt(about, 500, Some(HOUR)).await;
    webhooks.publish(&event("b", None)).await;
    webhooks.store.delete_webhook(webhooks.workspace(), DIALECT, webhook).await.unwrap();
    assert_eq!(
        (database.count("webhooks"), database.count("webhook_dispatches"), database.count("webhook_deliveries")),
        (1, 1, 0)
    );
    assert!(webhooks.begin(about).await.is_none());
    let gone = webhooks.store.delete_webhook(webhooks.workspace(), DIALECT, webhook).await;
    assert!(matches!(gone, Err(CoreError::NotFound("webhook"))));
    webhooks.read(other).await;
}

async fn the_log_is_a_list_with_filters(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a", "b"])).await.id;
    for (event_type, status) in [("a", 200), ("b", 200), ("a", 500), ("b", 500), ("a", 200)] {
        let event = event(event_type, None);
        webhooks.publish(&event).await;
        webhooks.attempt(webhooks.about(webhook, &event), status, Some(HOUR)).await;
    }
    let all = webhooks.log(webhook).await;
    let list = async |event_type: Option<&str>, result, after, limit| {
        let query = DeliveryQuery { event_type: event_type.map(str::to_owned), result, after, offset: 0, limit };
        webhooks.store.webhook_deliveries(webhooks.workspace(), DIALECT, webhook, query).await.unwrap()
    };
    let later = DeliveryQuery { offset: 3, limit: 1, ..DeliveryQuery::default() };
    let skipped = webhooks.store.webhook_deliveries(webhooks.workspace(), DIALECT, webhook, later).await.unwrap();
    assert_eq!(skipped, (all[3..4].to_vec(), true));
    assert_eq!(webhooks.store.count_webhook_deliveries(webhooks.workspace(), DIALECT, webhook).await.unwrap(), 5);
    assert_eq!(list(None, None, None, 2).await, (all[..2].to_vec(), true));
    assert_eq!(list(None, None, Some(all[1].id), 3).await, (all[2..].to_vec(), false));
    let of = |indices: &[usize]| indices.iter().map(|&index| all[index].clone()).collect::<Vec<_>>();
    assert_eq!(list(Some("a"), None, None, 9).await.0, of(&[0, 2, 4]));
    assert_eq!(list(None, Some(DeliveryResult::Retrying), None, 9).await.0, of(&[1, 2]));
    assert_eq!(list(Some("b"), Some(DeliveryResult::Success), None, 9).await.0, of(&[3]));
    let other = webhooks.add(new(&["a"])).await.id;
    let foreign = webhooks.store.webhook_payload(webhooks.workspace(), DIALECT, other, all[0].id).await;
    assert!(matches!(foreign, Err(CoreError::NotFound("delivery"))));
    let unknown =
        webhooks.store.webhook_payload(webhooks.workspace(), DIALECT, webhook, WebhookDeliveryId::new()).await;
    assert!(matches!(unknown, Err(CoreError::NotFound("delivery"))));
}

async fn after_a_week_a_delivery_is_forgotten(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    for _ in 0..2 {
        let about = webhooks.deliver(webhook).await;
        webhooks.attempt(about, 200, None).await;
    }
    let log = webhooks.log(webhook).await;
    let age = |id: WebhookDeliveryId, days: i64| {
        let millis = days * 86_400_000;
        database
            .execute(&format!("UPDATE webhook_deliveries SET created_at = created_at - {millis} WHERE id = '{id}'"));
    };
    age(log[0].id, 6);
    age(log[1].id, 7);
    assert_eq!(webhooks.log(webhook).await.len(), 1, "also before it is purged");
    let payload = async |id| webhooks.store.webhook_payload(webhooks.workspace(), DIALECT, webhook, id).await;
    assert!(payload(log[0].id).await.is_ok());
    assert!(matches!(payload(log[1].id).await, Err(CoreError::NotFound("delivery"))));
    assert_eq!(webhooks.store.purge_webhook_deliveries().await.unwrap(), 1);
    assert_eq!((database.count("webhook_deliveries"), database.count("webhook_events")), (1, 2));
    database.execute(&format!("UPDATE webhook_events SET created_at = created_at - {}", 10 * 86_400_000_i64));
    webhooks.store.purge_webhook_deliveries().await.unwrap();
    assert_eq!(database.count("webhook_events"), 0);
}

async fn a_closed_workspace_gets_nothing(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let webhook = webhooks.add(new(&["a"])).await.id;
    let about = webhooks.deliver(webhook).await;
    webhooks.store.delete_workspace(webhooks.workspace()).await.unwrap();
    assert!(webhooks.begin(about).await.is_none());
    assert_eq!((database.count("webhooks"), database.count("webhook_dispatches")), (0, 0));
    let late = webhooks.store.create_webhook(webhooks.workspace(), new(&["a"]), PendingAnswer::not_kept()).await;
    assert!(matches!(late, Err(CoreError::NotFound("workspace"))));
}

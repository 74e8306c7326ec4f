//! The secrets of webhooks, and how long they sign.

use shared_models::domain::webhooks::{NewWebhook, WebhookSecret};
use shared_models::domain::{CoreError, WebhookId};
use shared_models::store::PendingAnswer;

use crate::support::database::{KEY, TestDatabase};
use crate::support::tenant::Tenant;
use crate::webhooks::changes::{DIALECT, OTHER, Webhooks, new};

contract!(
    a_replaced_secret_signs_for_a_day,
    the_last_two_secrets_count,
    a_secret_that_no_longer_signs_is_erased,
    a_given_secret_is_sealed_as_it_is,
    each_dialect_writes_its_own,
    the_key_of_a_replaced_secret_is_still_needed,
);

impl Webhooks {
    async fn rotate(&self, webhook: WebhookId) -> WebhookSecret {
        let rotated = self.store.rotate_webhook_secret(self.workspace(), DIALECT, webhook, PendingAnswer::not_kept());
        rotated.await.unwrap().1
    }

    /// The secrets that the next attempt would sign with.
    async fn signs_with(&self, webhook: WebhookId) -> (String, Option<String>) {
        let job = self.begin(self.deliver(webhook).await).await.unwrap();
        let text = |secret: &WebhookSecret| secret.expose().to_owned();
        (text(&job.secret), job.previous_secret.as_ref().map(text))
    }
}

/// The overlap of every webhook is over, or ends in a minute.
fn let_time_pass(database: &TestDatabase, minutes_left: i64) {
    let day = 24 * 60;
    let millis = (day - minutes_left) * 60_000;
    database.execute(&format!("UPDATE webhooks SET previous_secret_ends_at = previous_secret_ends_at - {millis}"));
}

async fn a_replaced_secret_signs_for_a_day(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let made =
        webhooks.store.create_webhook(webhooks.workspace(), new(&["a"]), PendingAnswer::not_kept()).await.unwrap();
    let (id, old) = (made.0.id, made.1.expose().to_owned());
    assert_eq!(webhooks.signs_with(id).await, (old.clone(), None));
    let new = webhooks.rotate(id).await.expose().to_owned();
    assert_eq!(webhooks.signs_with(id).await, (new.clone(), Some(old.clone())));
    let_time_pass(&database, 1);
    assert_eq!(webhooks.signs_with(id).await, (new.clone(), Some(old)));
    let_time_pass(&database, 24 * 60 - 1);
    assert_eq!(webhooks.signs_with(id).await, (new, None), "also before it is erased");
}

async fn the_last_two_secrets_count(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let id = webhooks.add(new(&["a"])).await.id;
    let second = webhooks.rotate(id).await;
    let third = webhooks.rotate(id).await;
    assert_eq!(webhooks.signs_with(id).await, (third.expose().to_owned(), Some(second.expose().to_owned())));
}

async fn a_secret_that_no_longer_signs_is_erased(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let ids = [webhooks.add(new(&["a"])).await.id, webhooks.add(new(&["b"])).await.id];
    let secret = webhooks.rotate(ids[0]).await;
    assert_eq!(webhooks.store.erase_replaced_webhook_secrets().await.unwrap(), 0);
    let_time_pass(&database, 0);
    let kept = "webhooks WHERE previous_secret IS NOT NULL OR previous_secret_key_id IS NOT NULL
                OR previous_secret_ends_at IS NOT NULL";
    assert_eq!(database.count(kept), 1);
    assert_eq!(webhooks.store.erase_replaced_webhook_secrets().await.unwrap(), 1);
    assert_eq!(database.count(kept), 0);
    assert_eq!(webhooks.signs_with(ids[0]).await, (secret.expose().to_owned(), None));
}

async fn a_given_secret_is_sealed_as_it_is(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let given = NewWebhook { secret: Some(WebhookSecret::new("my own, ünencoded")), ..new(&["a"]) };
    let id = webhooks.add(given).await.id;
    assert_eq!(webhooks.signs_with(id).await.0, "my own, ünencoded");
    let random = webhooks.rotate(id).await;
    assert!(random.expose().starts_with("whsec_"));
    let dump = database.dump("webhooks");
    for secret in ["my own", random.expose()] {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(!dump.contains(secret) && !dump.contains(&hex));
    }
}

async fn each_dialect_writes_its_own(database: TestDatabase) {
    let webhooks = Webhooks::new(&database).await;
    let sendkit = NewWebhook { dialect: OTHER, ..new(&["a"]) };
    let (webhook, secret) =
        webhooks.store.create_webhook(webhooks.workspace(), sendkit, PendingAnswer::not_kept()).await.unwrap();
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex(secret.expose()));
    let rotate = async |dialect| {
        let (workspace, answer) = (webhooks.workspace(), PendingAnswer::not_kept());
        webhooks.store.rotate_webhook_secret(workspace, dialect, webhook.id, answer).await
    };
    let (_, second) = rotate(OTHER).await.unwrap();
    assert!(is_hex(second.expose()) && second.expose() != secret.expose());
    assert!(matches!(rotate(DIALECT).await, Err(CoreError::NotFound("webhook"))));
}

async fn the_key_of_a_replaced_secret_is_still_needed(database: TestDatabase) {
    const OTHER: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let store = database.unlock(&format!("a:{KEY}")).await.unwrap();
    let before = Webhooks { tenant: Tenant::new(&store).await, store };
    let id = before.add(new(&["a"])).await.id;
    let store = database.unlock(&format!("b:{OTHER},a:{KEY}")).await.unwrap();
    let webhooks = Webhooks { store, tenant: before.tenant };
    webhooks.rotate(id).await;
    assert!(webhooks.signs_with(id).await.1.is_some());
    let refused = database.unlock(&format!("b:{OTHER}")).await.err().unwrap();
    assert!(matches!(&refused, CoreError::Internal(text) if text.contains("'a' is missing")), "{refused}");
    let_time_pass(&database, 0);
    webhooks.store.erase_replaced_webhook_secrets().await.unwrap();
    database.unlock(&format!("b:{OTHER}")).await.unwrap();
}

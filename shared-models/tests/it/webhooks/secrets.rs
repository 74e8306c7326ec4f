//! What webhooks sign with, and for how long.

use shared_models::domain::webhooks::{NewWebhook, WebhookSecret};
use shared_models::domain::{CoreError, WebhookId};
use shared_models::store::PendingAnswer;

use crate::webhooks::changes::{Bench, DIALECT, OTHER, new};
use crate::world::home::{Home, KEY};
use crate::world::tenant::Tenant;

contract!(
    a_replaced_secret_signs_for_a_day,
    the_last_two_secrets_count,
    what_signs_no_more_is_erased,
    a_given_secret_is_sealed_as_it_is,
    each_dialect_writes_its_own,
    the_key_of_a_replaced_secret_is_still_needed,
);

impl Bench {
    async fn rotate(&self, webhook: WebhookId) -> WebhookSecret {
        let rotated = self.store.rotate_webhook_secret(self.workspace(), DIALECT, webhook, PendingAnswer::not_kept());
        rotated.await.unwrap().1
    }

    /// What the next try would be signed with.
    async fn signs_with(&self, webhook: WebhookId) -> (String, Option<String>) {
        let job = self.begin(self.told(webhook).await).await.unwrap();
        let text = |secret: &WebhookSecret| secret.expose().to_owned();
        (text(&job.secret), job.previous_secret.as_ref().map(text))
    }
}

/// The overlap of every webhook is over, or ends in a minute.
fn let_time_pass(home: &Home, minutes_left: i64) {
    let day = 24 * 60;
    let millis = (day - minutes_left) * 60_000;
    home.execute(&format!("UPDATE webhooks SET previous_secret_ends_at = previous_secret_ends_at - {millis}"));
}

async fn a_replaced_secret_signs_for_a_day(home: Home) {
    let bench = Bench::new(&home).await;
    let made = bench.store.create_webhook(bench.workspace(), new(&["a"]), PendingAnswer::not_kept()).await.unwrap();
    let (id, old) = (made.0.id, made.1.expose().to_owned());
    assert_eq!(bench.signs_with(id).await, (old.clone(), None));
    let new = bench.rotate(id).await.expose().to_owned();
    assert_eq!(bench.signs_with(id).await, (new.clone(), Some(old.clone())));
    let_time_pass(&home, 1);
    assert_eq!(bench.signs_with(id).await, (new.clone(), Some(old)));
    let_time_pass(&home, 24 * 60 - 1);
    assert_eq!(bench.signs_with(id).await, (new, None), "also before it is erased");
}

async fn the_last_two_secrets_count(home: Home) {
    let bench = Bench::new(&home).await;
    let id = bench.add(new(&["a"])).await.id;
    let second = bench.rotate(id).await;
    let third = bench.rotate(id).await;
    assert_eq!(bench.signs_with(id).await, (third.expose().to_owned(), Some(second.expose().to_owned())));
}

async fn what_signs_no_more_is_erased(home: Home) {
    let bench = Bench::new(&home).await;
    let ids = [bench.add(new(&["a"])).await.id, bench.add(new(&["b"])).await.id];
    let secret = bench.rotate(ids[0]).await;
    assert_eq!(bench.store.erase_replaced_webhook_secrets().await.unwrap(), 0);
    let_time_pass(&home, 0);
    let kept = "webhooks WHERE previous_secret IS NOT NULL OR previous_secret_key_id IS NOT NULL
                OR previous_secret_ends_at IS NOT NULL";
    assert_eq!(home.count(kept), 1);
    assert_eq!(bench.store.erase_replaced_webhook_secrets().await.unwrap(), 1);
    assert_eq!(home.count(kept), 0);
    assert_eq!(bench.signs_with(ids[0]).await, (secret.expose().to_owned(), None));
}

async fn a_given_secret_is_sealed_as_it_is(home: Home) {
    let bench = Bench::new(&home).await;
    let given = NewWebhook { secret: Some(WebhookSecret::new("my own, ünencoded")), ..new(&["a"]) };
    let id = bench.add(given).await.id;
    assert_eq!(bench.signs_with(id).await.0, "my own, ünencoded");
    let random = bench.rotate(id).await;
    assert!(random.expose().starts_with("whsec_"));
    let dump = home.dump("webhooks");
    for secret in ["my own", random.expose()] {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        assert!(!dump.contains(secret) && !dump.contains(&hex));
    }
}

async fn each_dialect_writes_its_own(home: Home) {
    let bench = Bench::new(&home).await;
    let sendkit = NewWebhook { dialect: OTHER, ..new(&["a"]) };
    let (webhook, secret) =
        bench.store.create_webhook(bench.workspace(), sendkit, PendingAnswer::not_kept()).await.unwrap();
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex(secret.expose()));
    let rotate = async |dialect| {
        let (workspace, answer) = (bench.workspace(), PendingAnswer::not_kept());
        bench.store.rotate_webhook_secret(workspace, dialect, webhook.id, answer).await
    };
    let (_, second) = rotate(OTHER).await.unwrap();
    assert!(is_hex(second.expose()) && second.expose() != secret.expose());
    assert!(matches!(rotate(DIALECT).await, Err(CoreError::NotFound("webhook"))));
}

async fn the_key_of_a_replaced_secret_is_still_needed(home: Home) {
    const OTHER: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let store = home.unlock(&format!("a:{KEY}")).await.unwrap();
    let before = Bench { tenant: Tenant::new(&store).await, store };
    let id = before.add(new(&["a"])).await.id;
    let store = home.unlock(&format!("b:{OTHER},a:{KEY}")).await.unwrap();
    let bench = Bench { store, tenant: before.tenant };
    bench.rotate(id).await;
    assert!(bench.signs_with(id).await.1.is_some());
    let refused = home.unlock(&format!("b:{OTHER}")).await.err().unwrap();
    assert!(matches!(&refused, CoreError::Internal(text) if text.contains("'a' is missing")), "{refused}");
    let_time_pass(&home, 0);
    bench.store.erase_replaced_webhook_secrets().await.unwrap();
    home.unlock(&format!("b:{OTHER}")).await.unwrap();
}

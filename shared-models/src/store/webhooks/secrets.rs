//! What webhooks sign with: sealed, replaced on request, and erased when it signs no more.

use std::time::Duration;

use diesel::prelude::*;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::domain::webhooks::{Webhook, WebhookDialect, WebhookSecret};
use crate::domain::{CoreError, Timestamp, WebhookId, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::core::idempotency::PendingAnswer;
use crate::store::core::vault::Sealed;
use crate::store::schema::webhooks;
use crate::store::webhooks::webhook::{held, save};

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// How long a secret still signs after it was replaced.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// What a webhook signs with, as stored.
#[derive(Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub(crate) struct SealedSecrets {
    secret_key_id: String,
    secret: Vec<u8>,
    previous_secret_key_id: Option<String>,
    previous_secret: Option<Vec<u8>>,
    previous_secret_ends_at: Option<i64>,
}

/// A webhook whose secret was just made.
pub type MadeWebhook = (Webhook, WebhookSecret);

impl Store {
    /// Gives a webhook a new secret, which is returned here and never again. The one before it still signs for
    /// a day, beside the new one; that before it, no more.
    pub async fn rotate_webhook_secret(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, CoreError> {
        let secret = random_secret(dialect)?;
        let sealed = self.vault().seal(&place(id), secret.expose().as_bytes())?;
        self.write(move |tx| {
            let before = held(tx.conn, workspace, dialect.name, id)?;
            let now = Timestamp::now();
            let after = Webhook { updated_at: now, ..before };
            save(tx.conn, &after)?;
            // On the right stands what was there before.
            let set = (
                webhooks::previous_secret_key_id.eq(webhooks::secret_key_id.nullable()),
                webhooks::previous_secret.eq(webhooks::secret.nullable()),
                webhooks::previous_secret_ends_at.eq(now.plus(OVERLAP).millis()),
                webhooks::secret_key_id.eq(sealed.key_id),
                webhooks::secret.eq(sealed.bytes),
            );
            diesel::update(webhooks::table.find(id.to_string())).set(set).execute(tx.conn)?;
            let made = (after, secret);
            answer.complete(tx, &made)?;
            Ok(made)
        })
        .await
    }

    /// Erases replaced secrets that sign no more. Returns how many.
    pub async fn erase_replaced_webhook_secrets(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let over = webhooks::table
                .filter(webhooks::previous_secret_ends_at.le(Timestamp::now().millis()))
                .select(webhooks::id);
            let ids: Vec<String> = match tx.conn {
                // Who holds one of several webhooks waits for none of the others.
                Conn::Pg(c) => over.for_update().skip_locked().load(c)?,
                Conn::Lite(c) => over.load(c)?,
            };
            let erased = (
                webhooks::previous_secret_key_id.eq(None::<String>),
                webhooks::previous_secret.eq(None::<Vec<u8>>),
                webhooks::previous_secret_ends_at.eq(None::<i64>),
            );
            Ok(diesel::update(webhooks::table.filter(webhooks::id.eq_any(ids))).set(erased).execute(tx.conn)?)
        })
        .await
    }

    /// Opens the secret of a webhook, and the one before while that still signs.
    pub(crate) fn open_webhook_secrets(
        &self,
        id: WebhookId,
        sealed: SealedSecrets,
    ) -> Result<(WebhookSecret, Option<WebhookSecret>), CoreError> {
        let open = |key_id, bytes| {
            let text = self.vault().open_password(&place(id), Sealed { key_id, bytes })?;
            Ok::<_, CoreError>(WebhookSecret::new(text.expose()))
        };
        let signs = sealed.previous_secret_ends_at.is_some_and(|end| Timestamp::now().millis() < end);
        let previous = match (sealed.previous_secret_key_id, sealed.previous_secret) {
            (Some(key_id), Some(bytes)) if signs => Some(open(key_id, bytes)?),
            _ => None,
        };
        Ok((open(sealed.secret_key_id, sealed.secret)?, previous))
    }
}

/// A secret as the dialect writes it.
pub(crate) fn random_secret(dialect: WebhookDialect) -> Result<WebhookSecret, CoreError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| CoreError::Internal("the system gives no random numbers".to_owned()))?;
    Ok(WebhookSecret::random(dialect.secrets, &*bytes))
}

/// Where in the database its secrets are sealed: a replaced one moves to its other column as it is.
pub(crate) fn place(id: WebhookId) -> String {
    format!("webhook:{id}:secret")
}

//! The secrets of webhooks: sealed, replaced on request, and erased when they no longer sign.

use diesel::prelude::*;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::domain::webhooks::{SECRET_OVERLAP, Webhook, WebhookDialect, WebhookSecret};
use crate::domain::{CoreError, Timestamp, WebhookId, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::core::idempotency::PendingAnswer;
use crate::store::core::vault::Sealed;
use crate::store::schema::webhooks;
use crate::store::webhooks::rows::{held, save};

/// Random bytes of a secret that we make.
const SECRET_BYTES: usize = 32;

/// The secrets of a webhook, as stored.
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
    /// Gives a webhook a new secret, which is returned here and never again. The replaced secret still signs for a day,
    /// beside the new one; the one before that no longer signs.
    pub async fn rotate_webhook_secret(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
        answer: PendingAnswer<MadeWebhook>,
    ) -> Result<MadeWebhook, CoreError> {
        let secret = random_secret(dialect)?;
        let sealed = self.vault().seal(&secret_location(id), secret.expose().as_bytes())?;
        self.write(move |tx| {
            let before = held(tx.conn, workspace, dialect.name, id)?;
            let now = Timestamp::now();
            let after = Webhook { updated_at: now, ..before };
            save(tx.conn, &after)?;
            // The right-hand sides are the values before the UPDATE.
            let set = (
                webhooks::previous_secret_key_id.eq(webhooks::secret_key_id.nullable()),
                webhooks::previous_secret.eq(webhooks::secret.nullable()),
                webhooks::previous_secret_ends_at.eq(now.plus(SECRET_OVERLAP).millis()),
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

    /// Erases replaced secrets that no longer sign. Returns how many.
    pub async fn erase_replaced_webhook_secrets(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let over = webhooks::table
                .filter(webhooks::previous_secret_ends_at.le(Timestamp::now().millis()))
                .select(webhooks::id);
            let ids: Vec<String> = match tx.conn {
                // A webhook that somebody else holds is left for the next run.
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

    /// Opens the secret of a webhook, and the replaced one while that still signs.
    pub(crate) fn open_webhook_secrets(
        &self,
        id: WebhookId,
        sealed: SealedSecrets,
    ) -> Result<(WebhookSecret, Option<WebhookSecret>), CoreError> {
        let open = |key_id, bytes| {
            let text = self.vault().open_password(&secret_location(id), Sealed { key_id, bytes })?;
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

/// A random secret in the dialect's spelling.
pub(crate) fn random_secret(dialect: WebhookDialect) -> Result<WebhookSecret, CoreError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| CoreError::Internal("the system gives no random numbers".to_owned()))?;
    Ok(WebhookSecret::random(dialect.secrets, &*bytes))
}

/// The location for which its secrets are sealed. Both columns have the same one, because a replaced secret moves to
/// the other column as it is.
pub(crate) fn secret_location(id: WebhookId) -> String {
    format!("webhook:{id}:secret")
}

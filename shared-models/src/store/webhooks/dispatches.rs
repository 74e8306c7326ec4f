//! Tellings: who is to be told what, when it is tried, and how a try ended. A telling is a row until it is
//! over. A worker hears of it through an event; whatever gets lost between the two, the row is due again
//! after a while. Functions for workers take the ids of the telling alone: its events come from us.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::webhooks::{DeliveryResult, Webhook, WebhookDialect, WebhookEvent, WebhookJob, WebhookReply};
use crate::domain::{CoreError, Timestamp, WebhookEventId, WebhookId, WorkspaceId};
use crate::events::{Event, WebhookDispatchRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::mailboxes::verifications::Settled;
use crate::store::schema::{webhook_deliveries, webhook_dispatches, webhook_events, webhooks};
use crate::store::webhooks::log::record;
use crate::store::webhooks::secrets::SealedSecrets;
use crate::store::webhooks::webhook::{WebhookRow, held, of_dialect, save};

/// When an event for a worker must have got lost. No delivery takes so long, nor does a queue.
const LOST: Duration = Duration::from_secs(15 * 60);

/// The stored words for the states.
mod state {
    /// Somebody is told to try it.
    pub(crate) const QUEUED: &str = "queued";
    /// Until its next try.
    pub(crate) const WAITING: &str = "waiting";
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_dispatches)]
struct DispatchRow {
    webhook_id: String,
    event_id: String,
    workspace_id: String,
    state: String,
    attempts: i32,
    due_at: i64,
}

/// Why a webhook is not tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookTest {
    /// It will be told.
    Sent(WebhookEventId),
    /// It did not ask for events of this type.
    NotWanted,
    /// It is switched off, or failing.
    NotListening,
}

impl Store {
    /// Tells every webhook of the workspace that asked for it. Telling the same event again does nothing.
    /// Returns how many are told.
    pub async fn publish_webhook_event(&self, workspace: WorkspaceId, event: WebhookEvent) -> Result<usize, CoreError> {
        self.write(move |tx| announce(tx, workspace, &event)).await
    }

    /// Whether any webhook would be told of such an event that is about no hosted mailbox. It spares finding
    /// out what there is to tell.
    pub async fn is_webhook_event_wanted(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        event_type: &'static str,
    ) -> Result<bool, CoreError> {
        self.read(move |conn| {
            let webhooks = of_dialect(conn, workspace, dialect.name)?;
            Ok(webhooks.iter().any(|webhook| webhook.wants(event_type, None)))
        })
        .await
    }

    /// Tells one webhook of a made-up event, whatever mailboxes it asked for.
    ///
    /// # Errors
    /// `NotFound` when the workspace has no such webhook.
    pub async fn test_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        event: WebhookEvent,
        answer: PendingAnswer<WebhookTest>,
    ) -> Result<WebhookTest, CoreError> {
        self.write(move |tx| {
            let webhook = held(tx.conn, workspace, event.dialect.name, id)?;
            if !webhook.event_types.contains(&event.event_type) {
                return Ok(WebhookTest::NotWanted);
            }
            if !webhook.listens() {
                return Ok(WebhookTest::NotListening);
            }
            let now = Timestamp::now();
            if keep(tx.conn, workspace, &event, now)? {
                dispatch(tx, id, event.id, workspace, now)?;
            }
            let sent = WebhookTest::Sent(event.id);
            answer.complete(tx, &sent)?;
            Ok(sent)
        })
        .await
    }

    /// What is needed for the next try; `None` when there is none to make now.
    pub async fn begin_webhook_delivery(&self, about: WebhookDispatchRef) -> Result<Option<WebhookJob>, CoreError> {
        type Found = (DispatchRow, WebhookRow, SealedSecrets, (String, String));
        let found = self
            .read(move |conn| {
                let row: Option<Found> = webhook_dispatches::table
                    .find((about.webhook_id.to_string(), about.webhook_event_id.to_string()))
                    .inner_join(webhooks::table.on(webhooks::id.eq(webhook_dispatches::webhook_id)))
                    .inner_join(webhook_events::table.on(webhook_events::id.eq(webhook_dispatches::event_id)))
                    .select((
                        DispatchRow::as_select(),
                        WebhookRow::as_select(),
                        SealedSecrets::as_select(),
                        (webhook_events::event_type, webhook_events::body),
                    ))
                    .first(conn)
                    .optional()?;
                row.map(|(dispatch, webhook, secrets, event)| Ok((dispatch, webhook.read()?, secrets, event)))
                    .transpose()
            })
            .await?;
        let Some((dispatch, webhook, secrets, (event_type, body))) = found else {
            self.forget_dispatch(about).await?;
            return Ok(None);
        };
        if dispatch.state != state::QUEUED {
            return Ok(None);
        }
        if !webhook.listens() {
            self.forget_dispatch(about).await?;
            return Ok(None);
        }
        let (secret, previous_secret) = self.open_webhook_secrets(webhook.id, secrets)?;
        Ok(Some(WebhookJob {
            dialect: webhook.dialect,
            url: webhook.url,
            secret,
            previous_secret,
            retry_attempts: webhook.retry_attempts,
            timeout: webhook.timeout,
            event_id: about.webhook_event_id,
            event_type,
            body,
            attempt: dispatch.attempts.unsigned_abs() + 1,
        }))
    }

    /// Of a webhook that was switched off or removed in the moment in which something happened.
    async fn forget_dispatch(&self, about: WebhookDispatchRef) -> Result<(), CoreError> {
        self.write(move |tx| {
            let key = (about.webhook_id.to_string(), about.webhook_event_id.to_string());
            diesel::delete(webhook_dispatches::table.find(key)).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Stores how a try ended. One that failed is repeated after `retry_after`; without that it was the last
    /// of `max_attempts`, and the webhook is failing from now on. Repeating it changes nothing.
    pub async fn settle_webhook_delivery(
        &self,
        about: WebhookDispatchRef,
        job: WebhookJob,
        reply: WebhookReply,
        retry_after: Option<Duration>,
        max_attempts: u32,
    ) -> Result<Settled, CoreError> {
        self.write(move |tx| {
            // In this order: whoever changes the webhook holds it.
            let webhook = match held(tx.conn, about.workspace_id, &job.dialect, about.webhook_id) {
                Ok(webhook) => webhook,
                Err(TxError::Domain(CoreError::NotFound(_))) => return Ok(Settled::Superseded),
                Err(error) => return Err(error),
            };
            let tried = webhook_dispatches::table
                .find((about.webhook_id.to_string(), about.webhook_event_id.to_string()))
                .filter(webhook_dispatches::attempts.eq(as_i32(job.attempt - 1)));
            let now = Timestamp::now();
            let next_retry_at = if reply.is_success() { None } else { retry_after.map(|after| now.plus(after)) };
            let over = match next_retry_at {
                None => diesel::delete(tried).execute(tx.conn)?,
                Some(at) => {
                    let waiting = (
                        webhook_dispatches::state.eq(state::WAITING),
                        webhook_dispatches::attempts.eq(as_i32(job.attempt)),
                        webhook_dispatches::due_at.eq(at.millis()),
                    );
                    diesel::update(tried).set(waiting).execute(tx.conn)?
                }
            };
            if over == 0 {
                return Ok(Settled::Superseded);
            }
            let result = match (reply.is_success(), next_retry_at) {
                (true, _) => DeliveryResult::Success,
                (false, Some(_)) => DeliveryResult::Retrying,
                (false, None) => DeliveryResult::PermanentFailure,
            };
            record(tx.conn, about, &job, reply, (result, next_retry_at, max_attempts), now)?;
            // What an address did that is not the webhook's any more says nothing about its new one.
            if result == DeliveryResult::PermanentFailure && webhook.url == job.url {
                end_dispatches(tx.conn, webhook.id)?;
                save(tx.conn, &Webhook { failing: true, updated_at: now, ..webhook })?;
            }
            Ok(Settled::Stored)
        })
        .await
    }

    /// Puts a try off without making it: too many are under way to the same receiver.
    pub async fn postpone_webhook_delivery(&self, about: WebhookDispatchRef, delay: Duration) -> Result<(), CoreError> {
        self.write(move |tx| {
            let queued = webhook_dispatches::table
                .find((about.webhook_id.to_string(), about.webhook_event_id.to_string()))
                .filter(webhook_dispatches::state.eq(state::QUEUED));
            let due_at = Timestamp::now().plus(delay).millis();
            let waiting = (webhook_dispatches::state.eq(state::WAITING), webhook_dispatches::due_at.eq(due_at));
            diesel::update(queued).set(waiting).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// When the next try is due; `None` when none is to come.
    pub async fn next_webhook_delivery_at(&self) -> Result<Option<Timestamp>, CoreError> {
        self.read(|conn| {
            let at: Option<i64> =
                webhook_dispatches::table.select(diesel::dsl::min(webhook_dispatches::due_at)).first(conn)?;
            Ok(at.map(Timestamp::from_millis))
        })
        .await
    }

    /// Tells the workers of at most `limit` tries that are due. Returns how many.
    pub async fn queue_due_webhook_deliveries(&self, limit: i64) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let due = webhook_dispatches::table
                .filter(webhook_dispatches::due_at.le(now.millis()))
                .order(webhook_dispatches::due_at)
                .limit(limit);
            let rows: Vec<DispatchRow> = match tx.conn {
                // Another gateway may be doing the same at this moment.
                Conn::Pg(c) => due.select(DispatchRow::as_select()).for_update().skip_locked().load(c)?,
                Conn::Lite(c) => due.select(DispatchRow::as_select()).load(c)?,
            };
            for row in &rows {
                let queued = (
                    webhook_dispatches::state.eq(state::QUEUED),
                    webhook_dispatches::due_at.eq(now.plus(LOST).millis()),
                );
                let dispatch = webhook_dispatches::table.find((&row.webhook_id, &row.event_id));
                diesel::update(dispatch).set(queued).execute(tx.conn)?;
                tx.append(Event::WebhookDeliveryRequested(row.reference()?), now)?;
            }
            Ok(rows.len())
        })
        .await
    }
}

/// As [`Store::publish_webhook_event`], in the transaction of what happened.
pub(crate) fn announce(tx: &mut Tx<'_>, workspace: WorkspaceId, event: &WebhookEvent) -> Result<usize, TxError> {
    let webhooks = of_dialect(tx.conn, workspace, event.dialect.name)?;
    let listeners: Vec<WebhookId> = webhooks
        .iter()
        .filter(|webhook| webhook.wants(&event.event_type, event.mailbox))
        .map(|webhook| webhook.id)
        .collect();
    let now = Timestamp::now();
    if listeners.is_empty() || !keep(tx.conn, workspace, event, now)? {
        return Ok(0);
    }
    for webhook in &listeners {
        dispatch(tx, *webhook, event.id, workspace, now)?;
    }
    Ok(listeners.len())
}

/// Nothing more is to be tried of what a webhook was to be told.
pub(crate) fn end_dispatches(conn: &mut Conn, webhook: WebhookId) -> Result<(), TxError> {
    let of_webhook = webhook_dispatches::table.filter(webhook_dispatches::webhook_id.eq(webhook.to_string()));
    diesel::delete(of_webhook).execute(conn)?;
    let retrying = webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook.to_string()))
        .filter(webhook_deliveries::result.eq(DeliveryResult::Retrying.as_str()));
    let over = (
        webhook_deliveries::result.eq(DeliveryResult::Failed.as_str()),
        webhook_deliveries::next_retry_at.eq(None::<i64>),
    );
    diesel::update(retrying).set(over).execute(conn)?;
    Ok(())
}

/// Stores what happened; false when that was done before.
fn keep(conn: &mut Conn, workspace: WorkspaceId, event: &WebhookEvent, now: Timestamp) -> Result<bool, TxError> {
    let values = (
        webhook_events::id.eq(event.id.to_string()),
        webhook_events::workspace_id.eq(workspace.to_string()),
        webhook_events::event_type.eq(&event.event_type),
        webhook_events::body.eq(&event.body),
        webhook_events::created_at.eq(now.millis()),
    );
    let made =
        both!(conn, |c| diesel::insert_into(webhook_events::table).values(values).on_conflict_do_nothing().execute(c))?;
    Ok(made == 1)
}

fn dispatch(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    event: WebhookEventId,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<(), TxError> {
    let row = DispatchRow {
        webhook_id: webhook.to_string(),
        event_id: event.to_string(),
        workspace_id: workspace.to_string(),
        state: state::QUEUED.to_owned(),
        attempts: 0,
        due_at: now.plus(LOST).millis(),
    };
    diesel::insert_into(webhook_dispatches::table).values(&row).execute(tx.conn)?;
    tx.append(Event::WebhookDeliveryRequested(row.reference()?), now)
}

fn as_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl DispatchRow {
    fn reference(&self) -> Result<WebhookDispatchRef, TxError> {
        Ok(WebhookDispatchRef {
            webhook_id: self.webhook_id.parse().map_err(|_| corrupt("webhook id"))?,
            webhook_event_id: self.event_id.parse().map_err(|_| corrupt("event id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
        })
    }
}

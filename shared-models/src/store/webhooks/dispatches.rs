//! Webhook dispatches: one row for each pair of webhook and event that still has to be delivered. The row is deleted
//! when the delivery succeeds or is given up. If the event that announces it is lost, the row becomes due again.
//! Functions for workers take the ids of the dispatch alone: its events come from us.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::webhooks::{DeliveryResult, Webhook, WebhookDialect, WebhookEvent, WebhookJob, WebhookReply};
use crate::domain::{CoreError, Timestamp, WebhookEventId, WebhookId, WorkspaceId};
use crate::events::{Event, WebhookDispatchRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::core::settled::Settled;
use crate::store::schema::{webhook_deliveries, webhook_dispatches, webhook_events, webhooks};
use crate::store::webhooks::log::record;
use crate::store::webhooks::rows::{WebhookRow, held, of_dialect, save};
use crate::store::webhooks::secrets::SealedSecrets;

/// An announced delivery that was not settled within this time was lost. No delivery takes this long, nor does a queue.
const LOST: Duration = Duration::from_secs(15 * 60);

/// The stored words for the states.
mod state {
    /// A worker was asked to attempt the delivery.
    pub(crate) const QUEUED: &str = "queued";
    /// The next attempt is due later.
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

/// The answer to the request for a test delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookTest {
    /// The event is on its way.
    Sent(WebhookEventId),
    /// The webhook does not want events of this type.
    NotWanted,
    /// The webhook is switched off, or failing.
    NotListening,
}

impl Store {
    /// Dispatches an event to every webhook of the workspace that wants it. An event that was published before is
    /// ignored. Returns the number of webhooks.
    pub async fn publish_webhook_event(&self, workspace: WorkspaceId, event: WebhookEvent) -> Result<usize, CoreError> {
        self.write(move |tx| announce(tx, workspace, &event)).await
    }

    /// True if any webhook wants such an event, which is about no hosted mailbox. Asked before the body of an event is
    /// made, which costs queries.
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

    /// Dispatches a made-up event to one webhook, whatever mailboxes the webhook is limited to.
    ///
    /// # Errors
    /// `NotFound` if the workspace has no such webhook.
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

    /// The input of the next attempt; `None` if none is due.
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

    /// Deletes the dispatch of a webhook that was switched off or removed while the event happened.
    async fn forget_dispatch(&self, about: WebhookDispatchRef) -> Result<(), CoreError> {
        self.write(move |tx| {
            let key = (about.webhook_id.to_string(), about.webhook_event_id.to_string());
            diesel::delete(webhook_dispatches::table.find(key)).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Stores the end of an attempt. A failed one is repeated after `retry_after`. Without that it was the last of
    /// `max_attempts`, and the webhook is failing from now on. Repeating the call changes nothing.
    pub async fn settle_webhook_delivery(
        &self,
        about: WebhookDispatchRef,
        job: WebhookJob,
        reply: WebhookReply,
        retry_after: Option<Duration>,
        max_attempts: u32,
    ) -> Result<Settled, CoreError> {
        self.write(move |tx| {
            // The webhook is locked first, because every change of it locks it.
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
            // A reply from an address that is not the webhook's any more says nothing about its new one.
            if result == DeliveryResult::PermanentFailure && webhook.url == job.url {
                end_dispatches(tx.conn, webhook.id)?;
                save(tx.conn, &Webhook { failing: true, updated_at: now, ..webhook })?;
            }
            Ok(Settled::Stored)
        })
        .await
    }

    /// Postpones an attempt without making it: too many to the same receiver are under way.
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

    /// The time at which the next attempt is due; `None` without any.
    pub async fn next_webhook_delivery_at(&self) -> Result<Option<Timestamp>, CoreError> {
        self.read(|conn| {
            let at: Option<i64> =
                webhook_dispatches::table.select(diesel::dsl::min(webhook_dispatches::due_at)).first(conn)?;
            Ok(at.map(Timestamp::from_millis))
        })
        .await
    }

    /// Announces at most `limit` attempts that are due to the workers. Returns how many.
    pub async fn queue_due_webhook_deliveries(&self, limit: i64) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let due = webhook_dispatches::table
                .filter(webhook_dispatches::due_at.le(now.millis()))
                .order(webhook_dispatches::due_at)
                .limit(limit);
            let rows: Vec<DispatchRow> = match tx.conn {
                // Another gateway may be doing the same now.
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

/// As [`Store::publish_webhook_event`], in the transaction that caused the event.
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

/// Ends all dispatches of a webhook.
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

/// Stores an event; false if it was stored before.
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

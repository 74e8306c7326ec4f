//! The log of webhook deliveries, one row for each attempt.

use std::time::Duration;

use diesel::prelude::*;
use ring::digest;

use crate::domain::webhooks::{
    DELIVERIES_KEPT, DeliveryResult, WebhookDelivery, WebhookDialect, WebhookJob, WebhookReply,
};
use crate::domain::{CoreError, Timestamp, WebhookDeliveryId, WebhookId, WorkspaceId};
use crate::events::WebhookDispatchRef;
use crate::store::Store;
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::vault::hex;
use crate::store::schema::{webhook_deliveries, webhook_events};
use crate::store::webhooks::rows::own;

/// The posted body is kept until the last attempt with it is forgotten. Attempts go on for a day after the event, and
/// are kept for a week.
const EVENTS_KEPT: Duration = Duration::from_secs(9 * 86_400);

/// The filter and the page of a list of deliveries.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// Only deliveries of events of this type.
    pub event_type: Option<String>,
    /// Only deliveries with this result.
    pub result: Option<DeliveryResult>,
    /// Only deliveries that are older than this one.
    pub after: Option<WebhookDeliveryId>,
    /// Matches to skip.
    pub offset: i64,
    /// Matches to return at most.
    pub limit: i64,
}

// With defaults for `None` the statement would differ from row to row and never be cached.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_deliveries, treat_none_as_default_value = false)]
struct DeliveryRow {
    id: String,
    webhook_id: String,
    event_id: String,
    event_type: String,
    attempt: i32,
    max_attempts: i32,
    result: String,
    response_status: Option<i32>,
    response_body: Option<String>,
    response_ms: i64,
    error_message: Option<String>,
    next_retry_at: Option<i64>,
    payload_sha256: String,
    payload_bytes: i64,
    created_at: i64,
}

impl Store {
    /// One page of a webhook's deliveries of the last week, newest first, and true if more follow.
    pub async fn webhook_deliveries(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
        query: DeliveryQuery,
    ) -> Result<(Vec<WebhookDelivery>, bool), CoreError> {
        self.read(move |conn| {
            own(conn, workspace, dialect.name, id)?;
            let mut wanted = webhook_deliveries::table
                .filter(webhook_deliveries::webhook_id.eq(id.to_string()))
                .filter(webhook_deliveries::created_at.gt(oldest()))
                .select(DeliveryRow::as_select())
                .into_boxed();
            if let Some(event_type) = query.event_type {
                wanted = wanted.filter(webhook_deliveries::event_type.eq(event_type));
            }
            if let Some(result) = query.result {
                wanted = wanted.filter(webhook_deliveries::result.eq(result.as_str()));
            }
            if let Some(after) = query.after {
                wanted = wanted.filter(webhook_deliveries::id.lt(after.to_string()));
            }
            let mut rows: Vec<DeliveryRow> =
                wanted.order(webhook_deliveries::id.desc()).offset(query.offset).limit(query.limit + 1).load(conn)?;
            let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            Ok((rows.into_iter().map(DeliveryRow::read).collect::<Result<_, _>>()?, has_more))
        })
        .await
    }

    /// The number of deliveries of a webhook in the last week.
    pub async fn count_webhook_deliveries(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
    ) -> Result<i64, CoreError> {
        self.read(move |conn| {
            own(conn, workspace, dialect.name, id)?;
            let kept = webhook_deliveries::table
                .filter(webhook_deliveries::webhook_id.eq(id.to_string()))
                .filter(webhook_deliveries::created_at.gt(oldest()));
            Ok(kept.count().get_result(conn)?)
        })
        .await
    }

    /// A delivery of the last week, and the posted body.
    ///
    /// # Errors
    /// `NotFound` if it is older, or if there has never been such a delivery to this webhook.
    pub async fn webhook_payload(
        &self,
        workspace: WorkspaceId,
        dialect: WebhookDialect,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<(WebhookDelivery, String), CoreError> {
        self.read(move |conn| {
            own(conn, workspace, dialect.name, id)?;
            let row: Option<(DeliveryRow, String)> = webhook_deliveries::table
                .find(delivery.to_string())
                .filter(webhook_deliveries::webhook_id.eq(id.to_string()))
                .filter(webhook_deliveries::created_at.gt(oldest()))
                .inner_join(webhook_events::table.on(webhook_events::id.eq(webhook_deliveries::event_id)))
                .select((DeliveryRow::as_select(), webhook_events::body))
                .first(conn)
                .optional()?;
            let (row, body) = row.ok_or(CoreError::NotFound("delivery"))?;
            Ok((row.read()?, body))
        })
        .await
    }

    /// Forgets deliveries and posted bodies after a week. Returns the number of deliveries.
    pub async fn purge_webhook_deliveries(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let old = webhook_deliveries::created_at.le(oldest());
            let forgotten = diesel::delete(webhook_deliveries::table.filter(old)).execute(tx.conn)?;
            let old = webhook_events::created_at.le(Timestamp::now().minus(EVENTS_KEPT).millis());
            diesel::delete(webhook_events::table.filter(old)).execute(tx.conn)?;
            Ok(forgotten)
        })
        .await
    }
}

/// Adds an attempt to the log. The attempt before it is no longer the latest one.
pub(crate) fn record(
    conn: &mut Conn,
    about: WebhookDispatchRef,
    job: &WebhookJob,
    reply: WebhookReply,
    (result, next_retry_at, max_attempts): (DeliveryResult, Option<Timestamp>, u32),
    now: Timestamp,
) -> Result<(), TxError> {
    let before = webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(about.webhook_id.to_string()))
        .filter(webhook_deliveries::event_id.eq(about.webhook_event_id.to_string()))
        .filter(webhook_deliveries::result.eq(DeliveryResult::Retrying.as_str()));
    let over = (
        webhook_deliveries::result.eq(DeliveryResult::Failed.as_str()),
        webhook_deliveries::next_retry_at.eq(None::<i64>),
    );
    diesel::update(before).set(over).execute(conn)?;
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let row = DeliveryRow {
        id: WebhookDeliveryId::new().to_string(),
        webhook_id: about.webhook_id.to_string(),
        event_id: about.webhook_event_id.to_string(),
        event_type: job.event_type.clone(),
        attempt: number(job.attempt),
        max_attempts: number(max_attempts),
        result: result.as_str().to_owned(),
        response_status: reply.status.map(i32::from),
        response_body: reply.body,
        response_ms: i64::try_from(reply.millis).unwrap_or(i64::MAX),
        error_message: reply.error,
        next_retry_at: next_retry_at.map(Timestamp::millis),
        payload_sha256: hex(digest::digest(&digest::SHA256, job.body.as_bytes()).as_ref()),
        payload_bytes: i64::try_from(job.body.len()).unwrap_or(i64::MAX),
        created_at: now.millis(),
    };
    both!(conn, |c| diesel::insert_into(webhook_deliveries::table).values(&row).execute(c))?;
    Ok(())
}

/// Deliveries up to this time are forgotten.
fn oldest() -> i64 {
    Timestamp::now().minus(DELIVERIES_KEPT).millis()
}

impl DeliveryRow {
    fn read(self) -> Result<WebhookDelivery, TxError> {
        let status = self.response_status.map(u16::try_from).transpose().map_err(|_| corrupt("status"))?;
        Ok(WebhookDelivery {
            id: self.id.parse().map_err(|_| corrupt("delivery id"))?,
            event_id: self.event_id.parse().map_err(|_| corrupt("event id"))?,
            event_type: self.event_type,
            attempt: self.attempt.unsigned_abs(),
            max_attempts: self.max_attempts.unsigned_abs(),
            result: DeliveryResult::parse(&self.result).ok_or_else(|| corrupt("result"))?,
            reply: WebhookReply {
                status,
                body: self.response_body,
                millis: self.response_ms.unsigned_abs(),
                error: self.error_message,
            },
            next_retry_at: self.next_retry_at.map(Timestamp::from_millis),
            payload_sha256: self.payload_sha256,
            payload_bytes: self.payload_bytes,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

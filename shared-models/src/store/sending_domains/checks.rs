//! Checks of domains: requested, made, answered. Functions for the DNS checker take the domain's id alone: its events
//! come from us.
//!
//! A request is a point in time, later than all before it. A check answers the requests that existed when it began. So
//! nobody gets an answer that is older than the question.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::sending_domains::{
    CheckReason, CheckRequest, DomainCheckJob, DomainChecks, DomainStatus, SendingDomain,
};
use crate::domain::{CoreError, DomainId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx};
use crate::store::core::error::{TxError, is_duplicate};
use crate::store::core::settled::Settled;
use crate::store::hosted::mailbox::take_over;
use crate::store::schema::sending_domains;
use crate::store::sending_domains::domain::{is_verified_elsewhere, own};
use crate::store::sending_domains::rows::{DomainRow, locked_row, save};

/// The state of a request for a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainCheckAnswer {
    /// No check has answered it yet.
    Waiting,
    /// A query was not answered. The check is repeated, but that may take long.
    Unclear,
    /// The domain as the check left it.
    Answered(Box<SendingDomain>),
}

impl Store {
    /// Requests a check of a domain.
    pub async fn request_domain_check(&self, workspace: WorkspaceId, id: DomainId) -> Result<CheckRequest, CoreError> {
        self.write(move |tx| {
            let row = locked_row(tx.conn, id)?.filter(|row| row.workspace_id == workspace.to_string());
            ask(tx, &row.ok_or(CoreError::NotFound("domain"))?, CheckReason::Asked)
        })
        .await
    }

    /// Requests a check of at most `limit` domains without a request for `age`. Returns how many.
    pub async fn request_stale_domain_checks(&self, age: Duration, limit: i64) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let cutoff = Timestamp::now().minus(age).millis();
            let stale = sending_domains::table
                .filter(sending_domains::asked_at.lt(cutoff))
                .order(sending_domains::asked_at)
                .limit(limit);
            let rows: Vec<DomainRow> = match tx.conn {
                // Another gateway may be doing the same now.
                Conn::Pg(c) => stale.select(DomainRow::as_select()).for_update().skip_locked().load(c)?,
                Conn::Lite(c) => stale.select(DomainRow::as_select()).load(c)?,
            };
            let count = rows.len();
            for row in rows {
                ask(tx, &row, CheckReason::Scheduled)?;
            }
            Ok(count)
        })
        .await
    }

    /// The input of a domain's check; `None` if no request is open, or if the domain is gone.
    pub async fn domain_check_job(&self, id: DomainId) -> Result<Option<DomainCheckJob>, CoreError> {
        self.read(move |conn| {
            let row: Option<DomainRow> = sending_domains::table
                .find(id.to_string())
                .filter(sending_domains::answered_at.lt(sending_domains::asked_at))
                .select(DomainRow::as_select())
                .first(conn)
                .optional()?;
            row.map(into_job).transpose()
        })
        .await
    }

    /// Notes that a query of a check was not answered. Nothing else changes.
    pub async fn note_unclear_domain_check(&self, job: DomainCheckJob) -> Result<(), CoreError> {
        self.write(move |tx| {
            diesel::update(sending_domains::table.find(job.domain.id.to_string()))
                .set(sending_domains::unclear_at.eq(job.request.0.millis()))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Stores the result of a check, once. It is superseded, and changes nothing, if the request was answered before or
    /// the domain was changed since.
    pub async fn record_domain_check(&self, job: DomainCheckJob, checks: DomainChecks) -> Result<Settled, CoreError> {
        let once = || {
            let job = job.clone();
            self.write(move |tx| record(tx, &job, checks))
        };
        match once().await {
            // Another tenant's check of the name passed at the same moment. The second attempt sees it.
            Err(CoreError::AlreadyExists) => once().await,
            result => result,
        }
    }

    /// The state of a request for a check.
    ///
    /// # Errors
    /// `NotFound` if the domain is gone.
    pub async fn domain_check_answer(
        &self,
        workspace: WorkspaceId,
        id: DomainId,
        request: CheckRequest,
    ) -> Result<DomainCheckAnswer, CoreError> {
        self.read(move |conn| {
            let row: Option<DomainRow> = own(workspace, id).select(DomainRow::as_select()).first(conn).optional()?;
            let row = row.ok_or(CoreError::NotFound("domain"))?;
            let (answered, unclear) = (row.answered_at, row.unclear_at);
            Ok(if answered >= request.0.millis() {
                DomainCheckAnswer::Answered(Box::new(row.read_with_count(conn)?))
            } else if unclear >= Some(request.0.millis()) {
                DomainCheckAnswer::Unclear
            } else {
                DomainCheckAnswer::Waiting
            })
        })
        .await
    }
}

fn ask(tx: &mut Tx<'_>, row: &DomainRow, reason: CheckReason) -> Result<CheckRequest, TxError> {
    let now = Timestamp::now();
    // Later than the last one, whatever the clocks of the gateways say.
    let request = CheckRequest(now.max(Timestamp::from_millis(row.asked_at + 1)));
    diesel::update(sending_domains::table.find(&row.id))
        .set((
            sending_domains::asked_at.eq(request.0.millis()),
            sending_domains::asked_by_clock.eq(reason == CheckReason::Scheduled),
        ))
        .execute(tx.conn)?;
    tx.append(Event::DomainVerificationRequested(row.reference()?), now)?;
    Ok(request)
}

fn into_job(row: DomainRow) -> Result<DomainCheckJob, TxError> {
    Ok(DomainCheckJob {
        request: CheckRequest(Timestamp::from_millis(row.asked_at)),
        reason: if row.asked_by_clock { CheckReason::Scheduled } else { CheckReason::Asked },
        domain: row.read(0)?,
    })
}

fn record(tx: &mut Tx<'_>, job: &DomainCheckJob, checks: DomainChecks) -> Result<Settled, TxError> {
    let Some(row) = locked_row(tx.conn, job.domain.id)? else { return Ok(Settled::Superseded) };
    if row.answered_at >= job.request.0.millis() || row.mode != job.domain.mode.as_str() {
        return Ok(Settled::Superseded);
    }
    let (before, about, now) = (row.status.clone(), row.reference()?, Timestamp::now());
    let taken = is_verified_elsewhere(tx.conn, &row.name, &row.id)?;
    let domain = row.read(0)?.after(checks, job.reason, taken, now);
    match save(tx.conn, &domain) {
        Err(TxError::Db(error)) if is_duplicate(&error) => return Err(CoreError::AlreadyExists.into()),
        result => result?,
    }
    diesel::update(sending_domains::table.find(domain.id.to_string()))
        .set(sending_domains::answered_at.eq(job.request.0.millis()))
        .execute(tx.conn)?;
    if domain.status == DomainStatus::Verified && domain.status.as_str() != before {
        take_over(tx, domain.name.as_str(), &domain.id.to_string(), now)?;
    }
    // A check that changes nothing is announced only to somebody who asked for it.
    if domain.status.as_str() != before || job.reason == CheckReason::Asked {
        let event = match domain.status {
            DomainStatus::Verified => Event::DomainVerified(about),
            DomainStatus::Pending | DomainStatus::Failed => Event::DomainVerificationFailed(about),
        };
        tx.append(event, now)?;
    }
    Ok(Settled::Stored)
}

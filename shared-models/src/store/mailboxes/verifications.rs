//! Verifications of mailboxes: the input and the results of the verifier, and their state for callers. Functions for
//! the verifier take a mailbox id alone: its events come from us, not from a tenant.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::diagnosis::{Finding, Leg, LoginReport};
use crate::domain::mailboxes::{ConnectionTest, RefusalEffect, RefusalPolicy, VerificationJob, effect_of_refusal};
use crate::domain::{CoreError, Mailbox, MailboxId, MailboxStatus, ServerEndpoint, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::settled::Settled;
use crate::store::core::vault::Sealed;
use crate::store::mailboxes::mailbox::{ask_for_verification, remove};
use crate::store::mailboxes::rows::{MailboxRow, find, reference, stored_reference, was_here};
use crate::store::schema::{mailboxes, verification_results};

/// The end of a verification.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// Both logins passed, or only a guessed one failed.
    Accepted {
        /// The reports of both legs.
        report: LoginReport,
        /// A fault that is not held against the mailbox.
        note: Option<Finding>,
        /// The IMAP server that answered, if it is not the stored guess.
        imap: Option<ServerEndpoint>,
    },
    /// A login was refused, or no attempt was conclusive.
    Refused {
        /// Both legs; absent if the refusal was recorded before the process died.
        report: Option<LoginReport>,
        /// The finding that decided.
        finding: Finding,
        /// The connection test reports the finding this long after the mailbox is gone.
        keep_result: Duration,
    },
}

/// A refused mailbox, as it is remembered when it is gone.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct RefusedMailbox {
    pub email: String,
    /// True if the refusal removed it.
    pub deleted: bool,
    /// The finding that decided.
    pub finding: Finding,
}

impl Store {
    /// The input of the verifier for a mailbox; `None` if no result is awaited any more.
    ///
    /// # Errors
    /// `NotFound` if there has never been such a mailbox.
    pub async fn verification_job(&self, id: MailboxId) -> Result<Option<VerificationJob>, CoreError> {
        type Secrets = (String, Vec<u8>, Option<String>, i32, Option<i64>);
        let found = self
            .read(move |conn| {
                let secrets = (
                    mailboxes::credentials_key_id,
                    mailboxes::credentials,
                    mailboxes::recorded_refusal,
                    mailboxes::verification_attempts,
                    mailboxes::verification_asked_at,
                );
                let row: Option<(MailboxRow, Secrets)> = mailboxes::table
                    .find(id.to_string())
                    .select((MailboxRow::as_select(), secrets))
                    .first(conn)
                    .optional()?;
                match row {
                    Some((row, secrets)) => Ok(Some((Mailbox::try_from(row)?, secrets))),
                    None => was_here(conn, id).map(|()| None),
                }
            })
            .await?;
        // An imported mailbox is made without asking for a verification.
        let awaited = |mailbox: &Mailbox, asked_at: Option<i64>| mailbox.status.takes_a_verdict() && asked_at.is_some();
        let Some((mailbox, (key_id, bytes, refusal, attempts, _))) =
            found.filter(|(mailbox, secrets)| awaited(mailbox, secrets.4))
        else {
            return Ok(None);
        };
        let credentials = self.vault().open_credentials(id, Sealed { key_id, bytes })?;
        let recorded_refusal = refusal.map(|json| read_finding(&json)).transpose().map_err(CoreError::from)?;
        Ok(Some(VerificationJob {
            mailbox,
            credentials,
            recorded_refusal: recorded_refusal.map(Box::new),
            attempts_made: attempts.unsigned_abs(),
        }))
    }

    /// Notes that an attempt ended without a result. An event that comes twice (brokers deliver at least once) does not
    /// count twice.
    pub async fn record_deferral(&self, id: MailboxId, attempt: u32) -> Result<(), CoreError> {
        let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
        self.write(move |tx| {
            let earlier = mailboxes::table.find(id.to_string()).filter(mailboxes::verification_attempts.lt(attempt));
            let now = Timestamp::now().millis();
            diesel::update(earlier)
                .set((mailboxes::verification_attempts.eq(attempt), mailboxes::verification_asked_at.eq(now)))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Requests again at most `limit` verifications that have no result for longer than `age`. Their events are lost,
    /// for example with a queue that was emptied. Returns how many.
    pub async fn request_overdue_verifications(&self, age: Duration, limit: i64) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let overdue = mailboxes::table
                .filter(mailboxes::verification_asked_at.lt(now.minus(age).millis()))
                .order(mailboxes::verification_asked_at)
                .limit(limit)
                .select((mailboxes::id, mailboxes::workspace_id));
            let rows: Vec<(String, String)> = match tx.conn {
                // Another gateway may be doing the same now.
                Conn::Pg(c) => overdue.for_update().skip_locked().load(c)?,
                Conn::Lite(c) => overdue.load(c)?,
            };
            let count = rows.len();
            for (id, workspace) in rows {
                let mailbox = stored_reference(&id, &workspace)?;
                ask_for_verification(tx.conn, mailbox.mailbox_id, now)?;
                tx.append(Event::MailboxVerificationRequested(mailbox), now)?;
            }
            Ok(count)
        })
        .await
    }

    /// Notes at once that a server refused these credentials, while the other leg may still be running. If the process
    /// dies now, they are not offered to that server again. If both legs are refused, SMTP's refusal is kept, because
    /// it decides.
    pub async fn record_refusal(&self, id: MailboxId, finding: &Finding) -> Result<(), CoreError> {
        let json = to_json(finding)?;
        let decides = finding.leg == Leg::Smtp;
        self.write(move |tx| {
            let mailbox = mailboxes::table.find(id.to_string());
            let set = mailboxes::recorded_refusal.eq(json);
            if decides {
                diesel::update(mailbox).set(set).execute(tx.conn)?;
            } else {
                let unrefused = mailbox.filter(mailboxes::recorded_refusal.is_null());
                diesel::update(unrefused).set(set).execute(tx.conn)?;
            }
            Ok(())
        })
        .await
    }

    /// From now on a refusal does not delete the mailbox. False if its first verification is over.
    pub async fn keep_when_refused(&self, workspace: WorkspaceId, id: MailboxId) -> Result<bool, CoreError> {
        self.write(move |tx| {
            let unverified = mailboxes::table
                .find(id.to_string())
                .filter(mailboxes::workspace_id.eq(workspace.to_string()))
                .filter(mailboxes::status.eq(MailboxStatus::Unverified.as_str()));
            let kept = diesel::update(unverified)
                .set(mailboxes::on_refusal.eq(RefusalPolicy::Keep.as_str()))
                .execute(tx.conn)?;
            Ok(kept == 1)
        })
        .await
    }

    /// Stores the end of a verification: status or deletion, usage, result and event, in one transaction. Repeating it
    /// changes nothing.
    pub async fn settle_verification(&self, id: MailboxId, settlement: Settlement) -> Result<Settled, CoreError> {
        self.write(move |tx| {
            let Some((row, on_refusal)) = locked(tx.conn, id)? else { return Ok(Settled::Superseded) };
            let mailbox = Mailbox::try_from(row)?;
            if !mailbox.status.takes_a_verdict() {
                return Ok(Settled::Superseded);
            }
            let policy = RefusalPolicy::parse(&on_refusal).ok_or_else(|| corrupt("refusal policy"))?;
            match settlement {
                Settlement::Accepted { report, note, imap } => {
                    accept(tx, &mailbox, &report, note.as_ref(), imap.as_ref())
                }
                Settlement::Refused { report, finding, keep_result } => {
                    refuse(tx, &mailbox, policy, report.as_ref(), &finding, keep_result)
                }
            }
        })
        .await
    }

    /// A mailbox of this workspace whose last verification failed, also after it is gone. `None` if it was verified
    /// after all, or its owner removed it.
    pub async fn refused_mailbox(
        &self,
        workspace: WorkspaceId,
        id: MailboxId,
    ) -> Result<Option<RefusedMailbox>, CoreError> {
        type Columns = (Option<String>, Option<String>, Option<i64>);
        self.read(move |conn| {
            let row: Option<Columns> = verification_results::table
                .find(id.to_string())
                .filter(verification_results::workspace_id.eq(workspace.to_string()))
                .filter(verification_results::passed.eq(false))
                .select((verification_results::email, verification_results::finding, verification_results::expires_at))
                .first(conn)
                .optional()?;
            let Some((Some(email), Some(finding), expires_at)) = row else { return Ok(None) };
            Ok(Some(RefusedMailbox { email, deleted: expires_at.is_some(), finding: read_finding(&finding)? }))
        })
        .await
    }

    /// The state of a mailbox's verification in this workspace, also after a refused mailbox is gone.
    pub async fn connection_test(&self, workspace: WorkspaceId, id: MailboxId) -> Result<ConnectionTest, CoreError> {
        self.read(move |conn| {
            // The mailbox is read first. A refusal stores its result and deletes the mailbox in one commit, so if the
            // mailbox is gone, the result is there.
            let mailbox = find(conn, workspace, id);
            if let Some(settled) = stored_result(conn, workspace, id)? {
                return Ok(settled);
            }
            Ok(match mailbox?.status {
                MailboxStatus::Active => ConnectionTest::Passed,
                _ => ConnectionTest::Pending,
            })
        })
        .await
    }
}

/// The mailbox and its refusal policy, the row locked on PostgreSQL: of two results that arrive together, the second
/// sees the effect of the first. SQLite has one writer at a time anyway.
fn locked(conn: &mut Conn, id: MailboxId) -> QueryResult<Option<(MailboxRow, String)>> {
    let row = mailboxes::table.find(id.to_string());
    match conn {
        Conn::Pg(c) => row.select((MailboxRow::as_select(), mailboxes::on_refusal)).for_update().first(c).optional(),
        Conn::Lite(c) => row.select((MailboxRow::as_select(), mailboxes::on_refusal)).first(c).optional(),
    }
}

fn stored_result(conn: &mut Conn, workspace: WorkspaceId, id: MailboxId) -> Result<Option<ConnectionTest>, TxError> {
    let row: Option<(bool, Option<String>, Option<i64>)> = verification_results::table
        .find(id.to_string())
        .filter(verification_results::workspace_id.eq(workspace.to_string()))
        .select((verification_results::passed, verification_results::finding, verification_results::expires_at))
        .first(conn)
        .optional()?;
    match row {
        Some((_, _, Some(expires_at))) if expires_at <= Timestamp::now().millis() => Ok(None),
        Some((true, ..)) => Ok(Some(ConnectionTest::Passed)),
        Some((false, Some(finding), _)) => Ok(Some(ConnectionTest::Failed(Box::new(read_finding(&finding)?)))),
        Some((false, None, _)) => Err(corrupt("verification result")),
        None => Ok(None),
    }
}

fn accept(
    tx: &mut Tx<'_>,
    mailbox: &Mailbox,
    report: &LoginReport,
    note: Option<&Finding>,
    imap: Option<&ServerEndpoint>,
) -> Result<Settled, TxError> {
    let now = Timestamp::now();
    let imap_host = imap.map_or(mailbox.imap.host(), ServerEndpoint::host);
    diesel::update(mailboxes::table.find(mailbox.id.to_string()))
        .set((
            mailboxes::status.eq(MailboxStatus::Active.as_str()),
            mailboxes::sending_enabled.eq(true),
            mailboxes::imap_host.eq(imap_host),
            mailboxes::last_error.eq(note.map(|finding| finding.remedy.as_str())),
            mailboxes::recorded_refusal.eq(None::<String>),
            mailboxes::verification_asked_at.eq(None::<i64>),
            mailboxes::updated_at.eq(now.millis()),
        ))
        .execute(tx.conn)?;
    store_result(tx, mailbox, None, Some(report), None)?;
    tx.append(Event::MailboxActivated(reference(mailbox)), now)?;
    Ok(Settled::Stored)
}

fn refuse(
    tx: &mut Tx<'_>,
    mailbox: &Mailbox,
    policy: RefusalPolicy,
    report: Option<&LoginReport>,
    finding: &Finding,
    keep_result: Duration,
) -> Result<Settled, TxError> {
    let now = Timestamp::now();
    let delete = effect_of_refusal(policy, mailbox.status) == RefusalEffect::Delete;
    store_result(tx, mailbox, Some(finding), report, delete.then(|| now.plus(keep_result)))?;
    if delete {
        remove(tx, mailbox)?;
    } else {
        diesel::update(mailboxes::table.find(mailbox.id.to_string()))
            .set((
                mailboxes::status.eq(MailboxStatus::Failed.as_str()),
                mailboxes::last_error.eq(&finding.remedy),
                mailboxes::verification_asked_at.eq(None::<i64>),
                mailboxes::updated_at.eq(now.millis()),
            ))
            .execute(tx.conn)?;
    }
    tx.append(Event::MailboxVerificationFailed(reference(mailbox)), now)?;
    Ok(Settled::Stored)
}

fn store_result(
    tx: &mut Tx<'_>,
    mailbox: &Mailbox,
    finding: Option<&Finding>,
    report: Option<&LoginReport>,
    expires_at: Option<Timestamp>,
) -> Result<(), TxError> {
    use verification_results::dsl;
    let values = (
        dsl::email.eq(mailbox.email.as_str()),
        dsl::passed.eq(finding.is_none()),
        dsl::finding.eq(finding.map(to_json).transpose()?),
        dsl::report.eq(report.map(to_json).transpose()?),
        dsl::settled_at.eq(Timestamp::now().millis()),
        dsl::expires_at.eq(expires_at.map(Timestamp::millis)),
    );
    let key = (dsl::mailbox_id.eq(mailbox.id.to_string()), dsl::workspace_id.eq(mailbox.workspace_id.to_string()));
    both!(&mut *tx.conn, |c| diesel::insert_into(dsl::verification_results)
        .values((key, values.clone()))
        .on_conflict(dsl::mailbox_id)
        .do_update()
        .set(values)
        .execute(c))?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a result cannot be serialised: {e}")))
}

fn read_finding(json: &str) -> Result<Finding, TxError> {
    serde_json::from_str(json).map_err(|_| corrupt("finding"))
}

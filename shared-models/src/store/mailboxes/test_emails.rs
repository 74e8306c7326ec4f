//! Test messages: requested, sent at most once, and forgotten after a day; and the number of mails that a mailbox sent
//! today. Functions for the verifier take the message's id alone: its events come from us.
//!
//! Lock order: mailbox, message, day.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use uuid::Uuid;

use crate::domain::diagnosis::{Class, Fault, Leg, Observed, Stage};
use crate::domain::mailboxes::{Delivery, TestEmail, TestEmailJob, TestEmailState};
use crate::domain::{
    CoreError, EmailAddress, FailureCode, Finding, Mailbox, MailboxId, MailboxStatus, ServerEndpoint, TestEmailId,
    Timestamp, WorkspaceId,
};
use crate::events::{Event, TestEmailRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::settled::Settled;
use crate::store::core::vault::Sealed;
use crate::store::mailboxes::rows::{MailboxRow, find};
use crate::store::schema::{daily_sending, mailboxes, test_emails};

/// A message that has been under way for longer was begun by a worker that died. No worker needs this long.
const LONGEST_SENDING: Duration = Duration::from_secs(120);
/// Messages, and their recipients, are kept this long.
const KEPT: Duration = Duration::from_secs(86_400);
const MILLIS_OF_A_DAY: i64 = 86_400_000;

/// The answer to the request for a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEmailRequest {
    /// The message is on its way, and counted.
    Asked(TestEmail),
    /// The mailbox is not active, so it does not send.
    NotActive,
    /// The mailbox has sent as many mails today as it may.
    DailyLimit,
}

/// The stored words for the states.
mod state {
    pub(crate) const ASKED: &str = "asked";
    pub(crate) const SENDING: &str = "sending";
    pub(crate) const SENT: &str = "sent";
    pub(crate) const REFUSED: &str = "refused";
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = test_emails)]
struct TestEmailRow {
    id: String,
    mailbox_id: String,
    workspace_id: String,
    recipient: String,
    message_id: String,
    state: String,
    finding: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl Store {
    /// Asks for a test message through an active mailbox and counts it among the mails of the day (UTC). There are at
    /// most `at_most_a_day` of them, or fewer if the mailbox's own limit is lower.
    ///
    /// # Errors
    /// `NotFound` if the workspace has no such mailbox.
    pub async fn request_test_email(
        &self,
        workspace: WorkspaceId,
        mailbox: MailboxId,
        recipient: EmailAddress,
        at_most_a_day: i64,
    ) -> Result<TestEmailRequest, CoreError> {
        self.write(move |tx| {
            let mailbox = locked(tx.conn, workspace, mailbox)?;
            if mailbox.status != MailboxStatus::Active {
                return Ok(TestEmailRequest::NotActive);
            }
            let now = Timestamp::now();
            if !count_mail(tx.conn, &mailbox, at_most_a_day, now)? {
                return Ok(TestEmailRequest::DailyLimit);
            }
            let asked = TestEmail {
                id: TestEmailId::new(),
                mailbox_id: mailbox.id,
                recipient,
                message_id: format!("<{}@{}>", Uuid::new_v4(), mailbox.email.domain()),
                state: TestEmailState::Asked,
                created_at: now,
                updated_at: now,
            };
            let row = TestEmailRow::asked(&asked, workspace);
            both!(&mut *tx.conn, |c| diesel::insert_into(test_emails::table).values(&row).execute(c))?;
            tx.append(Event::TestEmailRequested(row.reference()?), now)?;
            Ok(TestEmailRequest::Asked(asked))
        })
        .await
    }

    /// Reads a test message of the last day. One whose sender died counts as refused: it may have been sent, so it is
    /// not sent again.
    pub async fn test_email(&self, workspace: WorkspaceId, id: TestEmailId) -> Result<TestEmail, CoreError> {
        self.read(move |conn| {
            let row: Option<TestEmailRow> = test_emails::table
                .find(id.to_string())
                .filter(test_emails::workspace_id.eq(workspace.to_string()))
                .select(TestEmailRow::as_select())
                .first(conn)
                .optional()?;
            let mut found = row.ok_or(CoreError::NotFound("test message"))?.read()?;
            let lost = found.updated_at < Timestamp::now().minus(LONGEST_SENDING);
            if found.state == TestEmailState::Sending && lost {
                let mailbox = find(conn, workspace, found.mailbox_id)?;
                found.state = TestEmailState::Refused(Box::new(lost_sight_of(&mailbox.smtp)));
            }
            Ok(found)
        })
        .await
    }

    /// Begins to send a test message, which is possible once. `None` if it was begun before or the mailbox is gone.
    pub async fn begin_test_email(&self, id: TestEmailId) -> Result<Option<TestEmailJob>, CoreError> {
        let store = self.clone();
        self.write(move |tx| {
            if !advance(tx.conn, id, state::ASKED, state::SENDING, None)? {
                return Ok(None);
            }
            let (recipient, message_id, mailbox): (String, String, String) = test_emails::table
                .find(id.to_string())
                .select((test_emails::recipient, test_emails::message_id, test_emails::mailbox_id))
                .first(tx.conn)?;
            let row: Option<(MailboxRow, (String, Vec<u8>))> = mailboxes::table
                .find(mailbox)
                .select((MailboxRow::as_select(), (mailboxes::credentials_key_id, mailboxes::credentials)))
                .first(tx.conn)
                .optional()?;
            let Some((row, (key_id, bytes))) = row else { return Ok(None) };
            let mailbox = Mailbox::try_from(row)?;
            // Inside the transaction, so that an unreadable password leaves the message unsent.
            let secret = store.vault().open_credentials(mailbox.id, Sealed { key_id, bytes })?.smtp;
            let recipient = EmailAddress::parse(&recipient).map_err(|_| corrupt("recipient"))?;
            Ok(Some(TestEmailJob { mailbox, secret, recipient, message_id }))
        })
        .await
    }

    /// Stores the end of the sending. A message that was not sent does not count among the mails of its day. Repeating
    /// it changes nothing.
    pub async fn settle_test_email(&self, id: TestEmailId, end: Delivery) -> Result<Settled, CoreError> {
        self.write(move |tx| {
            let (state, finding) = match &end {
                Delivery::Sent => (state::SENT, None),
                Delivery::NotSent(finding) | Delivery::Unknown(finding) => (state::REFUSED, Some(written(finding)?)),
            };
            if !advance(tx.conn, id, state::SENDING, state, finding)? {
                return Ok(Settled::Superseded);
            }
            let row: TestEmailRow =
                test_emails::table.find(id.to_string()).select(TestEmailRow::as_select()).first(tx.conn)?;
            if matches!(end, Delivery::NotSent(_)) {
                uncount_mail(tx, &row)?;
            }
            tx.append(Event::TestEmailSettled(row.reference()?), Timestamp::from_millis(row.updated_at))?;
            Ok(Settled::Stored)
        })
        .await
    }

    /// The number of mails that these mailboxes of the workspace sent today (UTC); those that sent none are left out.
    pub async fn sent_today(
        &self,
        workspace: WorkspaceId,
        ids: Vec<MailboxId>,
    ) -> Result<HashMap<MailboxId, i64>, CoreError> {
        self.read(move |conn| {
            let ids: Vec<String> = ids.iter().map(MailboxId::to_string).collect();
            let own: Vec<String> = mailboxes::table
                .filter(mailboxes::workspace_id.eq(workspace.to_string()).and(mailboxes::id.eq_any(&ids)))
                .select(mailboxes::id)
                .load(conn)?;
            let today = daily_sending::day.eq(day(Timestamp::now())).and(daily_sending::sent.gt(0));
            let rows: Vec<(String, i64)> = daily_sending::table
                .filter(daily_sending::mailbox_id.eq_any(&own).and(today))
                .select((daily_sending::mailbox_id, daily_sending::sent))
                .load(conn)?;
            rows.into_iter().map(|(id, sent)| Ok((id.parse().map_err(|_| corrupt("mailbox id"))?, sent))).collect()
        })
        .await
    }

    /// Forgets test messages with their recipients after a day, and the counts of past days. Returns the number of
    /// messages.
    pub async fn purge_test_emails(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let now = Timestamp::now();
            let old = test_emails::created_at.lt(now.minus(KEPT).millis());
            let forgotten = diesel::delete(test_emails::table.filter(old)).execute(tx.conn)?;
            diesel::delete(daily_sending::table.filter(daily_sending::day.lt(day(now)))).execute(tx.conn)?;
            Ok(forgotten)
        })
        .await
    }
}

/// Forgets the mails of a mailbox whose row was just deleted.
pub(crate) fn forget_mails(conn: &mut Conn, mailbox: MailboxId) -> Result<(), TxError> {
    diesel::delete(test_emails::table.filter(test_emails::mailbox_id.eq(mailbox.to_string()))).execute(conn)?;
    diesel::delete(daily_sending::table.find(mailbox.to_string())).execute(conn)?;
    Ok(())
}

/// The mailbox, its row locked on PostgreSQL: of two requests that arrive together, the second counts on. SQLite has
/// one writer at a time anyway.
fn locked(conn: &mut Conn, workspace: WorkspaceId, id: MailboxId) -> Result<Mailbox, TxError> {
    let mailbox = mailboxes::table.find(id.to_string()).filter(mailboxes::workspace_id.eq(workspace.to_string()));
    let row = match conn {
        Conn::Pg(c) => mailbox.select(MailboxRow::as_select()).for_update().first(c).optional()?,
        Conn::Lite(c) => mailbox.select(MailboxRow::as_select()).first(c).optional()?,
    };
    row.ok_or(CoreError::NotFound("mailbox"))?.try_into()
}

/// Counts one more mail of the day; false if the limit is reached.
fn count_mail(conn: &mut Conn, mailbox: &Mailbox, at_most: i64, now: Timestamp) -> Result<bool, TxError> {
    let today = day(now);
    let counted: Option<(i64, i64)> = daily_sending::table
        .find(mailbox.id.to_string())
        .select((daily_sending::day, daily_sending::sent))
        .first(conn)
        .optional()?;
    let before = counted.filter(|(day, _)| *day == today).map_or(0, |(_, sent)| sent);
    if before >= at_most.min(i64::from(mailbox.daily_send_limit)) {
        return Ok(false);
    }
    let number = (daily_sending::day.eq(today), daily_sending::sent.eq(before + 1));
    both!(conn, |c| diesel::insert_into(daily_sending::table)
        .values((daily_sending::mailbox_id.eq(mailbox.id.to_string()), number))
        .on_conflict(daily_sending::mailbox_id)
        .do_update()
        .set(number)
        .execute(c))?;
    Ok(true)
}

/// Takes a mail out of the count of its day, if that day is not over.
fn uncount_mail(tx: &mut Tx<'_>, row: &TestEmailRow) -> Result<(), TxError> {
    let its_day = daily_sending::day.eq(day(Timestamp::from_millis(row.created_at)));
    let counted = daily_sending::table.find(&row.mailbox_id).filter(its_day.and(daily_sending::sent.gt(0)));
    diesel::update(counted).set(daily_sending::sent.eq(daily_sending::sent - 1)).execute(tx.conn)?;
    Ok(())
}

/// Moves a message from one state to another; false if it is not in the first one.
fn advance(
    conn: &mut Conn,
    id: TestEmailId,
    from: &'static str,
    to: &'static str,
    finding: Option<String>,
) -> Result<bool, TxError> {
    let message = test_emails::table.find(id.to_string()).filter(test_emails::state.eq(from));
    let values = (
        test_emails::state.eq(to),
        test_emails::finding.eq(finding),
        test_emails::updated_at.eq(Timestamp::now().millis()),
    );
    Ok(diesel::update(message).set(values).execute(conn)? == 1)
}

fn lost_sight_of(server: &ServerEndpoint) -> Finding {
    Finding {
        code: FailureCode::SysDeadline,
        cause: None,
        leg: Leg::Smtp,
        stage: Stage::System,
        class: Class::Temporary,
        fault: Fault::Us,
        retry_after: None,
        remedy: "We were interrupted, and it is unknown whether the message was sent. See whether it arrived before \
                 you send another one."
            .to_owned(),
        server_reply: None,
        observed: Observed { host: server.host().to_owned(), port: server.port(), ip: None, tls: None },
    }
}

fn written(finding: &Finding) -> Result<String, CoreError> {
    serde_json::to_string(finding).map_err(|e| CoreError::Internal(format!("a finding cannot be serialised: {e}")))
}

/// Days since the Unix epoch, UTC.
fn day(at: Timestamp) -> i64 {
    at.millis().div_euclid(MILLIS_OF_A_DAY)
}

impl TestEmailRow {
    fn asked(message: &TestEmail, workspace: WorkspaceId) -> Self {
        Self {
            id: message.id.to_string(),
            mailbox_id: message.mailbox_id.to_string(),
            workspace_id: workspace.to_string(),
            recipient: message.recipient.as_str().to_owned(),
            message_id: message.message_id.clone(),
            state: state::ASKED.to_owned(),
            finding: None,
            created_at: message.created_at.millis(),
            updated_at: message.updated_at.millis(),
        }
    }

    fn reference(&self) -> Result<TestEmailRef, TxError> {
        Ok(TestEmailRef {
            test_email_id: self.id.parse().map_err(|_| corrupt("test message id"))?,
            mailbox_id: self.mailbox_id.parse().map_err(|_| corrupt("mailbox id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
        })
    }

    fn read(self) -> Result<TestEmail, TxError> {
        let about = self.reference()?;
        let state = match (self.state.as_str(), self.finding) {
            (state::ASKED, _) => TestEmailState::Asked,
            (state::SENDING, _) => TestEmailState::Sending,
            (state::SENT, _) => TestEmailState::Sent,
            (state::REFUSED, Some(json)) => {
                TestEmailState::Refused(Box::new(serde_json::from_str(&json).map_err(|_| corrupt("finding"))?))
            }
            _ => return Err(corrupt("state of a test message")),
        };
        Ok(TestEmail {
            id: about.test_email_id,
            mailbox_id: about.mailbox_id,
            recipient: EmailAddress::parse(&self.recipient).map_err(|_| corrupt("recipient"))?,
            message_id: self.message_id,
            state,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

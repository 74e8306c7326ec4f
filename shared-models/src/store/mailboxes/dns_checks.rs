//! DNS verdicts on mailboxes, for the DNS checker. These functions take a mailbox id alone: the events come from us.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::{CoreError, DnsReport, Mailbox, MailboxId, Timestamp};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::mailboxes::rows::{MailboxRow, reference, stored_reference, was_here};
use crate::store::schema::mailboxes;

impl Store {
    /// The mailbox whose domain has to be checked; `None` if it is gone.
    ///
    /// # Errors
    /// `NotFound` if there has never been such a mailbox.
    pub async fn mailbox_for_dns_check(&self, id: MailboxId) -> Result<Option<Mailbox>, CoreError> {
        self.read(move |conn| {
            let row: Option<MailboxRow> =
                mailboxes::table.find(id.to_string()).select(MailboxRow::as_select()).first(conn).optional()?;
            match row {
                Some(row) => Mailbox::try_from(row).map(Some),
                None => was_here(conn, id).map(|()| None),
            }
        })
        .await
    }

    /// Stores a verdict. Parts whose queries were not answered keep the result of an earlier check. The mailbox's
    /// status never changes. A verdict that differs from the earlier one is announced by an event of its own.
    pub async fn record_dns_check(&self, id: MailboxId, report: DnsReport) -> Result<(), CoreError> {
        self.write(move |tx| {
            let Some(row) = locked(tx.conn, id)? else { return Ok(()) };
            let mailbox = Mailbox::try_from(row)?;
            let earlier = mailbox.dns.as_ref().map(|dns| &dns.report);
            let report = match earlier {
                Some(earlier) => report.or_keep(earlier),
                None => report,
            };
            let json = serde_json::to_string(&report)
                .map_err(|e| CoreError::Internal(format!("a DNS report cannot be serialised: {e}")))?;
            let now = Timestamp::now();
            diesel::update(mailboxes::table.find(id.to_string()))
                .set((
                    mailboxes::dns_report.eq(json),
                    mailboxes::dns_sound_parts.eq(report.working_records()),
                    mailboxes::dns_checked_at.eq(now.millis()),
                    mailboxes::updated_at.eq(now.millis()),
                ))
                .execute(tx.conn)?;
            let about = reference(&mailbox);
            tx.append(Event::MailboxDnsChecked(about), now)?;
            if report.is_news_after(earlier) {
                tx.append(Event::MailboxDnsChanged(about), now)?;
            }
            Ok(())
        })
        .await
    }

    /// Requests a new check of at most `limit` mailboxes whose verdict is older than `age`. Returns how many.
    pub async fn request_stale_dns_checks(&self, age: Duration, limit: i64) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let cutoff = now.minus(age).millis();
            let never = mailboxes::dns_checked_at.is_null().and(mailboxes::created_at.lt(cutoff));
            let stale = mailboxes::table
                .filter(mailboxes::dns_checked_at.lt(cutoff).or(never.nullable()))
                // A request that is on its way is not repeated.
                .filter(mailboxes::dns_requested_at.is_null().or(mailboxes::dns_requested_at.le(cutoff)))
                .order(mailboxes::dns_checked_at)
                .limit(limit)
                .select((mailboxes::id, mailboxes::workspace_id));
            let rows: Vec<(String, String)> = match tx.conn {
                // Another gateway may be doing the same now.
                Conn::Pg(c) => stale.for_update().skip_locked().load(c)?,
                Conn::Lite(c) => stale.load(c)?,
            };
            let count = rows.len();
            for (id, workspace) in rows {
                diesel::update(mailboxes::table.find(&id))
                    .set(mailboxes::dns_requested_at.eq(now.millis()))
                    .execute(tx.conn)?;
                tx.append(Event::MailboxDnsCheckRequested(stored_reference(&id, &workspace)?), now)?;
            }
            Ok(count)
        })
        .await
    }
}

/// The mailbox, its row locked on PostgreSQL: of two verdicts that arrive together, the second is compared with the
/// first. SQLite has one writer at a time anyway.
fn locked(conn: &mut Conn, id: MailboxId) -> QueryResult<Option<MailboxRow>> {
    let row = mailboxes::table.find(id.to_string());
    match conn {
        Conn::Pg(c) => row.select(MailboxRow::as_select()).for_update().first(c).optional(),
        Conn::Lite(c) => row.select(MailboxRow::as_select()).first(c).optional(),
    }
}

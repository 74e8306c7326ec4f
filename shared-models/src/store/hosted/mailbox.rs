//! Mailboxes that the mail platform serves: provisioned, read, changed. Their keys and their end are in
//! [`crate::store::hosted::access`], their rules in [`crate::store::hosted::filters`].
//!
//! Lock order: domain, mailbox, keys, owner.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::domain::hosted::{
    Availability, HostedMailbox, HostedMailboxChange, HostedStanding, HostedStatus, NewHostedMailbox,
    ProvisionedMailbox, SendScope, is_hosted_form, is_reserved, name_fault, quota_fault, refused,
};
use crate::domain::sending_domains::{DomainMode, DomainStatus};
use crate::domain::tenancy::KeyKind;
use crate::domain::{CoreError, DomainId, EmailAddress, FieldError, HostedMailboxId, OwnerId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, is_duplicate};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::hosted::access::{PreparedKey, delete, insert_key};
use crate::store::hosted::rows::{HostedRow, locked, locked_present, present, reference, save};
use crate::store::schema::{hosted_mailboxes, providers, sending_domains};
use crate::store::sending_domains::rows::{DomainRow, locked_row};
use crate::store::tenancy::owners::{check_room, take_slots};

/// The name of the first key of a mailbox.
const FIRST_KEY: &str = "Mailbox";
/// The field of a mailbox's shown name.
const NAME: &str = "display_name";

/// One page of a list, newest first.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct HostedMailboxPage {
    pub items: Vec<HostedMailbox>,
    pub has_more: bool,
}

impl Store {
    /// Provisions a mailbox with its first key, of the kind `key`, and stores the answer, in one transaction. The next
    /// login works, or there is nothing.
    ///
    /// # Errors
    /// In this order: `AlreadyExists`; `SubscriptionRequired`, `LimitExceeded`; `Invalid` with every fault in `email`,
    /// `display_name`, `quota_bytes` and `send_scope`.
    pub async fn provision_mailbox(
        &self,
        workspace: WorkspaceId,
        owner: OwnerId,
        new: NewHostedMailbox,
        key: KeyKind,
        answer: PendingAnswer<ProvisionedMailbox>,
    ) -> Result<ProvisionedMailbox, CoreError> {
        let key = PreparedKey::new(key)?;
        self.write(move |tx| {
            let domain = receiving_domain(tx.conn, workspace, &new.email)?;
            if domain.is_some() && is_taken(tx.conn, &new.email)? {
                return Err(CoreError::AlreadyExists.into());
            }
            // A full plan is reported before bad fields. The counter at the end is what decides.
            check_room(tx.conn, owner, 1)?;
            let domain_id = check(tx.conn, workspace, domain, &new)?;
            let mailbox = accepted(workspace, domain_id, new);
            let row = HostedRow::new(&mailbox)?;
            match both!(&mut *tx.conn, |c| diesel::insert_into(hosted_mailboxes::table).values(&row).execute(c)) {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => return Err(CoreError::AlreadyExists.into()),
                Err(error) => return Err(error.into()),
            }
            let key = insert_key(tx.conn, &mailbox, FIRST_KEY.to_owned(), key)?;
            tx.append(Event::HostedMailboxCreated(reference(&mailbox)), mailbox.created_at)?;
            take_slots(tx.conn, owner, 1)?;
            let provisioned = ProvisionedMailbox { mailbox, key };
            answer.complete(tx, &provisioned)?;
            Ok(provisioned)
        })
        .await
    }

    /// The availability of an address for a new mailbox. It may be taken the next moment.
    pub async fn hosted_address(&self, workspace: WorkspaceId, email: EmailAddress) -> Result<Availability, CoreError> {
        self.read(move |conn| {
            if !is_hosted_form(&email) {
                return Ok(Availability::InvalidEmail);
            }
            let domain = domain_of(conn, workspace, &email)?;
            if !domain.as_ref().is_some_and(receives) {
                return Ok(Availability::DomainNotAvailable);
            }
            Ok(match (is_reserved(&email), is_taken(conn, &email)?) {
                (true, _) => Availability::Reserved,
                (false, true) => Availability::Taken,
                (false, false) => Availability::Available,
            })
        })
        .await
    }

    /// Reads one mailbox of a workspace that is not deleted.
    pub async fn hosted_mailbox(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
    ) -> Result<HostedMailbox, CoreError> {
        self.read(move |conn| present(recorded(conn, workspace, id)?)).await
    }

    /// Reads one mailbox of a workspace, deleted or not.
    pub async fn recorded_hosted_mailbox(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
    ) -> Result<HostedMailbox, CoreError> {
        self.read(move |conn| recorded(conn, workspace, id)).await
    }

    /// One page of a workspace's mailboxes, newest first. With `after`, only mailboxes that are older than that one.
    pub async fn list_hosted_mailboxes(
        &self,
        workspace: WorkspaceId,
        include_deleted: bool,
        after: Option<HostedMailboxId>,
        limit: i64,
    ) -> Result<HostedMailboxPage, CoreError> {
        self.read(move |conn| {
            let mut query = hosted_mailboxes::table
                .filter(hosted_mailboxes::workspace_id.eq(workspace.to_string()))
                .order(hosted_mailboxes::id.desc())
                .limit(limit + 1)
                .select(HostedRow::as_select())
                .into_boxed();
            if !include_deleted {
                query = query.filter(hosted_mailboxes::status.ne(HostedStatus::Deleted.as_str()));
            }
            if let Some(after) = after {
                query = query.filter(hosted_mailboxes::id.lt(after.to_string()));
            }
            let mut rows: Vec<HostedRow> = query.load(conn)?;
            let has_more = i64::try_from(rows.len()).is_ok_and(|found| found > limit);
            rows.truncate(usize::try_from(limit).unwrap_or(0));
            let items = rows.into_iter().map(HostedRow::read).collect::<Result<_, _>>()?;
            Ok(HostedMailboxPage { items, has_more })
        })
        .await
    }

    /// Changes a mailbox and returns it as it is now. The caller checks that its mail fits into a smaller quota.
    ///
    /// # Errors
    /// `Conflict` if it is not as `expected`; `Invalid` with the bad fields.
    pub async fn change_hosted_mailbox(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
        change: HostedMailboxChange,
        expected: Option<HostedMailbox>,
    ) -> Result<HostedMailbox, CoreError> {
        self.write(move |tx| {
            let before = locked_present(tx.conn, workspace, id)?;
            if expected.is_some_and(|expected| expected != before) {
                return Err(CoreError::Conflict("The mailbox was changed meanwhile").into());
            }
            let name = change.display_name.as_ref().and_then(Option::as_deref);
            let mut faults: Vec<FieldError> = name.and_then(|name| name_fault(NAME, name)).into_iter().collect();
            faults.extend(change.quota_bytes.and_then(quota_fault));
            if let Some(scope) = &change.send_scope {
                faults.extend(scope_faults(tx.conn, workspace, scope)?);
            }
            faults.extend(change.faults.iter().cloned());
            refused(faults)?;
            let after = change.applied_to(before.clone());
            if after == before {
                return Ok(before);
            }
            let after = HostedMailbox { updated_at: Timestamp::now(), ..after };
            save(tx.conn, &after)?;
            Ok(after)
        })
        .await
    }

    /// The state of a mailbox for workers, deleted or not.
    pub async fn hosted_standing(&self, id: HostedMailboxId) -> Result<Option<HostedStanding>, CoreError> {
        self.read(move |conn| {
            let row: Option<HostedRow> =
                hosted_mailboxes::table.find(id.to_string()).select(HostedRow::as_select()).first(conn).optional()?;
            let Some(mailbox) = row.map(HostedRow::read).transpose()? else { return Ok(None) };
            let (email, status) = (mailbox.email, mailbox.status);
            let is_succeeded = status == HostedStatus::Deleted && is_taken(conn, &email)?;
            Ok(Some(HostedStanding { email, status, is_succeeded }))
        })
        .await
    }
}

fn recorded(conn: &mut Conn, workspace: WorkspaceId, id: HostedMailboxId) -> Result<HostedMailbox, TxError> {
    let row: Option<HostedRow> = hosted_mailboxes::table
        .find(id.to_string())
        .filter(hosted_mailboxes::workspace_id.eq(workspace.to_string()))
        .select(HostedRow::as_select())
        .first(conn)
        .optional()?;
    row.ok_or(CoreError::NotFound("mailbox"))?.read()
}

fn accepted(workspace_id: WorkspaceId, domain_id: DomainId, new: NewHostedMailbox) -> HostedMailbox {
    let now = Timestamp::now();
    HostedMailbox {
        id: HostedMailboxId::new(),
        workspace_id,
        domain_id,
        email: new.email,
        display_name: new.display_name,
        quota_bytes: new.quota_bytes,
        send_scope: new.send_scope.without_repetitions(),
        status: HostedStatus::Active,
        created_at: now,
        updated_at: now,
    }
}

/// The domain, or every fault of the new mailbox at once.
fn check(
    conn: &mut Conn,
    workspace: WorkspaceId,
    domain: Option<DomainId>,
    new: &NewHostedMailbox,
) -> Result<DomainId, TxError> {
    let mut faults = vec![];
    if !is_hosted_form(&new.email) {
        faults.push(FieldError::new("email", "may have only letters, digits and _ % + - . before the @"));
    } else if domain.is_none() {
        faults.push(FieldError::new("email", "must be of a verified domain of this team that receives mail"));
    } else if is_reserved(&new.email) {
        faults.push(FieldError::new("email", "is reserved"));
    }
    faults.extend(new.display_name.as_deref().and_then(|name| name_fault(NAME, name)));
    faults.extend(quota_fault(new.quota_bytes));
    faults.extend(scope_faults(conn, workspace, &new.send_scope)?);
    faults.extend(new.faults.iter().cloned());
    refused(faults)?;
    Ok(domain.ok_or_else(|| CoreError::invalid("email", "has no domain"))?)
}

/// The faults of a scope: every account that it names and the workspace does not have.
fn scope_faults(conn: &mut Conn, workspace: WorkspaceId, scope: &SendScope) -> Result<Vec<FieldError>, TxError> {
    let SendScope::Providers(ids) = scope else { return Ok(vec![]) };
    let known: Vec<String> = providers::table
        .filter(providers::workspace_id.eq(workspace.to_string()))
        .filter(providers::id.eq_any(ids.iter().map(ToString::to_string).collect::<Vec<_>>()))
        .select(providers::id)
        .load(conn)?;
    let known: HashSet<String> = known.into_iter().collect();
    let unknown = ids.iter().enumerate().filter(|(_, id)| !known.contains(&id.to_string()));
    let fault = |index| {
        FieldError::new(format!("send_scope.provider_public_ids.{index}"), "is no sending account of this team")
    };
    Ok(unknown.map(|(index, _)| fault(index)).collect())
}

/// The workspace's domain of this address, if it receives mail. Its row is locked, so that it does until the end of the
/// transaction.
fn receiving_domain(
    conn: &mut Conn,
    workspace: WorkspaceId,
    email: &EmailAddress,
) -> Result<Option<DomainId>, TxError> {
    let Some(found) = domain_of(conn, workspace, email)? else { return Ok(None) };
    let id = found.reference()?.domain_id;
    Ok(locked_row(conn, id)?.is_some_and(|row| receives(&row)).then_some(id))
}

fn domain_of(conn: &mut Conn, workspace: WorkspaceId, email: &EmailAddress) -> QueryResult<Option<DomainRow>> {
    sending_domains::table
        .filter(sending_domains::workspace_id.eq(workspace.to_string()))
        .filter(sending_domains::name.eq(email.domain()))
        .select(DomainRow::as_select())
        .first(conn)
        .optional()
}

fn receives(domain: &DomainRow) -> bool {
    (domain.status.as_str(), domain.mode.as_str())
        == (DomainStatus::Verified.as_str(), DomainMode::SendReceive.as_str())
}

fn is_taken(conn: &mut Conn, email: &EmailAddress) -> QueryResult<bool> {
    let holder = hosted_mailboxes::table
        .filter(hosted_mailboxes::email.eq(email.as_str()))
        .filter(hosted_mailboxes::status.ne(HostedStatus::Deleted.as_str()));
    Ok(both!(conn, |c| holder.count().get_result::<i64>(c))? > 0)
}

/// Deletes the mailboxes that other tenants still have under a name that this domain has just been verified for. Mail
/// goes to the tenant that has proved control of the name.
pub(crate) fn take_over(tx: &mut Tx<'_>, name: &str, domain: &str, now: Timestamp) -> Result<(), TxError> {
    let others = sending_domains::table
        .filter(sending_domains::name.eq(name))
        .filter(sending_domains::id.ne(domain))
        .select(sending_domains::id);
    let rows: Vec<HostedRow> = hosted_mailboxes::table
        .filter(hosted_mailboxes::domain_id.eq_any(others))
        .filter(hosted_mailboxes::status.ne(HostedStatus::Deleted.as_str()))
        .order(hosted_mailboxes::id)
        .select(HostedRow::as_select())
        .load(tx.conn)?;
    let mut held = vec![];
    for row in rows {
        let mailbox = row.read()?;
        held.push(locked(tx.conn, mailbox.workspace_id, mailbox.id)?);
    }
    // Every mailbox is locked before the first owner is.
    for mailbox in held {
        // Another request may have deleted it before the lock.
        if mailbox.status != HostedStatus::Deleted {
            delete(tx, mailbox, now)?;
        }
    }
    Ok(())
}

//! The domains that a workspace sends for. Their checks are in [`crate::store::sending_domains::checks`].

use diesel::dsl::exists;
use diesel::prelude::*;
use secrecy::SecretString;

use crate::domain::hosted::HostedStatus;
use crate::domain::sending_domains::FilterSet;
use crate::domain::sending_domains::{DomainMode, DomainStatus, MAX_DOMAINS, NewDomain, SendingDomain};
use crate::domain::{CoreError, DomainId, EmailAddress, MailDomain, Timestamp, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt, is_duplicate};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::core::vault::Sealed;
use crate::store::hosted::rows::{count_by_domain, is_in_use};
use crate::store::schema::{hosted_mailboxes, sending_domains};
use crate::store::sending_domains::dkim_keys::{self, random_hex};
use crate::store::sending_domains::filters;
use crate::store::sending_domains::rows::{DomainRow, NewDomainRow, locked_row, save};
use crate::store::tenancy::workspace_locks::is_open;

/// One page of a list, newest first.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct DomainPage {
    pub items: Vec<SendingDomain>,
    pub has_more: bool,
}

/// The key and the names with which a domain's mail is signed (RFC 6376).
#[derive(Debug)]
pub struct DkimSigner {
    /// The tag `d=` of the signature.
    pub domain: String,
    /// The tag `s=` of the signature.
    pub selector: String,
    /// PKCS #8 (RFC 5958) in PEM.
    pub private_key: SecretString,
}

impl Store {
    /// Adds a domain with a key of its own and stores the answer. Nothing is checked yet.
    ///
    /// # Errors
    /// `AlreadyExists` if the workspace has it; `Conflict` if another one has it as verified; `LimitExceeded` if the
    /// workspace has [`MAX_DOMAINS`]; `NotFound` if it was closed meanwhile; `Unavailable` if too many are added at the
    /// same time.
    pub async fn create_domain(
        &self,
        workspace: WorkspaceId,
        new: NewDomain,
        answer: PendingAnswer<SendingDomain>,
    ) -> Result<SendingDomain, CoreError> {
        let name = new.name.clone();
        // A name that cannot be added costs no key.
        self.read(move |conn| check_addable(conn, workspace, &name)).await?;
        let key = dkim_keys::new_key().await?;
        let domain = SendingDomain {
            id: DomainId::new(),
            workspace_id: workspace,
            name: new.name,
            mode: new.mode,
            status: DomainStatus::Pending,
            ownership_token: random_hex::<16>()?,
            dkim: key.public,
            checks: None,
            checked_at: None,
            verified_at: None,
            failures: 0,
            mailbox_count: 0,
            created_at: Timestamp::now(),
        };
        let sealed = self.vault().seal(&key_location(domain.id), &key.private_pem)?;
        self.write(move |tx| {
            let row = NewDomainRow::new(&domain, sealed);
            check_addable(tx.conn, workspace, &domain.name)?;
            match both!(&mut *tx.conn, |c| diesel::insert_into(sending_domains::table).values(&row).execute(c)) {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => return Err(CoreError::AlreadyExists.into()),
                Err(error) => return Err(error.into()),
            }
            // The insert holds the workspace's row, so it cannot be closed between this and the commit.
            if !is_open(tx.conn, workspace)? {
                return Err(CoreError::NotFound("workspace").into());
            }
            answer.complete(tx, &domain)?;
            Ok(domain)
        })
        .await
    }

    /// Reads one domain of the workspace.
    pub async fn domain(&self, workspace: WorkspaceId, id: DomainId) -> Result<SendingDomain, CoreError> {
        self.read(move |conn| {
            let row: Option<DomainRow> = own(workspace, id).select(DomainRow::as_select()).first(conn).optional()?;
            row.ok_or(CoreError::NotFound("domain"))?.read_with_count(conn)
        })
        .await
    }

    /// One page of the workspace's domains, newest first. With `after`, only domains that are older than that one.
    pub async fn list_domains(
        &self,
        workspace: WorkspaceId,
        after: Option<DomainId>,
        limit: i64,
    ) -> Result<DomainPage, CoreError> {
        self.read(move |conn| {
            let mut query = sending_domains::table
                .filter(sending_domains::workspace_id.eq(workspace.to_string()))
                .order(sending_domains::id.desc())
                .limit(limit + 1)
                .select(DomainRow::as_select())
                .into_boxed();
            if let Some(after) = after {
                query = query.filter(sending_domains::id.lt(after.to_string()));
            }
            let mut rows: Vec<DomainRow> = query.load(conn)?;
            let has_more = i64::try_from(rows.len()).is_ok_and(|found| found > limit);
            rows.truncate(usize::try_from(limit).unwrap_or(0));
            let counts = count_by_domain(conn, &rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>())?;
            let items = rows.into_iter().map(|row| {
                let count = counts.get(&row.id).copied().unwrap_or(0);
                row.read(count)
            });
            Ok(DomainPage { items: items.collect::<Result<_, _>>()?, has_more })
        })
        .await
    }

    /// Lets a domain receive mail, too, for which it has to be verified anew. A domain that receives already is not
    /// changed.
    ///
    /// # Errors
    /// `Conflict` if it is not as `expected`.
    pub async fn let_domain_receive(
        &self,
        workspace: WorkspaceId,
        id: DomainId,
        expected: Option<SendingDomain>,
    ) -> Result<SendingDomain, CoreError> {
        self.write(move |tx| {
            let domain = locked(tx.conn, workspace, id)?;
            if expected.is_some_and(|expected| expected != domain) {
                return Err(CoreError::Conflict("The domain was changed meanwhile").into());
            }
            if domain.mode == DomainMode::SendReceive {
                return Ok(domain);
            }
            let domain = domain.receiving();
            save(tx.conn, &domain)?;
            Ok(domain)
        })
        .await
    }

    /// Removes a domain, its key and its rules.
    ///
    /// # Errors
    /// `Conflict` while it has mailboxes, suspended ones included.
    pub async fn delete_domain(&self, workspace: WorkspaceId, id: DomainId) -> Result<(), CoreError> {
        self.write(move |tx| {
            locked(tx.conn, workspace, id)?;
            let id = id.to_string();
            if is_in_use(tx.conn, &id)? {
                return Err(CoreError::Conflict("Remove the mailboxes of the domain first").into());
            }
            filters::forget(tx.conn, &id)?;
            diesel::delete(sending_domains::table.find(id)).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// The sender rules of the domain.
    pub async fn domain_filters(&self, workspace: WorkspaceId, id: DomainId) -> Result<FilterSet, CoreError> {
        self.read(move |conn| {
            let found: Option<String> = own(workspace, id).select(sending_domains::mode).first(conn).optional()?;
            check_receives(found.as_deref())?;
            filters::load(conn, &id.to_string())
        })
        .await
    }

    /// Replaces all rules of the domain.
    ///
    /// # Errors
    /// `Conflict` for a domain that receives no mail, and if the rules are not as `expected`.
    pub async fn set_domain_filters(
        &self,
        workspace: WorkspaceId,
        id: DomainId,
        set: FilterSet,
        expected: Option<FilterSet>,
    ) -> Result<FilterSet, CoreError> {
        self.write(move |tx| {
            let domain = locked(tx.conn, workspace, id)?;
            check_receives(Some(domain.mode.as_str()))?;
            if let Some(expected) = expected
                && expected != filters::load(tx.conn, &id.to_string())?
            {
                return Err(CoreError::Conflict("The rules were changed meanwhile").into());
            }
            filters::replace(tx.conn, &id.to_string(), &set)?;
            Ok(set)
        })
        .await
    }

    /// The signer for mail of a hosted mailbox: the key of its domain, verified or not. The name of a domain alone does
    /// not say whose key it is, because several workspaces may have the name.
    ///
    /// # Errors
    /// `NotFound` if there is no such mailbox.
    pub async fn dkim_signer(&self, sender: &EmailAddress) -> Result<DkimSigner, CoreError> {
        let sender = sender.as_str().to_owned();
        let (id, domain, selector, sealed) = self
            .read(move |conn| {
                let columns = (
                    sending_domains::id,
                    sending_domains::name,
                    sending_domains::dkim_selector,
                    sending_domains::dkim_key_id,
                    sending_domains::dkim_private_key,
                );
                let row: Option<(String, String, String, String, Vec<u8>)> = hosted_mailboxes::table
                    .inner_join(sending_domains::table.on(sending_domains::id.eq(hosted_mailboxes::domain_id)))
                    .filter(hosted_mailboxes::email.eq(sender))
                    .filter(hosted_mailboxes::status.ne(HostedStatus::Deleted.as_str()))
                    .select(columns)
                    .first(conn)
                    .optional()?;
                let (id, domain, selector, key_id, bytes) = row.ok_or(CoreError::NotFound("mailbox"))?;
                let id: DomainId = id.parse().map_err(|_| corrupt("domain id"))?;
                Ok((id, domain, selector, Sealed { key_id, bytes }))
            })
            .await?;
        let location = key_location(id);
        let pem = self.vault().open(&location, sealed)?;
        let pem = std::str::from_utf8(&pem)
            .map_err(|_| CoreError::Internal(format!("the secret at {location} is no text")))?;
        Ok(DkimSigner { domain, selector, private_key: SecretString::from(pem) })
    }
}

/// Checks that a name can be added now. Requests of the same moment may get a few over the limit.
fn check_addable(conn: &mut Conn, workspace: WorkspaceId, name: &MailDomain) -> Result<(), TxError> {
    let of_workspace = sending_domains::table.filter(sending_domains::workspace_id.eq(workspace.to_string()));
    let names: i64 = of_workspace.clone().filter(sending_domains::name.eq(name.as_str())).count().get_result(conn)?;
    if names > 0 {
        return Err(CoreError::AlreadyExists.into());
    }
    // No domain has an empty id.
    if is_verified_elsewhere(conn, name.as_str(), "")? {
        return Err(CoreError::Conflict("This domain is in use").into());
    }
    let usage: i64 = of_workspace.count().get_result(conn)?;
    if usage >= MAX_DOMAINS {
        return Err(CoreError::LimitExceeded { usage, limit: MAX_DOMAINS, requested: 1 }.into());
    }
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn own(workspace: WorkspaceId, id: DomainId) -> _ {
    let workspace: String = workspace.to_string();
    let id: String = id.to_string();
    sending_domains::table.find(id).filter(sending_domains::workspace_id.eq(workspace))
}

/// A domain of the workspace, its row locked as by [`locked_row`].
fn locked(conn: &mut Conn, workspace: WorkspaceId, id: DomainId) -> Result<SendingDomain, TxError> {
    let row = locked_row(conn, id)?.filter(|row| row.workspace_id == workspace.to_string());
    row.ok_or(CoreError::NotFound("domain"))?.read_with_count(conn)
}

/// True if a domain of another id has the name as verified.
pub(crate) fn is_verified_elsewhere(conn: &mut Conn, name: &str, id: &str) -> QueryResult<bool> {
    let other = sending_domains::table
        .filter(sending_domains::name.eq(name))
        .filter(sending_domains::status.eq(DomainStatus::Verified.as_str()))
        .filter(sending_domains::id.ne(id));
    both!(conn, |c| diesel::select(exists(other)).get_result(c))
}

/// Sender rules need a domain that receives mail.
fn check_receives(mode: Option<&str>) -> Result<(), CoreError> {
    match mode.and_then(DomainMode::parse) {
        Some(DomainMode::SendReceive) => Ok(()),
        Some(DomainMode::SendOnly) => Err(CoreError::Conflict("This domain receives no mail")),
        None => Err(CoreError::NotFound("domain")),
    }
}

fn key_location(domain: DomainId) -> String {
    format!("domain:{domain}:dkim")
}

//! The domains that a workspace sends for. What their checks found is in [`super::domain_checks`].

use diesel::dsl::exists;
use diesel::prelude::*;
use secrecy::SecretString;

use super::backend::{Conn, both};
use super::dkim_keys::{self, random_hex};
use super::error::{TxError, corrupt, is_duplicate};
use super::hosted_rows::count_by_domain;
use super::schema::sending_domains;
use super::vault::Sealed;
use super::workspaces::is_open;
use super::{PendingAnswer, Store, blocking, filters};
use crate::domain::domains::{DkimPublicKey, DomainMode, DomainStatus, NewDomain, SendingDomain};
use crate::domain::filters::FilterSet;
use crate::domain::{DomainError, DomainId, MailDomain, Timestamp, WorkspaceId};
use crate::events::DomainRef;

/// One page of a list, newest first.
#[derive(Clone, Debug)]
pub struct DomainPage {
    /// The domains.
    pub items: Vec<SendingDomain>,
    /// More follow.
    pub has_more: bool,
}

/// What signs the mail of a domain.
#[derive(Debug)]
pub struct DkimSigner {
    /// Named in the signature, `s=`; the domain itself is its `d=`.
    pub selector: String,
    /// PKCS #8 (RFC 5958) in PEM.
    pub private_key: SecretString,
}

#[derive(Insertable)]
#[diesel(table_name = sending_domains)]
struct NewDomainRow {
    id: String,
    workspace_id: String,
    name: String,
    mode: &'static str,
    status: &'static str,
    ownership_token: String,
    dkim_selector: String,
    dkim_public_key: String,
    dkim_key_id: String,
    dkim_private_key: Vec<u8>,
    failures: i32,
    asked_at: i64,
    asked_by_clock: bool,
    answered_at: i64,
    created_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sending_domains)]
pub(super) struct DomainRow {
    pub(super) id: String,
    pub(super) workspace_id: String,
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) status: String,
    ownership_token: String,
    dkim_selector: String,
    dkim_public_key: String,
    checks: Option<String>,
    checked_at: Option<i64>,
    verified_at: Option<i64>,
    failures: i32,
    pub(super) asked_at: i64,
    pub(super) asked_by_clock: bool,
    pub(super) answered_at: i64,
    pub(super) unclear_at: Option<i64>,
    created_at: i64,
}

impl Store {
    /// Adds a domain with a key of its own, and stores the answer to whoever wants that. Nothing is looked at
    /// yet.
    ///
    /// # Errors
    /// `AlreadyExists` when the workspace has it; `Conflict` when another one has it as verified; `NotFound`
    /// when the workspace was closed meanwhile.
    pub async fn create_domain(
        &self,
        workspace: WorkspaceId,
        new: NewDomain,
        answer: PendingAnswer<SendingDomain>,
    ) -> Result<SendingDomain, DomainError> {
        let key = blocking(dkim_keys::generate).await?;
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
        let sealed = self.vault().seal(&key_place(domain.id), &key.private_pem)?;
        self.write(move |tx| {
            let row = NewDomainRow::new(&domain, sealed);
            if is_verified_elsewhere(tx.conn, &row.name, &row.id)? {
                return Err(DomainError::Conflict("This domain is in use").into());
            }
            match both!(&mut *tx.conn, |c| diesel::insert_into(sending_domains::table).values(&row).execute(c)) {
                Ok(_) => {}
                Err(error) if is_duplicate(&error) => return Err(DomainError::AlreadyExists.into()),
                Err(error) => return Err(error.into()),
            }
            // The insert holds the workspace's row, so it cannot be closed between this and the commit.
            if !is_open(tx.conn, workspace)? {
                return Err(DomainError::NotFound("workspace").into());
            }
            answer.complete(tx, &domain)?;
            Ok(domain)
        })
        .await
    }

    /// One domain of the workspace.
    pub async fn domain(&self, workspace: WorkspaceId, id: DomainId) -> Result<SendingDomain, DomainError> {
        self.read(move |conn| {
            let row: Option<DomainRow> = own(workspace, id).select(DomainRow::as_select()).first(conn).optional()?;
            row.ok_or(DomainError::NotFound("domain"))?.read_with_count(conn)
        })
        .await
    }

    /// One page of the workspace's domains, newest first; `after` = only older ones than this.
    pub async fn list_domains(
        &self,
        workspace: WorkspaceId,
        after: Option<DomainId>,
        limit: i64,
    ) -> Result<DomainPage, DomainError> {
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

    /// Lets a domain receive mail, too, for which it has to be verified anew. Nothing changes when it does
    /// already.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected`.
    pub async fn let_domain_receive(
        &self,
        workspace: WorkspaceId,
        id: DomainId,
        expected: Option<SendingDomain>,
    ) -> Result<SendingDomain, DomainError> {
        self.write(move |tx| {
            let mut domain = locked(tx.conn, workspace, id)?;
            if expected.is_some_and(|expected| expected != domain) {
                return Err(DomainError::Conflict("The domain was changed meanwhile").into());
            }
            if domain.mode == DomainMode::SendOnly {
                (domain.mode, domain.status) = (DomainMode::SendReceive, DomainStatus::Pending);
                (domain.checks, domain.checked_at, domain.verified_at) = (None, None, None);
                domain.failures = 0;
                save(tx.conn, &domain)?;
            }
            Ok(domain)
        })
        .await
    }

    /// Removes a domain, its key and its rules.
    ///
    /// # Errors
    /// `Conflict` while it has mailboxes.
    pub async fn delete_domain(&self, workspace: WorkspaceId, id: DomainId) -> Result<(), DomainError> {
        self.write(move |tx| {
            if locked(tx.conn, workspace, id)?.mailbox_count > 0 {
                return Err(DomainError::Conflict("Remove the mailboxes of the domain first").into());
            }
            let id = id.to_string();
            filters::forget(tx.conn, &id)?;
            diesel::delete(sending_domains::table.find(id)).execute(tx.conn)?;
            Ok(())
        })
        .await
    }

    /// Who may write to the domain.
    pub async fn domain_filters(&self, workspace: WorkspaceId, id: DomainId) -> Result<FilterSet, DomainError> {
        self.read(move |conn| {
            let found: Option<String> = own(workspace, id).select(sending_domains::mode).first(conn).optional()?;
            check_receives(found.as_deref())?;
            filters::load(conn, &id.to_string())
        })
        .await
    }

    /// Takes these rules in place of all that the domain had.
    ///
    /// # Errors
    /// `Conflict` for a domain that receives nothing, and when the rules are not as `expected`.
    pub async fn set_domain_filters(
        &self,
        workspace: WorkspaceId,
        id: DomainId,
        set: FilterSet,
        expected: Option<FilterSet>,
    ) -> Result<FilterSet, DomainError> {
        self.write(move |tx| {
            let domain = locked(tx.conn, workspace, id)?;
            check_receives(Some(domain.mode.as_str()))?;
            if let Some(expected) = expected
                && expected != filters::load(tx.conn, &id.to_string())?
            {
                return Err(DomainError::Conflict("The rules were changed meanwhile").into());
            }
            filters::replace(tx.conn, &id.to_string(), &set)?;
            Ok(set)
        })
        .await
    }

    /// The private key of a domain, for whoever signs its mail.
    ///
    /// # Errors
    /// `NotFound` when there is no such domain.
    pub async fn dkim_signer(&self, id: DomainId) -> Result<DkimSigner, DomainError> {
        let (selector, sealed) = self
            .read(move |conn| {
                let columns =
                    (sending_domains::dkim_selector, sending_domains::dkim_key_id, sending_domains::dkim_private_key);
                let row: Option<(String, String, Vec<u8>)> =
                    sending_domains::table.find(id.to_string()).select(columns).first(conn).optional()?;
                let (selector, key_id, bytes) = row.ok_or(DomainError::NotFound("domain"))?;
                Ok((selector, Sealed { key_id, bytes }))
            })
            .await?;
        let place = key_place(id);
        let pem = self.vault().open(&place, sealed)?;
        let pem = std::str::from_utf8(&pem)
            .map_err(|_| DomainError::Internal(format!("the secret at {place} is no text")))?;
        Ok(DkimSigner { selector, private_key: SecretString::from(pem) })
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn own(workspace: WorkspaceId, id: DomainId) -> _ {
    let workspace: String = workspace.to_string();
    let id: String = id.to_string();
    sending_domains::table.find(id).filter(sending_domains::workspace_id.eq(workspace))
}

/// The domain's row. On PostgreSQL it is locked until the end of the transaction; SQLite has one writer at a
/// time anyway.
pub(super) fn locked_row(conn: &mut Conn, id: DomainId) -> QueryResult<Option<DomainRow>> {
    let query = sending_domains::table.find(id.to_string());
    match conn {
        Conn::Pg(c) => query.select(DomainRow::as_select()).for_update().first(c).optional(),
        Conn::Lite(c) => query.select(DomainRow::as_select()).first(c).optional(),
    }
}

/// A domain of the workspace, its row locked as by [`locked_row`].
fn locked(conn: &mut Conn, workspace: WorkspaceId, id: DomainId) -> Result<SendingDomain, TxError> {
    let row = locked_row(conn, id)?.filter(|row| row.workspace_id == workspace.to_string());
    row.ok_or(DomainError::NotFound("domain"))?.read_with_count(conn)
}

/// Whether a domain of another id has the name as verified.
pub(super) fn is_verified_elsewhere(conn: &mut Conn, name: &str, id: &str) -> QueryResult<bool> {
    let other = sending_domains::table
        .filter(sending_domains::name.eq(name))
        .filter(sending_domains::status.eq(DomainStatus::Verified.as_str()))
        .filter(sending_domains::id.ne(id));
    both!(conn, |c| diesel::select(exists(other)).get_result(c))
}

/// Writes what may change.
pub(super) fn save(conn: &mut Conn, domain: &SendingDomain) -> Result<(), TxError> {
    let checks = domain.checks.map(|checks| serde_json::to_string(&checks)).transpose();
    let checks = checks.map_err(|e| DomainError::Internal(format!("checks cannot be serialised: {e}")))?;
    diesel::update(sending_domains::table.find(domain.id.to_string()))
        .set((
            sending_domains::mode.eq(domain.mode.as_str()),
            sending_domains::status.eq(domain.status.as_str()),
            sending_domains::checks.eq(checks),
            sending_domains::checked_at.eq(domain.checked_at.map(Timestamp::millis)),
            sending_domains::verified_at.eq(domain.verified_at.map(Timestamp::millis)),
            sending_domains::failures.eq(domain.failures),
        ))
        .execute(conn)?;
    Ok(())
}

/// Rules on who may write are for domains to which one can write.
fn check_receives(mode: Option<&str>) -> Result<(), DomainError> {
    match mode.and_then(DomainMode::parse) {
        Some(DomainMode::SendReceive) => Ok(()),
        Some(DomainMode::SendOnly) => Err(DomainError::Conflict("This domain receives no mail")),
        None => Err(DomainError::NotFound("domain")),
    }
}

fn key_place(domain: DomainId) -> String {
    format!("domain:{domain}:dkim")
}

impl NewDomainRow {
    fn new(domain: &SendingDomain, sealed: Sealed) -> Self {
        let created_at = domain.created_at.millis();
        Self {
            id: domain.id.to_string(),
            workspace_id: domain.workspace_id.to_string(),
            name: domain.name.as_str().to_owned(),
            mode: domain.mode.as_str(),
            status: domain.status.as_str(),
            ownership_token: domain.ownership_token.clone(),
            dkim_selector: domain.dkim.selector.clone(),
            dkim_public_key: domain.dkim.base64.clone(),
            dkim_key_id: sealed.key_id,
            dkim_private_key: sealed.bytes,
            failures: domain.failures,
            // As if that request had been answered.
            asked_at: created_at,
            asked_by_clock: false,
            answered_at: created_at,
            created_at,
        }
    }
}

impl DomainRow {
    pub(super) fn reference(&self) -> Result<DomainRef, TxError> {
        Ok(DomainRef {
            domain_id: self.id.parse().map_err(|_| corrupt("domain id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
        })
    }

    pub(super) fn read_with_count(self, conn: &mut Conn) -> Result<SendingDomain, TxError> {
        let count = count_by_domain(conn, std::slice::from_ref(&self.id))?.remove(&self.id).unwrap_or(0);
        self.read(count)
    }

    pub(super) fn read(self, mailbox_count: i64) -> Result<SendingDomain, TxError> {
        let about = self.reference()?;
        let checks = self.checks.map(|json| serde_json::from_str(&json)).transpose();
        Ok(SendingDomain {
            id: about.domain_id,
            workspace_id: about.workspace_id,
            name: MailDomain::parse(&self.name).map_err(|_| corrupt("domain name"))?,
            mode: DomainMode::parse(&self.mode).ok_or_else(|| corrupt("domain mode"))?,
            status: DomainStatus::parse(&self.status).ok_or_else(|| corrupt("domain status"))?,
            ownership_token: self.ownership_token,
            dkim: DkimPublicKey { selector: self.dkim_selector, base64: self.dkim_public_key },
            checks: checks.map_err(|_| corrupt("domain checks"))?,
            checked_at: self.checked_at.map(Timestamp::from_millis),
            verified_at: self.verified_at.map(Timestamp::from_millis),
            failures: self.failures,
            mailbox_count,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

//! The rows of domains. They never leave the store.

use diesel::prelude::*;

use crate::domain::sending_domains::{DkimPublicKey, DomainMode, DomainStatus, SendingDomain};
use crate::domain::{CoreError, DomainId, MailDomain, Timestamp};
use crate::events::DomainRef;
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::vault::Sealed;
use crate::store::hosted::rows::count_by_domain;
use crate::store::schema::sending_domains;

#[derive(Insertable)]
#[diesel(table_name = sending_domains)]
pub(crate) struct NewDomainRow {
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
pub(crate) struct DomainRow {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) status: String,
    ownership_token: String,
    dkim_selector: String,
    dkim_public_key: String,
    checks: Option<String>,
    checked_at: Option<i64>,
    verified_at: Option<i64>,
    failures: i32,
    pub(crate) asked_at: i64,
    pub(crate) asked_by_clock: bool,
    pub(crate) answered_at: i64,
    pub(crate) unclear_at: Option<i64>,
    created_at: i64,
}

impl NewDomainRow {
    pub(crate) fn new(domain: &SendingDomain, sealed: Sealed) -> Self {
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
            // A new domain has no open request.
            asked_at: created_at,
            asked_by_clock: false,
            answered_at: created_at,
            created_at,
        }
    }
}

impl DomainRow {
    pub(crate) fn reference(&self) -> Result<DomainRef, TxError> {
        Ok(DomainRef {
            domain_id: self.id.parse().map_err(|_| corrupt("domain id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
        })
    }

    pub(crate) fn read_with_count(self, conn: &mut Conn) -> Result<SendingDomain, TxError> {
        let count = count_by_domain(conn, std::slice::from_ref(&self.id))?.remove(&self.id).unwrap_or(0);
        self.read(count)
    }

    pub(crate) fn read(self, mailbox_count: i64) -> Result<SendingDomain, TxError> {
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

/// The domain's row, locked on PostgreSQL until the end of the transaction. SQLite has one writer at a time anyway.
pub(crate) fn locked_row(conn: &mut Conn, id: DomainId) -> QueryResult<Option<DomainRow>> {
    let query = sending_domains::table.find(id.to_string());
    match conn {
        Conn::Pg(c) => query.select(DomainRow::as_select()).for_update().first(c).optional(),
        Conn::Lite(c) => query.select(DomainRow::as_select()).first(c).optional(),
    }
}

/// Writes the columns that may change.
pub(crate) fn save(conn: &mut Conn, domain: &SendingDomain) -> Result<(), TxError> {
    let checks = domain.checks.map(|checks| serde_json::to_string(&checks)).transpose();
    let checks = checks.map_err(|e| CoreError::Internal(format!("checks cannot be serialised: {e}")))?;
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

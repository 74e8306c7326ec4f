//! The row of a sending account and its way to and from the domain. It never leaves the store.

use diesel::prelude::*;

use crate::domain::sending_accounts::{Quotas, Sender, SendingAccount, SendingAccountStatus, SmtpProtocol, Standing};
use crate::domain::{CoreError, Password, SendingAccountId, ServerEndpoint, Timestamp, WorkspaceId};
use crate::events::SendingAccountRef;
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::vault::Sealed;
use crate::store::schema::providers;

/// Every column except identity and password, in the order of the table.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = providers, treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct SendingAccountColumns {
    name: String,
    smtp_host: String,
    smtp_port: i32,
    smtp_protocol: String,
    smtp_username: String,
    status: String,
    status_reason: Option<String>,
    is_active: bool,
    from_email: Option<String>,
    from_name: Option<String>,
    reply_to_email: Option<String>,
    reply_to_name: Option<String>,
    quotas: String,
    percentage: i32,
    tracking_domain: Option<String>,
    variables: String,
    last_tested_at: Option<i64>,
    last_used_at: Option<i64>,
    updated_at: i64,
}

/// The further columns that changing an account or testing its login needs.
#[derive(Queryable, Selectable)]
#[diesel(table_name = providers)]
pub(crate) struct LoginColumns {
    pub(crate) password_key_id: String,
    pub(crate) password: Vec<u8>,
    pub(crate) login_version: i32,
    pub(crate) refusal: Option<String>,
    pub(crate) refused_at: Option<i64>,
    /// The version of the login that the server accepted, unless the server has refused it since.
    pub(crate) accepted_version: Option<i32>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = providers)]
pub(crate) struct SendingAccountRow {
    id: String,
    workspace_id: String,
    created_at: i64,
    #[diesel(embed)]
    columns: SendingAccountColumns,
}

fn to_json(value: &impl serde::Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a provider cannot be serialised: {e}")))
}

impl SendingAccountColumns {
    pub(crate) fn new(account: &SendingAccount) -> Result<Self, CoreError> {
        let account = account.clone();
        Ok(Self {
            name: account.name,
            smtp_host: account.smtp.host().to_owned(),
            smtp_port: i32::from(account.smtp.port()),
            smtp_protocol: account.protocol.as_str().to_owned(),
            smtp_username: account.username,
            status: account.standing.status.as_str().to_owned(),
            status_reason: account.standing.reason,
            is_active: account.standing.is_active,
            from_email: account.sender.from_email,
            from_name: account.sender.from_name,
            reply_to_email: account.sender.reply_to_email,
            reply_to_name: account.sender.reply_to_name,
            quotas: to_json(&account.quotas)?,
            percentage: account.percentage,
            tracking_domain: account.tracking_domain,
            variables: to_json(&account.variables)?,
            last_tested_at: account.last_tested_at.map(Timestamp::millis),
            last_used_at: account.last_used_at.map(Timestamp::millis),
            updated_at: account.updated_at.millis(),
        })
    }
}

impl SendingAccountRow {
    pub(crate) fn read(self) -> Result<SendingAccount, TxError> {
        let columns = self.columns;
        let protocol = SmtpProtocol::parse(&columns.smtp_protocol).ok_or_else(|| corrupt("protocol"))?;
        let port = u16::try_from(columns.smtp_port).map_err(|_| corrupt("port"))?;
        let quotas: Quotas = serde_json::from_str(&columns.quotas).map_err(|_| corrupt("quotas"))?;
        Ok(SendingAccount {
            id: self.id.parse().map_err(|_| corrupt("provider id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
            name: columns.name,
            smtp: ServerEndpoint::parse(&columns.smtp_host, port, protocol.security()).map_err(|_| corrupt("host"))?,
            protocol,
            username: columns.smtp_username,
            standing: Standing {
                status: SendingAccountStatus::parse(&columns.status).ok_or_else(|| corrupt("provider status"))?,
                reason: columns.status_reason,
                is_active: columns.is_active,
            },
            sender: Sender {
                from_email: columns.from_email,
                from_name: columns.from_name,
                reply_to_email: columns.reply_to_email,
                reply_to_name: columns.reply_to_name,
            },
            quotas,
            percentage: columns.percentage,
            tracking_domain: columns.tracking_domain,
            variables: serde_json::from_str(&columns.variables).map_err(|_| corrupt("variables"))?,
            last_tested_at: columns.last_tested_at.map(Timestamp::from_millis),
            last_used_at: columns.last_used_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(columns.updated_at),
        })
    }
}

/// An account and the columns of its login. Workers pass no workspace. On PostgreSQL the row is locked until the end of
/// the transaction; SQLite has one writer at a time anyway.
pub(crate) fn locked(
    conn: &mut Conn,
    workspace: Option<WorkspaceId>,
    id: SendingAccountId,
) -> Result<Option<(SendingAccount, LoginColumns)>, TxError> {
    let row = providers::table.find(id.to_string());
    let found: Option<(SendingAccountRow, LoginColumns)> = match conn {
        Conn::Pg(c) => {
            let columns = (SendingAccountRow::as_select(), LoginColumns::as_select());
            row.select(columns).for_update().first(c).optional()?
        }
        Conn::Lite(c) => row.select((SendingAccountRow::as_select(), LoginColumns::as_select())).first(c).optional()?,
    };
    let Some((row, login)) = found else { return Ok(None) };
    let account = row.read()?;
    Ok(workspace.is_none_or(|workspace| workspace == account.workspace_id).then_some((account, login)))
}

/// Stores every column that may change, except the password.
pub(crate) fn save(conn: &mut Conn, account: &SendingAccount) -> Result<(), TxError> {
    let columns = SendingAccountColumns::new(account)?;
    diesel::update(providers::table.find(account.id.to_string())).set(&columns).execute(conn)?;
    Ok(())
}

pub(crate) fn reference(account: &SendingAccount) -> SendingAccountRef {
    SendingAccountRef { sending_account_id: account.id, workspace_id: account.workspace_id }
}

/// The location for which the password is sealed. Its wording is older than the name of the account.
pub(crate) fn password_location(id: SendingAccountId) -> String {
    format!("provider:{id}:password")
}

impl Store {
    /// Opens the password of an account.
    pub(crate) fn password(&self, id: SendingAccountId, login: &LoginColumns) -> Result<Password, CoreError> {
        let sealed = Sealed { key_id: login.password_key_id.clone(), bytes: login.password.clone() };
        self.vault().open_password(&password_location(id), sealed)
    }
}

//! The mailbox row and its way to and from the domain. It never leaves the store.

use diesel::prelude::*;
use serde::{Serialize, Serializer};

use crate::domain::mailboxes::{DnsSetup, NewMailbox, ProviderLabel, RefusalPolicy};
use crate::domain::{
    CoreError, EmailAddress, Mailbox, MailboxId, MailboxStatus, Security, ServerEndpoint, Timestamp, WorkspaceId,
};
use crate::events::MailboxRef;
use crate::store::core::backend::Conn;
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::vault::Sealed;
use crate::store::schema::{departed_mailboxes, mailboxes};

/// Defines a row and the list of its columns from one list of fields.
macro_rules! row_with_columns {
    ($(#[$row_attribute:meta])* $row:ident {
        $first:ident: $first_type:ty,
        $($(#[$attribute:meta])* $field:ident: $type:ty,)+
    }) => {
        $(#[$row_attribute])*
        pub(crate) struct $row {
            $first: $first_type,
            $($(#[$attribute])* $field: $type,)+
        }

        impl $row {
            /// The columns as they stand in an `INSERT` or a `SELECT`.
            pub(crate) const COLUMNS: &'static str =
                concat!(stringify!($first), $(", ", stringify!($field)),+);
        }
    };
}

row_with_columns! {
    // With defaults for `None` the statement would differ from row to row and never be cached.
    #[derive(Insertable, Serialize)]
    #[diesel(table_name = mailboxes, treat_none_as_default_value = false)]
    NewMailboxRow {
        id: String,
        workspace_id: String,
        email: String,
        display_name: String,
        provider: &'static str,
        status: &'static str,
        on_refusal: &'static str,
        daily_send_limit: i32,
        sending_enabled: bool,
        signature: Option<String>,
        tags: String,
        smtp_host: String,
        smtp_port: i32,
        smtp_secure: bool,
        imap_host: String,
        imap_port: i32,
        imap_secure: bool,
        imap_guessed: bool,
        credentials_key_id: String,
        #[serde(serialize_with = "bytea")]
        credentials: Vec<u8>,
        created_at: i64,
        updated_at: i64,
        verification_asked_at: Option<i64>,
        email_as_given: Option<String>,
    }
}

/// PostgreSQL's text form of `bytea`.
fn bytea<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    serializer.serialize_str(&text)
}

impl NewMailboxRow {
    pub(crate) fn new(mailbox: &Mailbox, on_refusal: RefusalPolicy, sealed: Sealed) -> Self {
        Self {
            id: mailbox.id.to_string(),
            workspace_id: mailbox.workspace_id.to_string(),
            email: mailbox.email.as_str().to_owned(),
            display_name: mailbox.display_name.clone(),
            provider: mailbox.provider.as_str(),
            status: mailbox.status.as_str(),
            on_refusal: on_refusal.as_str(),
            daily_send_limit: mailbox.daily_send_limit,
            sending_enabled: mailbox.sending_enabled,
            signature: mailbox.signature.clone(),
            tags: join_tags(&mailbox.tags),
            smtp_host: mailbox.smtp.host().to_owned(),
            smtp_port: i32::from(mailbox.smtp.port()),
            smtp_secure: mailbox.smtp.security() == Security::Required,
            imap_host: mailbox.imap.host().to_owned(),
            imap_port: i32::from(mailbox.imap.port()),
            imap_secure: mailbox.imap.security() == Security::Required,
            imap_guessed: mailbox.imap_guessed,
            credentials_key_id: sealed.key_id,
            credentials: sealed.bytes,
            created_at: mailbox.created_at.millis(),
            updated_at: mailbox.updated_at.millis(),
            verification_asked_at: (mailbox.status == MailboxStatus::Unverified).then(|| mailbox.created_at.millis()),
            email_as_given: mailbox.email_as_given.clone(),
        }
    }
}

/// The mailbox that a new one becomes when it is accepted.
pub(crate) fn accepted(
    id: MailboxId,
    workspace: WorkspaceId,
    new: NewMailbox,
    status: MailboxStatus,
    now: Timestamp,
) -> Mailbox {
    Mailbox {
        id,
        workspace_id: workspace,
        email: new.email,
        email_as_given: new.email_as_given,
        display_name: new.display_name,
        provider: new.provider,
        status,
        daily_send_limit: new.daily_send_limit,
        sending_enabled: false,
        signature: new.signature,
        tags: new.tags,
        smtp: new.smtp,
        imap: new.imap,
        imap_guessed: new.imap_guessed,
        last_error: None,
        dns: None,
        created_at: now,
        updated_at: now,
    }
}

/// The whole row except the sealed credentials.
#[derive(Queryable, Selectable)]
#[diesel(table_name = mailboxes)]
pub(crate) struct MailboxRow {
    id: String,
    workspace_id: String,
    email: String,
    display_name: String,
    provider: String,
    status: String,
    daily_send_limit: i32,
    sending_enabled: bool,
    signature: Option<String>,
    tags: String,
    smtp_host: String,
    smtp_port: i32,
    smtp_secure: bool,
    imap_host: String,
    imap_port: i32,
    imap_secure: bool,
    imap_guessed: bool,
    last_error: Option<String>,
    dns_report: Option<String>,
    dns_checked_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    email_as_given: Option<String>,
}

impl TryFrom<MailboxRow> for Mailbox {
    type Error = TxError;

    fn try_from(row: MailboxRow) -> Result<Self, TxError> {
        let dns = match (row.dns_report, row.dns_checked_at) {
            (Some(json), Some(at)) => Some(DnsSetup {
                report: serde_json::from_str(&json).map_err(|_| corrupt("DNS report"))?,
                checked_at: Timestamp::from_millis(at),
            }),
            _ => None,
        };
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("mailbox id"))?,
            workspace_id: row.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
            email: EmailAddress::parse(&row.email).map_err(|_| corrupt("address"))?,
            email_as_given: row.email_as_given,
            display_name: row.display_name,
            provider: ProviderLabel::parse(&row.provider).ok_or_else(|| corrupt("provider"))?,
            status: MailboxStatus::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            daily_send_limit: row.daily_send_limit,
            sending_enabled: row.sending_enabled,
            signature: row.signature,
            tags: split_tags(&row.tags),
            smtp: endpoint(&row.smtp_host, row.smtp_port, row.smtp_secure)?,
            imap: endpoint(&row.imap_host, row.imap_port, row.imap_secure)?,
            imap_guessed: row.imap_guessed,
            last_error: row.last_error,
            dns,
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
        })
    }
}

fn endpoint(host: &str, port: i32, secure: bool) -> Result<ServerEndpoint, TxError> {
    let port = u16::try_from(port).map_err(|_| corrupt("port"))?;
    let security = if secure { Security::Required } else { Security::Opportunistic };
    ServerEndpoint::parse(host, port, security).map_err(|_| corrupt("host"))
}

/// `\nnorth\neast\n`: a tag is found by a search for it between line feeds, which no tag contains.
pub(crate) fn join_tags(tags: &[String]) -> String {
    if tags.is_empty() { String::new() } else { format!("\n{}\n", tags.join("\n")) }
}

fn split_tags(stored: &str) -> Vec<String> {
    stored.split('\n').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// `NotFound` if there has never been such a mailbox, as far back as departed ones are remembered.
pub(crate) fn was_here(conn: &mut Conn, id: MailboxId) -> Result<(), TxError> {
    let departed = departed_mailboxes::table.find(id.to_string()).count().get_result::<i64>(conn)?;
    if departed > 0 { Ok(()) } else { Err(CoreError::NotFound("mailbox").into()) }
}

pub(crate) fn find(conn: &mut Conn, workspace: WorkspaceId, id: MailboxId) -> Result<Mailbox, TxError> {
    let row: Option<MailboxRow> = mailboxes::table
        .find(id.to_string())
        .filter(mailboxes::workspace_id.eq(workspace.to_string()))
        .select(MailboxRow::as_select())
        .first(conn)
        .optional()?;
    row.ok_or(CoreError::NotFound("mailbox"))?.try_into()
}

pub(crate) fn reference(mailbox: &Mailbox) -> MailboxRef {
    MailboxRef { mailbox_id: mailbox.id, workspace_id: mailbox.workspace_id }
}

/// The reference from the columns of a row.
pub(crate) fn stored_reference(id: &str, workspace: &str) -> Result<MailboxRef, TxError> {
    let mailbox_id = id.parse().map_err(|_| corrupt("mailbox id"))?;
    let workspace_id = workspace.parse().map_err(|_| corrupt("workspace id"))?;
    Ok(MailboxRef { mailbox_id, workspace_id })
}

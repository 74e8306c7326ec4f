//! Response bodies.

use serde::Serialize;
use shared_models::domain::mailboxes::ConnectionTest;
use shared_models::domain::{FailureCode, Mailbox, Security};
use shared_models::store::MailboxPage;
use utoipa::ToSchema;

use super::health::SetupStatus;
use super::query::PageWish;
use super::words::{Warmup, status_word};
use crate::sendkit::wire::failure_text::failure_text;

const QUEUED: &str = "Mailbox queued for SMTP verification. Poll GET /v1/mailboxes/:id/connection-test until status is no longer \"inactive\".";

/// A success.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct Success<T: ToSchema> {
    /// Always true.
    success: bool,
    data: T,
}

impl<T: ToSchema> Success<T> {
    pub(in crate::sendkit) fn new(data: T) -> Self {
        Self { success: true, data }
    }
}

/// Answer of `POST /v1/mailboxes`.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct CreatedEnvelope {
    /// Always true.
    success: bool,
    data: CreatedMailbox,
    message: &'static str,
}

impl From<&Mailbox> for CreatedEnvelope {
    fn from(mailbox: &Mailbox) -> Self {
        Self { success: true, data: mailbox.into(), message: QUEUED }
    }
}

/// A mailbox that was just accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedMailbox {
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    email: String,
    display_name: String,
    provider: &'static str,
    status: &'static str,
    connection_type: &'static str,
    daily_send_limit: i32,
    sending_enabled: bool,
    #[schema(required)]
    signature: Option<String>,
    tags: Vec<String>,
    #[serde(flatten)]
    servers: Servers,
    created_at: String,
    updated_at: String,
}

/// Where the mailbox connects to, as asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Servers {
    smtp_host: String,
    smtp_port: u16,
    smtp_secure: bool,
    imap_host: String,
    imap_port: u16,
    imap_secure: bool,
}

impl From<&Mailbox> for Servers {
    fn from(mailbox: &Mailbox) -> Self {
        Self {
            smtp_host: mailbox.smtp.host().to_owned(),
            smtp_port: mailbox.smtp.port(),
            smtp_secure: mailbox.smtp.security() == Security::Required,
            imap_host: mailbox.imap.host().to_owned(),
            imap_port: mailbox.imap.port(),
            imap_secure: mailbox.imap.security() == Security::Required,
        }
    }
}

impl From<&Mailbox> for CreatedMailbox {
    fn from(mailbox: &Mailbox) -> Self {
        Self {
            id: mailbox.id.to_string(),
            email: mailbox.email.as_str().to_owned(),
            display_name: mailbox.display_name.clone(),
            provider: mailbox.provider.as_str(),
            status: status_word(mailbox.status),
            connection_type: "smtp",
            daily_send_limit: mailbox.daily_send_limit,
            sending_enabled: mailbox.sending_enabled,
            signature: mailbox.signature.clone(),
            tags: mailbox.tags.clone(),
            servers: mailbox.into(),
            created_at: mailbox.created_at.to_rfc3339(),
            updated_at: mailbox.updated_at.to_rfc3339(),
        }
    }
}

/// A mailbox in a list. Sending is not done here, so its counters are zero.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct MailboxItem {
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$")]
    id: String,
    email: String,
    display_name: String,
    provider: &'static str,
    status: &'static str,
    connection_type: &'static str,
    daily_send_limit: i32,
    sent_today: u32,
    sending_enabled: bool,
    #[schema(required)]
    signature: Option<String>,
    warmup: Warmup,
    tags: Vec<String>,
    bounce_rate: f64,
    total_sent: u32,
    /// Absent until the first DNS check is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_status: Option<SetupStatus>,
    #[schema(required)]
    last_error: Option<String>,
    created_at: String,
}

impl From<&Mailbox> for MailboxItem {
    fn from(mailbox: &Mailbox) -> Self {
        Self {
            id: mailbox.id.to_string(),
            email: mailbox.email.as_str().to_owned(),
            display_name: mailbox.display_name.clone(),
            provider: mailbox.provider.as_str(),
            status: status_word(mailbox.status),
            connection_type: "smtp",
            daily_send_limit: mailbox.daily_send_limit,
            sent_today: 0,
            sending_enabled: mailbox.sending_enabled,
            signature: mailbox.signature.clone(),
            warmup: Warmup::off(false),
            tags: mailbox.tags.clone(),
            bounce_rate: 0.0,
            total_sent: 0,
            setup_status: mailbox.dns.as_ref().map(|dns| SetupStatus::from(&dns.report)),
            last_error: mailbox.last_error.clone(),
            created_at: mailbox.created_at.to_rfc3339(),
        }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct Page<T: ToSchema> {
    /// Always true.
    success: bool,
    data: Vec<T>,
    pagination: Pagination,
}

/// Where the list goes on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    limit: i64,
    total: i64,
    has_more: bool,
    #[schema(required)]
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<i64>,
}

impl<T: ToSchema> Page<T> {
    /// `next_cursor` when more follow.
    pub(in crate::sendkit) fn new(data: Vec<T>, wish: PageWish, total: i64, next_cursor: Option<String>) -> Self {
        let pagination = Pagination {
            limit: wish.limit,
            total,
            has_more: next_cursor.is_some(),
            next_cursor,
            page: wish.page,
            pages: wish.page.map(|_| (total + wish.limit - 1) / wish.limit),
        };
        Self { success: true, data, pagination }
    }
}

impl Page<MailboxItem> {
    pub(in crate::sendkit) fn of_mailboxes(page: &MailboxPage, wish: PageWish) -> Self {
        let last = page.items.last().filter(|_| page.has_more);
        let items = page.items.iter().map(MailboxItem::from).collect();
        Self::new(items, wish, page.total, last.map(|mailbox| mailbox.id.to_string()))
    }
}

/// A mailbox with everything that clients may see of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct MailboxDetail {
    #[serde(flatten)]
    item: MailboxItem,
    #[serde(flatten)]
    servers: Servers,
    total_received: u32,
    updated_at: String,
}

impl From<&Mailbox> for MailboxDetail {
    fn from(mailbox: &Mailbox) -> Self {
        let item = MailboxItem { warmup: Warmup::off(true), ..mailbox.into() };
        Self { item, servers: mailbox.into(), total_received: 0, updated_at: mailbox.updated_at.to_rfc3339() }
    }
}

/// Answer of `GET .../connection-test`.
#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct ConnectionTestBody {
    /// `pending`, `passed` or `failed`.
    status: &'static str,
    /// One of the few texts of the CSV import, when failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// `smtp` or `imap`, when failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    /// Our stable code, when failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// With `SYS_ATTEMPTS_EXHAUSTED`: the code of the failure of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// Next step for the customer, in plain words, when failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// Reply of the server, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_reply: Option<String>,
}

impl From<ConnectionTest> for ConnectionTestBody {
    fn from(test: ConnectionTest) -> Self {
        match test {
            ConnectionTest::Pending => Self { status: "pending", ..Self::default() },
            ConnectionTest::Passed => Self { status: "passed", ..Self::default() },
            ConnectionTest::Failed(finding) => Self {
                status: "failed",
                error: Some(failure_text(&finding)),
                stage: Some(finding.leg.as_str()),
                code: Some(finding.code.as_str()),
                cause: finding.cause.map(FailureCode::as_str),
                remedy: Some(finding.remedy),
                server_reply: finding.server_reply,
            },
        }
    }
}

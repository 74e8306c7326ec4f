//! Response bodies about accounts.

use serde::Serialize;
use shared_models::domain::mailboxes::TestEmail;
use shared_models::domain::{Mailbox, MailboxId, MailboxStatus, Security};
use shared_models::store::MailboxPage;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

use super::inbox_type::InboxType;
use super::query::PageWish;
use crate::coldsend::ids;

/// An account, without anything that opens it.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendAccountHead)]
struct Head {
    inbox_id: Uuid,
    /// As it was given.
    email_address: String,
    display_name: String,
    #[schema(pattern = "^(GOOGLE_WORKSPACE|OUTLOOK_365|CUSTOM_SMTP)$")]
    inbox_type: &'static str,
    daily_limit: i32,
    /// `PENDING` (being validated), `ACTIVE`, `PAUSED` or `DISABLED`.
    #[schema(pattern = "^(PENDING|ACTIVE|PAUSED|DISABLED)$")]
    overall_status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The address in its owner's spelling.
pub(super) fn email_address(mailbox: &Mailbox) -> String {
    mailbox.email_as_given.clone().unwrap_or_else(|| mailbox.email.as_str().to_owned())
}

/// Only active accounts send, and of these only those that are not switched off.
fn overall_status(mailbox: &Mailbox) -> &'static str {
    match mailbox.status {
        MailboxStatus::Unverified | MailboxStatus::Pending => "PENDING",
        MailboxStatus::Active if mailbox.sending_enabled => "ACTIVE",
        MailboxStatus::Active => "PAUSED",
        MailboxStatus::Failed => "DISABLED",
    }
}

impl From<&Mailbox> for Head {
    fn from(mailbox: &Mailbox) -> Self {
        Self {
            inbox_id: ids::to_uuid(mailbox.id),
            email_address: email_address(mailbox),
            display_name: mailbox.display_name.clone(),
            inbox_type: InboxType::of(mailbox.provider).as_str(),
            daily_limit: mailbox.daily_send_limit,
            overall_status: overall_status(mailbox),
            created_at: mailbox.created_at.to_rfc3339(),
        }
    }
}

/// An account that was just taken.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendCreatedAccount)]
pub(in crate::coldsend) struct CreatedAccount {
    /// Always true.
    success: bool,
    message: &'static str,
    #[serde(flatten)]
    head: Head,
}

impl From<&Mailbox> for CreatedAccount {
    fn from(mailbox: &Mailbox) -> Self {
        Self { success: true, message: "SMTP inbox created successfully", head: mailbox.into() }
    }
}

/// An account with its servers.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendAccount)]
pub(in crate::coldsend) struct Account {
    #[serde(flatten)]
    head: Head,
    smtp_host: String,
    smtp_port: u16,
    smtp_use_tls: bool,
    imap_host: String,
    imap_port: u16,
    imap_use_ssl: bool,
    /// Mails since midnight, UTC.
    sent_today: i64,
    /// Error of the last check.
    #[schema(required)]
    last_error: Option<String>,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl Account {
    pub(in crate::coldsend) fn new(mailbox: &Mailbox, sent_today: &HashMap<MailboxId, i64>) -> Self {
        Self {
            head: mailbox.into(),
            smtp_host: mailbox.smtp.host().to_owned(),
            smtp_port: mailbox.smtp.port(),
            smtp_use_tls: mailbox.smtp.security() == Security::Required,
            imap_host: mailbox.imap.host().to_owned(),
            imap_port: mailbox.imap.port(),
            imap_use_ssl: mailbox.imap.security() == Security::Required,
            sent_today: sent_today.get(&mailbox.id).copied().unwrap_or(0),
            last_error: mailbox.last_error.clone(),
            updated_at: mailbox.updated_at.to_rfc3339(),
        }
    }
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendAccountList)]
pub(in crate::coldsend) struct AccountList {
    /// Always true.
    success: bool,
    message: &'static str,
    sender_accounts: Vec<Account>,
    pagination: Pagination,
}

/// Which page it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendPagination)]
struct Pagination {
    page: i64,
    limit: i64,
    /// Matches on all pages.
    total: i64,
    pages: i64,
    has_next: bool,
    has_prev: bool,
}

impl AccountList {
    pub(in crate::coldsend) fn new(found: &MailboxPage, wish: PageWish, sent_today: &HashMap<MailboxId, i64>) -> Self {
        let pages = (found.total + wish.limit - 1) / wish.limit;
        Self {
            success: true,
            message: "Sender accounts retrieved successfully",
            sender_accounts: found.items.iter().map(|mailbox| Account::new(mailbox, sent_today)).collect(),
            pagination: Pagination {
                page: wish.page,
                limit: wish.limit,
                total: found.total,
                pages,
                has_next: wish.page < pages,
                has_prev: wish.page > 1,
            },
        }
    }
}

/// An account that is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendDeletedAccount)]
pub(in crate::coldsend) struct DeletedAccount {
    /// Always true.
    success: bool,
    message: &'static str,
    inbox_id: Uuid,
}

impl DeletedAccount {
    pub(in crate::coldsend) fn new(id: MailboxId) -> Self {
        Self { success: true, message: "Sender account deleted successfully", inbox_id: ids::to_uuid(id) }
    }
}

/// A test message that the account's server has taken.
#[derive(Serialize, ToSchema)]
#[schema(as = ColdsendSentTestEmail)]
pub(in crate::coldsend) struct SentTestEmail {
    /// Always true.
    success: bool,
    message: &'static str,
    inbox_id: Uuid,
    inbox_email: String,
    recipient_email: String,
    #[schema(format = DateTime)]
    sent_at: String,
    /// With angle brackets.
    #[schema(required)]
    message_id: Option<String>,
}

impl SentTestEmail {
    /// `recipient` as it was given.
    pub(in crate::coldsend) fn new(mailbox: &Mailbox, recipient: String, sent: &TestEmail) -> Self {
        Self {
            success: true,
            message: "Test email sent successfully",
            inbox_id: ids::to_uuid(mailbox.id),
            inbox_email: email_address(mailbox),
            recipient_email: recipient,
            sent_at: sent.updated_at.to_rfc3339(),
            message_id: Some(sent.message_id.clone()),
        }
    }
}

//! Schemas of request bodies, for the document alone. `requests.rs` beside this file reads the bodies.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;
use uuid::Uuid;

/// An account to add, with credentials of one's own.
#[derive(ToSchema)]
#[schema(as = ColdsendNewAccount)]
pub(in crate::coldsend) struct NewAccountBody {
    /// Compared whatever the case.
    #[schema(min_length = 5, max_length = 255, example = "kim@out.example")]
    email_address: String,
    #[schema(min_length = 1, max_length = 255)]
    display_name: String,
    /// `GOOGLE_WORKSPACE`, `OUTLOOK_365` or `CUSTOM_SMTP`.
    #[schema(pattern = "^(GOOGLE_WORKSPACE|OUTLOOK_365|CUSTOM_SMTP)$")]
    inbox_type: String,
    #[schema(min_length = 1, max_length = 255)]
    smtp_host: String,
    #[schema(minimum = 1, maximum = 65535)]
    smtp_port: i32,
    #[schema(min_length = 1, max_length = 255)]
    smtp_username: String,
    #[schema(format = Password, min_length = 1, max_length = 500)]
    smtp_password: String,
    #[schema(min_length = 1, max_length = 255)]
    imap_host: String,
    #[schema(minimum = 1, maximum = 65535)]
    imap_port: i32,
    #[schema(min_length = 1, max_length = 255)]
    imap_username: String,
    #[schema(format = Password, min_length = 1, max_length = 500)]
    imap_password: String,
    /// Mails a day. The provider's own maximum holds as well: 2,000, 5,000 and 100,000.
    #[schema(required = false, minimum = 1, default = 100)]
    daily_limit: i32,
    /// Port 465 is TLS from the first byte in any case. On others true wants STARTTLS, and false takes
    /// it when it is offered.
    #[schema(required = false, default = true)]
    smtp_use_tls: bool,
    /// The same with port 993.
    #[schema(required = false, default = true)]
    imap_use_ssl: bool,
}

/// Accounts to add in the background.
#[derive(ToSchema)]
#[schema(as = ColdsendNewAccounts)]
pub(in crate::coldsend) struct NewAccountsBody {
    #[schema(min_items = 1, max_items = 100)]
    inboxes: Vec<NewAccountBody>,
}

/// Accounts to remove.
#[derive(ToSchema)]
#[schema(as = ColdsendDoomedAccounts)]
pub(in crate::coldsend) struct DoomedAccountsBody {
    #[schema(min_items = 1, max_items = 100)]
    inbox_ids: Vec<Uuid>,
    /// Must be true.
    confirm_deletion: bool,
}

/// Whom to send a test message.
#[derive(ToSchema)]
#[schema(as = ColdsendTestEmailRequest)]
pub(in crate::coldsend) struct TestEmailBody {
    #[schema(min_length = 5, max_length = 255)]
    recipient_email: String,
}

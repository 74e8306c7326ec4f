//! Schemas of request bodies, for the document alone. `requests.rs` beside this file reads the bodies.
#![expect(dead_code, reason = "only described")]

use utoipa::ToSchema;

/// Body of `POST /v1/mailboxes`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::sendkit) struct CreateMailboxBody {
    /// Stored in lower case.
    #[schema(example = "dana@mail.example")]
    email: String,
    /// Default: the local part of the address.
    display_name: Option<String>,
    /// `gmail`, `outlook`, `azure` or `custom` (default).
    #[schema(pattern = "^(gmail|outlook|azure|custom)$")]
    provider: Option<String>,
    smtp: SmtpBody,
    /// Absent: the SMTP credentials serve.
    imap: Option<ImapBody>,
    /// Default 15, clamped to 1-50.
    daily_send_limit: Option<f64>,
    /// HTML, at most 64 KiB.
    signature: Option<String>,
    tags: Option<Vec<String>>,
}

/// The submission server and its login.
#[derive(ToSchema)]
struct SmtpBody {
    #[schema(example = "smtp.mail.example")]
    host: String,
    /// Default 587.
    #[schema(minimum = 1)]
    port: Option<u16>,
    /// Must be encrypted; the port decides how. Default true.
    secure: Option<bool>,
    /// Default: the address.
    #[schema(max_length = 255)]
    username: Option<String>,
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: String,
}

/// The mail access server and its login. What is left out is SMTP's.
#[derive(ToSchema)]
struct ImapBody {
    #[schema(example = "imap.mail.example")]
    host: Option<String>,
    /// Default 993.
    #[schema(minimum = 1)]
    port: Option<u16>,
    /// Must be encrypted; the port decides how. Default true.
    secure: Option<bool>,
    #[schema(max_length = 255)]
    username: Option<String>,
    #[schema(format = Password, max_length = 1024)]
    password: Option<String>,
}

/// Body of `PATCH /v1/mailboxes/{mailboxId}`. Host and credential members are ignored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::sendkit) struct UpdateMailboxBody {
    display_name: Option<String>,
    /// Clamped to 1-50.
    daily_send_limit: Option<f64>,
    /// `null` or an empty text removes it.
    signature: Option<String>,
    sending_enabled: Option<bool>,
    /// Replaces all tags.
    tags: Option<Vec<String>>,
}

/// A body that only names something.
#[derive(ToSchema)]
pub(in crate::sendkit) struct NameBody {
    /// 1-255 characters that are not all spaces.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
}

//! Request bodies.

use serde::Deserialize;
use shared_models::domain::mailboxes::{MailboxChange, NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::{CoreError, Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
use utoipa::ToSchema;

use crate::http::fields::{Faults, Field, Object, Port};

const DEFAULT_SMTP_PORT: u16 = 587;
const DEFAULT_IMAP_PORT: u16 = 993;
pub(in crate::sendkit::wire) const DEFAULT_DAILY_LIMIT: i32 = 15;
const MAX_SIGNATURE: usize = 64 * 1024;
const MAX_NAME: usize = 255;
const MAX_LOGIN: usize = 255;
const MAX_PASSWORD: usize = 1024;
const MAX_TAGS: usize = 100;
pub(in crate::sendkit::wire) const MAX_TAG: usize = 100;

/// Body of `POST /v1/mailboxes`.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct CreateMailboxBody {
    /// Stored in lower case.
    #[serde(default)]
    #[schema(value_type = String, required, example = "dana@mail.example")]
    email: Field<String>,
    /// Default: the local part of the address.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    display_name: Field<String>,
    /// `gmail`, `outlook`, `azure` or `custom` (default).
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(gmail|outlook|azure|custom)$")]
    provider: Field<String>,
    #[serde(default)]
    #[schema(value_type = SmtpBody, required)]
    smtp: Field<Object<SmtpBody>>,
    /// Absent: the SMTP credentials serve.
    #[serde(default)]
    #[schema(value_type = Option<ImapBody>)]
    imap: Field<Object<ImapBody>>,
    /// Default 15, clamped to 1-50.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    daily_send_limit: Field<f64>,
    /// HTML, at most 64 KiB.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    signature: Field<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Field<Vec<String>>,
}

/// The submission server and its login.
#[derive(Deserialize, ToSchema, Default)]
struct SmtpBody {
    #[serde(default)]
    #[schema(value_type = String, required, example = "smtp.mail.example")]
    host: Field<String>,
    /// Default 587.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1)]
    port: Field<Port>,
    /// Must be encrypted; the port decides how. Default true.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    secure: Field<bool>,
    /// Default: the address.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    username: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 1024)]
    password: Field<String>,
}

/// The mail access server and its login. What is left out is SMTP's.
#[derive(Deserialize, ToSchema, Default)]
struct ImapBody {
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "imap.mail.example")]
    host: Field<String>,
    /// Default 993.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1)]
    port: Field<Port>,
    /// Must be encrypted; the port decides how. Default true.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    secure: Field<bool>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    username: Field<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, max_length = 1024)]
    password: Field<String>,
}

/// Body of `PATCH /v1/mailboxes/{mailboxId}`. Host and credential members are ignored.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct UpdateMailboxBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    display_name: Field<String>,
    /// Clamped to 1-50.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    daily_send_limit: Field<f64>,
    /// `null` or an empty text removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    signature: Field<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    sending_enabled: Field<bool>,
    /// Replaces all tags.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Field<Vec<String>>,
}

/// A body that only names something.
#[derive(Deserialize, ToSchema, Default)]
pub(in crate::sendkit) struct NameBody {
    /// 1-255 characters that are not all spaces.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    name: Field<String>,
}

impl CreateMailboxBody {
    /// Parses everything and reports every bad field at once.
    pub(in crate::sendkit) fn into_domain(self) -> Result<NewMailbox, CoreError> {
        let mut faults = Faults::default();
        let email =
            faults.required("email", self.email).and_then(|text| faults.parsed("email", EmailAddress::parse(&text)));
        let display_name = display_name(&mut faults, self.display_name);
        let provider = provider(&mut faults, self.provider);
        let smtp = faults.required("smtp", self.smtp).and_then(|Object(body)| smtp(&mut faults, body, email.as_ref()));
        let imap_body = faults.optional("imap", self.imap).map(|Object(body)| body);
        let imap = imap(&mut faults, imap_body, smtp.as_ref());
        let daily_send_limit = daily_limit(&mut faults, self.daily_send_limit);
        let signature = signature(&mut faults, self.signature).flatten();
        let tags = tags(&mut faults, self.tags);
        faults.into_result()?;
        // Nothing is missing once there are no faults; this only convinces the compiler.
        let (Some(email), Some((smtp, smtp_login)), Some((imap, imap_login, imap_guessed))) = (email, smtp, imap)
        else {
            return Err(CoreError::Internal("a body without faults is incomplete".to_owned()));
        };
        Ok(NewMailbox {
            email_as_given: None,
            display_name: display_name.unwrap_or_else(|| email.local_part().to_owned()),
            provider: provider.unwrap_or(ProviderLabel::Custom),
            daily_send_limit: daily_send_limit.unwrap_or(DEFAULT_DAILY_LIMIT),
            signature,
            tags: tags.unwrap_or_default(),
            smtp,
            imap,
            imap_guessed,
            credentials: Credentials { smtp: smtp_login, imap: imap_login },
            on_refusal: RefusalPolicy::Delete,
            email,
        })
    }
}

impl UpdateMailboxBody {
    /// Parses everything and reports every bad field at once.
    pub(in crate::sendkit) fn into_domain(self) -> Result<MailboxChange, CoreError> {
        let mut faults = Faults::default();
        let change = MailboxChange {
            display_name: display_name(&mut faults, self.display_name),
            daily_send_limit: daily_limit(&mut faults, self.daily_send_limit),
            signature: signature(&mut faults, self.signature),
            sending_enabled: faults.optional("sendingEnabled", self.sending_enabled),
            tags: tags(&mut faults, self.tags),
        };
        faults.into_result()?;
        Ok(change)
    }
}

impl NameBody {
    /// The name, trimmed.
    pub(in crate::sendkit) fn into_name(self) -> Result<String, CoreError> {
        let mut faults = Faults::default();
        let name = faults.required("name", self.name).map(|name| name.trim().to_owned());
        match name.as_deref() {
            Some("") => faults.add("name", "must not be empty"),
            Some(name) => check_text(&mut faults, "name", name, MAX_NAME),
            None => {}
        }
        faults.into_result()?;
        Ok(name.unwrap_or_default())
    }
}

fn smtp(faults: &mut Faults, body: SmtpBody, email: Option<&EmailAddress>) -> Option<(ServerEndpoint, LoginSecret)> {
    let host = faults.required("smtp.host", body.host);
    let port = faults.optional("smtp.port", body.port).map_or(DEFAULT_SMTP_PORT, |Port(port)| port);
    let security = security(faults, "smtp.secure", body.secure);
    let username = username(faults, "smtp.username", body.username);
    let password =
        faults.required("smtp.password", body.password).and_then(|text| password(faults, "smtp.password", text));
    let endpoint = host.and_then(|host| faults.parsed("smtp.host", ServerEndpoint::parse(&host, port, security)));
    let username = username.or_else(|| email.map(|email| email.as_str().to_owned()))?;
    Some((endpoint?, LoginSecret { username, password: password? }))
}

/// What the block leaves out is SMTP's. Without a host, SMTP's is a guess and its failure no verdict.
fn imap(
    faults: &mut Faults,
    body: Option<ImapBody>,
    smtp: Option<&(ServerEndpoint, LoginSecret)>,
) -> Option<(ServerEndpoint, LoginSecret, bool)> {
    let body = body.unwrap_or_default();
    let host = faults.optional("imap.host", body.host).filter(|host| !host.trim().is_empty());
    let port = faults.optional("imap.port", body.port).map_or(DEFAULT_IMAP_PORT, |Port(port)| port);
    let security = security(faults, "imap.secure", body.secure);
    let username = username(faults, "imap.username", body.username);
    let password = faults
        .optional("imap.password", body.password)
        .filter(|text| !text.is_empty())
        .and_then(|text| password(faults, "imap.password", text));
    let guessed = host.is_none();
    let endpoint = match host {
        Some(host) => faults.parsed("imap.host", ServerEndpoint::parse(&host, port, security)),
        None => smtp.and_then(|(smtp, _)| ServerEndpoint::parse(smtp.host(), port, security).ok()),
    };
    let (_, smtp_login) = smtp?;
    let login = LoginSecret {
        username: username.unwrap_or_else(|| smtp_login.username.clone()),
        password: password.unwrap_or_else(|| smtp_login.password.clone()),
    };
    Some((endpoint?, login, guessed))
}

fn security(faults: &mut Faults, name: &str, field: Field<bool>) -> Security {
    match faults.optional(name, field) {
        Some(false) => Security::Opportunistic,
        Some(true) | None => Security::Required,
    }
}

fn username(faults: &mut Faults, name: &str, field: Field<String>) -> Option<String> {
    let text = faults.optional(name, field).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    check_text(faults, name, &text, MAX_LOGIN);
    Some(text)
}

/// Never trimmed. CR, LF and NUL cannot be sent to a mail server and are never part of a password.
fn password(faults: &mut Faults, name: &str, text: String) -> Option<Password> {
    if text.is_empty() {
        faults.add(name, "must not be empty");
        return None;
    }
    check_text(faults, name, &text, MAX_PASSWORD);
    Some(Password::new(text))
}

fn display_name(faults: &mut Faults, field: Field<String>) -> Option<String> {
    let text =
        faults.optional("displayName", field).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
    check_text(faults, "displayName", &text, MAX_NAME);
    Some(text)
}

fn provider(faults: &mut Faults, field: Field<String>) -> Option<ProviderLabel> {
    let word = faults.optional("provider", field)?;
    let provider = ProviderLabel::parse(&word);
    if provider.is_none() {
        faults.add("provider", "must be one of gmail, outlook, azure, custom");
    }
    provider
}

fn daily_limit(faults: &mut Faults, field: Field<f64>) -> Option<i32> {
    // Clamped before the conversion, so that no number is out of range.
    faults.optional("dailySendLimit", field).map(|limit| limit.floor().clamp(1.0, 50.0) as i32)
}

/// `None` = not mentioned, `Some(None)` = none wanted.
fn signature(faults: &mut Faults, field: Field<String>) -> Option<Option<String>> {
    if field == Field::Null {
        return Some(None);
    }
    let text = faults.optional("signature", field)?;
    if text.len() > MAX_SIGNATURE {
        faults.add("signature", format!("must have at most {MAX_SIGNATURE} bytes"));
    }
    if text.contains('\0') {
        faults.add("signature", "must not contain NUL characters");
    }
    Some(Some(text).filter(|text| !text.is_empty()))
}

fn tags(faults: &mut Faults, field: Field<Vec<String>>) -> Option<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    for tag in faults.optional("tags", field)? {
        let tag = tag.trim();
        if !tag.is_empty() && !tags.iter().any(|known| known == tag) {
            check_text(faults, "tags", tag, MAX_TAG);
            tags.push(tag.to_owned());
        }
    }
    if tags.len() > MAX_TAGS {
        faults.add("tags", format!("must have at most {MAX_TAGS} entries"));
    }
    Some(tags)
}

/// Length in characters; no control characters, CR and LF above all.
pub(in crate::sendkit::wire) fn check_text(faults: &mut Faults, name: &str, text: &str, max: usize) {
    if text.chars().count() > max {
        faults.add(name, format!("must have at most {max} characters"));
    }
    if text.chars().any(char::is_control) {
        faults.add(name, "must not contain line breaks or other control characters");
    }
}

//! Request bodies about mailboxes, and those that only name something. Every bad field is noted, in the order of the
//! schema.

use shared_models::domain::mailboxes::{MailboxChange, NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};

use crate::http::json::{FromBody, Problem};
use crate::sendkit::wire::body::{Members, Sendkit, check_line, texts};

const DEFAULT_SMTP_PORT: u16 = 587;
const DEFAULT_IMAP_PORT: u16 = 993;
pub(in crate::sendkit::wire) const DEFAULT_DAILY_LIMIT: i32 = 15;
const MAX_SIGNATURE: usize = 64 * 1024;
const MAX_NAME: usize = 255;
const MAX_LOGIN: usize = 255;
const MAX_PASSWORD: usize = 1024;
const MAX_TAGS: usize = 100;
/// Tags as sent. Empty and repeated ones count here, but not towards [`MAX_TAGS`].
const MAX_TAGS_SENT: usize = 1_000;
pub(in crate::sendkit::wire) const MAX_TAG: usize = 100;

impl FromBody<Sendkit> for NewMailbox {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let email = members.required("email").any_text().and_then(|text| {
            EmailAddress::parse(&text).map_err(|error| members.fault("email", error.to_string())).ok()
        });
        let display_name = display_name(members);
        let provider = provider(members);
        let smtp = members.required("smtp").object(|smtp| read_smtp(smtp, email.as_ref()));
        let imap = members.optional("imap").object(|imap| Some(Imap::read(imap))).unwrap_or_default();
        let daily_send_limit = daily_limit(members);
        let signature = signature(members).flatten();
        let tags = tags(members);
        let (email, (smtp, smtp_login)) = (email?, smtp?);
        let (imap, imap_login, imap_guessed) = imap.completed(&smtp, &smtp_login)?;
        Some(Self {
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

impl FromBody<Sendkit> for MailboxChange {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        Some(Self {
            display_name: display_name(members),
            daily_send_limit: daily_limit(members),
            signature: signature(members),
            sending_enabled: members.optional("sendingEnabled").flag(),
            tags: tags(members),
        })
    }
}

/// The name in a body that only names something, trimmed.
pub(in crate::sendkit) struct Name(pub(in crate::sendkit) String);

impl FromBody<Sendkit> for Name {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let name = members.required("name").any_text()?.trim().to_owned();
        if name.is_empty() {
            members.fault("name", Problem::Empty);
        }
        check_line(members, "name", &name, MAX_NAME);
        Some(Self(name))
    }
}

fn read_smtp(members: &mut Members<'_, '_>, email: Option<&EmailAddress>) -> Option<(ServerEndpoint, LoginSecret)> {
    let host = members.required("host").any_text();
    let port = members.optional("port").port().unwrap_or(DEFAULT_SMTP_PORT);
    let security = security(members);
    let username = username(members);
    let password = members.required("password").any_text().and_then(|text| password(members, text));
    let endpoint = host.and_then(|host| endpoint(members, &host, port, security));
    let username = username.or_else(|| email.map(|email| email.as_str().to_owned()))?;
    Some((endpoint?, LoginSecret { username, password: password? }))
}

/// The block `imap`. Members that it leaves out are those of `smtp`.
struct Imap {
    endpoint: Option<ServerEndpoint>,
    port: u16,
    security: Security,
    username: Option<String>,
    password: Option<Password>,
}

impl Default for Imap {
    fn default() -> Self {
        let (port, security) = (DEFAULT_IMAP_PORT, Security::Required);
        Self { endpoint: None, port, security, username: None, password: None }
    }
}

impl Imap {
    fn read(members: &mut Members<'_, '_>) -> Self {
        let host = members.optional("host").any_text().filter(|host| !host.trim().is_empty());
        let port = members.optional("port").port().unwrap_or(DEFAULT_IMAP_PORT);
        let security = security(members);
        let username = username(members);
        let password = members.optional("password").any_text().filter(|text| !text.is_empty());
        let password = password.and_then(|text| self::password(members, text));
        let endpoint = host.and_then(|host| endpoint(members, &host, port, security));
        Self { endpoint, port, security, username, password }
    }

    /// The flag is true if the host is a guess, namely SMTP's. A failure of that server is then no verdict.
    fn completed(self, smtp: &ServerEndpoint, smtp_login: &LoginSecret) -> Option<(ServerEndpoint, LoginSecret, bool)> {
        let login = LoginSecret {
            username: self.username.unwrap_or_else(|| smtp_login.username.clone()),
            password: self.password.unwrap_or_else(|| smtp_login.password.clone()),
        };
        match self.endpoint {
            Some(endpoint) => Some((endpoint, login, false)),
            None => Some((ServerEndpoint::parse(smtp.host(), self.port, self.security).ok()?, login, true)),
        }
    }
}

fn endpoint(members: &mut Members<'_, '_>, host: &str, port: u16, security: Security) -> Option<ServerEndpoint> {
    ServerEndpoint::parse(host, port, security).map_err(|error| members.fault("host", error.to_string())).ok()
}

fn security(members: &mut Members<'_, '_>) -> Security {
    match members.optional("secure").flag() {
        Some(false) => Security::Opportunistic,
        Some(true) | None => Security::Required,
    }
}

fn username(members: &mut Members<'_, '_>) -> Option<String> {
    trimmed(members, "username", MAX_LOGIN)
}

fn display_name(members: &mut Members<'_, '_>) -> Option<String> {
    trimmed(members, "displayName", MAX_NAME)
}

/// A text that counts as absent when nothing but space is in it.
fn trimmed(members: &mut Members<'_, '_>, name: &str, most: usize) -> Option<String> {
    let text = members.optional(name).any_text()?;
    let text = Some(text.trim()).filter(|text| !text.is_empty())?;
    check_line(members, name, text, most);
    Some(text.to_owned())
}

/// Never trimmed. CR, LF and NUL cannot be sent to a mail server and are never part of a password.
fn password(members: &mut Members<'_, '_>, text: String) -> Option<Password> {
    if text.is_empty() {
        members.fault("password", Problem::Empty);
        return None;
    }
    check_line(members, "password", &text, MAX_PASSWORD);
    Some(Password::new(text))
}

fn provider(members: &mut Members<'_, '_>) -> Option<ProviderLabel> {
    members.optional("provider").choice(&ProviderLabel::ALL.map(|label| (label.as_str(), label)))
}

fn daily_limit(members: &mut Members<'_, '_>) -> Option<i32> {
    // Clamped before the conversion, so that no number is out of range.
    members.optional("dailySendLimit").number().map(|limit| limit.floor().clamp(1.0, 50.0) as i32)
}

/// `None` = not mentioned, `Some(None)` = none wanted.
fn signature(members: &mut Members<'_, '_>) -> Option<Option<String>> {
    let signature = members.nullable("signature", |signature| signature.any_text())?;
    let Some(text) = signature else { return Some(None) };
    if text.len() > MAX_SIGNATURE {
        members.fault("signature", Problem::TooManyBytes(MAX_SIGNATURE));
    }
    if text.contains('\0') {
        members.fault("signature", Problem::Nul);
    }
    Some(Some(text).filter(|text| !text.is_empty()))
}

/// Each tag once, in the order given.
fn tags(members: &mut Members<'_, '_>) -> Option<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    for tag in texts(&mut members.optional("tags"), MAX_TAGS_SENT)? {
        let tag = tag.trim();
        if !tag.is_empty() && !tags.iter().any(|known| known == tag) {
            check_line(members, "tags", tag, MAX_TAG);
            tags.push(tag.to_owned());
        }
    }
    if tags.len() > MAX_TAGS {
        members.fault("tags", Problem::TooMany(MAX_TAGS));
    }
    Some(tags)
}

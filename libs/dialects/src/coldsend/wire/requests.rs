//! Request bodies. Every bad field is noted, in the order of the schema.

use shared_models::domain::imports::{NewImport, NewImportRow, RowCheck};
use shared_models::domain::mailboxes::{NewMailbox, RefusalPolicy};
use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
use uuid::Uuid;

use super::body::{Coldsend, Field, Members};
use super::inbox_type::InboxType;
use crate::coldsend::IMPORTS;
use crate::http::json::{FromBody, Limits, Problem, Style};

const DEFAULT_DAILY_LIMIT: i32 = 100;
const MAX_NAME: usize = 255;
const MAX_HOST: usize = 255;
const MAX_PASSWORD: usize = 500;
/// Items of a list.
const MAX_ITEMS: usize = 100;
/// Largest body in bytes of a list of inboxes: with every character written as `\uXXXX\uXXXX` an inbox
/// has 37 KB.
const MAX_BULK: usize = 4 * 1024 * 1024;

/// One server, as far as it is right.
struct Server {
    host: Option<String>,
    port: Option<u16>,
    login: Option<LoginSecret>,
}

impl Server {
    /// The names are those of host, port, username and password.
    fn read(members: &mut Members<'_, '_>, [host, port, username, password]: [&str; 4]) -> Self {
        Self {
            host: read_host(&mut members.required(host)),
            port: members.required(port).integer(1..=u16::MAX),
            login: {
                // Neither of them is trimmed.
                let username = members.required(username).line(1..=MAX_NAME);
                let password = members.required(password).line(1..=MAX_PASSWORD).map(Password::new);
                username.zip(password).map(|(username, password)| LoginSecret { username, password })
            },
        }
    }

    fn endpoint(&self, tls: bool) -> Option<ServerEndpoint> {
        let security = if tls { Security::Required } else { Security::Opportunistic };
        ServerEndpoint::parse(self.host.as_deref()?, self.port?, security).ok()
    }
}

impl FromBody<Coldsend> for NewMailbox {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let email = read_email(&mut members.required("email_address"));
        let display_name = members.required("display_name").line(1..=MAX_NAME);
        let inbox_type = members.required("inbox_type").choice(&InboxType::ALL.map(|kind| (kind.as_str(), kind)));
        let smtp = Server::read(members, ["smtp_host", "smtp_port", "smtp_username", "smtp_password"]);
        let imap = Server::read(members, ["imap_host", "imap_port", "imap_username", "imap_password"]);
        let daily_send_limit = members.optional("daily_limit").integer(1..=i32::MAX).unwrap_or(DEFAULT_DAILY_LIMIT);
        let smtp_tls = members.optional("smtp_use_tls").flag_or_word().unwrap_or(true);
        let imap_tls = members.optional("imap_use_ssl").flag_or_word().unwrap_or(true);
        let (given, email) = email?;
        Some(Self {
            email_as_given: (given != email.as_str()).then_some(given),
            email,
            display_name: display_name?,
            provider: inbox_type?.provider(),
            daily_send_limit,
            signature: None,
            tags: vec![],
            smtp: smtp.endpoint(smtp_tls)?,
            imap: imap.endpoint(imap_tls)?,
            imap_guessed: false,
            credentials: Credentials { smtp: smtp.login?, imap: imap.login? },
            on_refusal: RefusalPolicy::Delete,
        })
    }
}

/// An address: trimmed, as it was given, and as it is stored.
fn read_email(field: &mut Field<'_, '_>) -> Option<(String, EmailAddress)> {
    let text = field.text(5..=255)?;
    match EmailAddress::parse(&text) {
        Ok(address) if !text.chars().any(char::is_control) => Some((text.trim().to_owned(), address)),
        _ => field.refuse(Problem::NotEmail),
    }
}

/// A server's name, as it is stored.
fn read_host(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.line(1..=MAX_HOST)?;
    if text.trim().is_empty() {
        return field.refuse(Problem::TooShort(1));
    }
    // Port and security do not matter to the name.
    match ServerEndpoint::parse(text.trim(), 1, Security::Required) {
        Ok(endpoint) => Some(endpoint.host().to_owned()),
        Err(error) => field.refuse(error.to_string()),
    }
}

impl FromBody<Coldsend> for NewImport {
    const LIMITS: Limits = Limits { bytes: MAX_BULK, ..Coldsend::LIMITS };

    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let mailboxes = members
            .required("inboxes")
            .list(1..=MAX_ITEMS, |inbox| inbox.not_null().object(<NewMailbox as FromBody<Coldsend>>::read))?;
        let rows = mailboxes.into_iter().map(row).collect();
        Some(Self { source: IMPORTS, check: RowCheck::Both, rows })
    }
}

fn row(mailbox: NewMailbox) -> NewImportRow {
    let email = mailbox.email_as_given.clone().unwrap_or_else(|| mailbox.email.as_str().to_owned());
    NewImportRow { email, given: None, mailbox: Ok(mailbox) }
}

pub(in crate::coldsend) struct DoomedAccounts {
    pub(in crate::coldsend) ids: Vec<Uuid>,
    /// False is a request that says itself that it is not meant.
    pub(in crate::coldsend) confirmed: bool,
}

impl FromBody<Coldsend> for DoomedAccounts {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let ids = members.required("inbox_ids").list(1..=MAX_ITEMS, |id| id.not_null().uuid());
        let confirmed = members.required("confirm_deletion").flag_or_word();
        Some(Self { ids: ids?, confirmed: confirmed? })
    }
}

/// The recipient of a test message: the address as it was given, and as it is written to.
pub(in crate::coldsend) struct Recipient(pub(in crate::coldsend) String, pub(in crate::coldsend) EmailAddress);

impl FromBody<Coldsend> for Recipient {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        read_email(&mut members.required("recipient_email")).map(|(given, address)| Self(given, address))
    }
}

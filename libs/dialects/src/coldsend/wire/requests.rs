//! Request bodies.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared_models::domain::imports::{NewImport, NewImportRow, RowCheck};
use shared_models::domain::mailboxes::{NewMailbox, RefusalPolicy};
use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
use utoipa::ToSchema;
use uuid::Uuid;

use super::faults::{Faults, Problem, Step};
use super::inbox_type::InboxType;
use super::inspector::{Flag, Inspector, Integer, List};
use crate::coldsend::IMPORTS;
use crate::coldsend::errors::ColdsendError;
use crate::http::body::{BodyError, read_value};
use crate::http::fields::Field;

const DEFAULT_DAILY_LIMIT: i32 = 100;
const MAX_NAME: usize = 255;
const MAX_PASSWORD: usize = 500;
/// Items of a list.
const MAX_ITEMS: usize = 100;
/// Largest body in bytes of a list of inboxes: with every character written as `\uXXXX\uXXXX` an inbox
/// has 37 KB.
pub(in crate::coldsend) const MAX_BULK: usize = 4 * 1024 * 1024;
/// Where the members of a body are.
const BODY: [Step; 1] = [Step::Name("body")];

/// Reads an object of at most `limit` bytes; `None` when the faults say why there is none.
pub(in crate::coldsend) async fn read_body<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    faults: &mut Faults,
) -> Result<Option<T>, ColdsendError> {
    let mut body = Inspector::new(faults, &BODY);
    match read_value(request, payload, limit).await {
        Ok(None | Some(Value::Null)) => body.fault_here(Problem::Missing),
        Ok(Some(value)) if value.is_object() => return Ok(members(value)),
        Ok(Some(_)) | Err(BodyError::NotJsonType) => body.fault_here(Problem::NotObject),
        Err(error) => return Err(error.into()),
    }
    Ok(None)
}

/// The members are `Field`s, which take any value, so this cannot fail.
fn members<T: DeserializeOwned>(object: Value) -> Option<T> {
    serde_json::from_value(object).ok()
}

/// An account to add, with credentials of one's own.
#[derive(Deserialize, ToSchema)]
#[schema(as = ColdsendNewAccount)]
pub(in crate::coldsend) struct NewAccountBody {
    /// Compared whatever the case.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 5, max_length = 255, example = "kim@out.example")]
    email_address: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    display_name: Field<String>,
    /// `GOOGLE_WORKSPACE`, `OUTLOOK_365` or `CUSTOM_SMTP`.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "^(GOOGLE_WORKSPACE|OUTLOOK_365|CUSTOM_SMTP)$")]
    inbox_type: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    smtp_host: Field<String>,
    #[serde(default)]
    #[schema(value_type = i32, required, minimum = 1, maximum = 65535)]
    smtp_port: Field<Integer>,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    smtp_username: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 500)]
    smtp_password: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    imap_host: Field<String>,
    #[serde(default)]
    #[schema(value_type = i32, required, minimum = 1, maximum = 65535)]
    imap_port: Field<Integer>,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    imap_username: Field<String>,
    #[serde(default)]
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 500)]
    imap_password: Field<String>,
    /// Mails a day. The provider's own maximum holds as well: 2,000, 5,000 and 100,000.
    #[serde(default)]
    #[schema(value_type = i32, minimum = 1, default = 100)]
    daily_limit: Field<Integer>,
    /// Port 465 is TLS from the first byte in any case. On others true wants STARTTLS, and false takes
    /// it when it is offered.
    #[serde(default)]
    #[schema(value_type = bool, default = true)]
    smtp_use_tls: Field<Flag>,
    /// The same with port 993.
    #[serde(default)]
    #[schema(value_type = bool, default = true)]
    imap_use_ssl: Field<Flag>,
}

/// What is given of one server, as far as it is right.
struct Server {
    host: Option<String>,
    port: Option<u16>,
    login: Option<LoginSecret>,
}

impl Server {
    fn endpoint(&self, tls: Option<bool>) -> Option<ServerEndpoint> {
        let security = if tls? { Security::Required } else { Security::Opportunistic };
        ServerEndpoint::parse(self.host.as_deref()?, self.port?, security).ok()
    }
}

impl NewAccountBody {
    /// The mailbox of a whole body.
    pub(in crate::coldsend) fn into_domain(self, faults: &mut Faults) -> Option<NewMailbox> {
        self.inspected(&mut Inspector::new(faults, &BODY))
    }

    fn inspected(self, body: &mut Inspector<'_>) -> Option<NewMailbox> {
        let email = body.email("email_address", self.email_address);
        let display_name = body.line("display_name", self.display_name, 1..=MAX_NAME);
        let inbox_type = inbox_type(body, self.inbox_type);
        let smtp = Server {
            host: body.host("smtp_host", self.smtp_host),
            port: port(body, "smtp_port", self.smtp_port),
            login: login(body, ["smtp_username", "smtp_password"], self.smtp_username, self.smtp_password),
        };
        let imap = Server {
            host: body.host("imap_host", self.imap_host),
            port: port(body, "imap_port", self.imap_port),
            login: login(body, ["imap_username", "imap_password"], self.imap_username, self.imap_password),
        };
        let daily_send_limit = daily_limit(body, self.daily_limit);
        let smtp_tls = flag(body, "smtp_use_tls", self.smtp_use_tls);
        let imap_tls = flag(body, "imap_use_ssl", self.imap_use_ssl);
        let (given, email) = email?;
        Some(NewMailbox {
            email_as_given: (given != email.as_str()).then_some(given),
            email,
            display_name: display_name?,
            provider: inbox_type?.provider(),
            daily_send_limit: daily_send_limit?,
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

fn inbox_type(body: &mut Inspector<'_>, field: Field<String>) -> Option<InboxType> {
    let word = body.required("inbox_type", field)?;
    let kind = InboxType::parse(&word);
    if kind.is_none() {
        body.fault("inbox_type", Problem::NotOneOf(&InboxType::WORDS));
    }
    kind
}

fn port(body: &mut Inspector<'_>, name: &'static str, field: Field<Integer>) -> Option<u16> {
    let number = body.required(name, field)?;
    body.within(name, number, 1..=i64::from(u16::MAX))
}

/// Neither of them is trimmed.
fn login(
    body: &mut Inspector<'_>,
    [username_name, password_name]: [&'static str; 2],
    username: Field<String>,
    password: Field<String>,
) -> Option<LoginSecret> {
    let username = body.line(username_name, username, 1..=MAX_NAME);
    let password = body.line(password_name, password, 1..=MAX_PASSWORD).map(Password::new);
    Some(LoginSecret { username: username?, password: password? })
}

fn daily_limit(body: &mut Inspector<'_>, field: Field<Integer>) -> Option<i32> {
    if let Field::Absent = field {
        return Some(DEFAULT_DAILY_LIMIT);
    }
    let number = body.optional("daily_limit", field)?;
    body.within("daily_limit", number, 1..=i64::from(i32::MAX))
}

fn flag(body: &mut Inspector<'_>, name: &'static str, field: Field<Flag>) -> Option<bool> {
    if let Field::Absent = field {
        return Some(true);
    }
    body.optional(name, field).map(|Flag(flag)| flag)
}

/// Accounts to add in the background.
#[derive(Deserialize, ToSchema)]
#[schema(as = ColdsendNewAccounts)]
pub(in crate::coldsend) struct NewAccountsBody {
    #[serde(default)]
    #[schema(value_type = Vec<NewAccountBody>, required, min_items = 1, max_items = 100)]
    inboxes: Field<List>,
}

impl NewAccountsBody {
    pub(in crate::coldsend) fn into_domain(self, faults: &mut Faults) -> Option<NewImport> {
        const LIST: &str = "inboxes";
        let mut body = Inspector::new(faults, &BODY);
        let mut rows = Vec::new();
        for (index, item) in items(&mut body, LIST, self.inboxes)?.into_iter().enumerate() {
            let mut item_body = body.item(LIST, index);
            let account: Option<NewAccountBody> = match item {
                Value::Null => {
                    item_body.fault_here(Problem::Null);
                    None
                }
                Value::Object(_) => members(item),
                _ => {
                    item_body.fault_here(Problem::NotObject);
                    None
                }
            };
            rows.push(account.and_then(|account| account.inspected(&mut item_body)));
        }
        let rows = rows.into_iter().map(|mailbox| mailbox.map(row)).collect::<Option<_>>()?;
        Some(NewImport { source: IMPORTS, check: RowCheck::Both, rows })
    }
}

fn row(mailbox: NewMailbox) -> NewImportRow {
    let email = mailbox.email_as_given.clone().unwrap_or_else(|| mailbox.email.as_str().to_owned());
    NewImportRow { email, given: None, mailbox: Ok(mailbox) }
}

/// The items of a list of the right length.
fn items(body: &mut Inspector<'_>, name: &'static str, field: Field<List>) -> Option<Vec<Value>> {
    let List(items) = body.required(name, field)?;
    if items.is_empty() {
        body.fault(name, Problem::TooFew(1));
        return None;
    }
    if items.len() > MAX_ITEMS {
        body.fault(name, Problem::TooMany(MAX_ITEMS));
        return None;
    }
    Some(items)
}

/// Accounts to remove.
#[derive(Deserialize, ToSchema)]
#[schema(as = ColdsendDoomedAccounts)]
pub(in crate::coldsend) struct DoomedAccountsBody {
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, required, min_items = 1, max_items = 100)]
    inbox_ids: Field<List>,
    /// Must be true.
    #[serde(default)]
    #[schema(value_type = bool, required)]
    confirm_deletion: Field<Flag>,
}

impl DoomedAccountsBody {
    /// The ids, and whether it is meant.
    pub(in crate::coldsend) fn into_ids(self, faults: &mut Faults) -> Option<(Vec<Uuid>, bool)> {
        const LIST: &str = "inbox_ids";
        let mut body = Inspector::new(faults, &BODY);
        let ids = items(&mut body, LIST, self.inbox_ids).map(|items| {
            let items = items.into_iter().enumerate().map(|(index, item)| {
                let problem = match &item {
                    Value::String(text) => match Uuid::parse_str(text) {
                        Ok(id) => return Some(id),
                        Err(_) => Problem::NotUuid,
                    },
                    Value::Null => Problem::Null,
                    _ => Problem::NotUuid,
                };
                body.item(LIST, index).fault_here(problem);
                None
            });
            items.collect::<Vec<_>>()
        });
        let confirmed = body.required("confirm_deletion", self.confirm_deletion);
        Some((ids?.into_iter().collect::<Option<_>>()?, confirmed?.0))
    }
}

/// Whom to send a test message.
#[derive(Deserialize, ToSchema)]
#[schema(as = ColdsendTestEmailRequest)]
pub(in crate::coldsend) struct TestEmailBody {
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 5, max_length = 255)]
    recipient_email: Field<String>,
}

impl TestEmailBody {
    /// The address as it was given, and as it is written to.
    pub(in crate::coldsend) fn into_recipient(self, faults: &mut Faults) -> Option<(String, EmailAddress)> {
        Inspector::new(faults, &BODY).email("recipient_email", self.recipient_email)
    }
}

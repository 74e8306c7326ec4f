//! Request bodies about providers. What breaks the schema is found while a body is read; what breaks a
//! rule, later, when nothing else is against the request.

use std::collections::BTreeMap;

use serde_json::Value;
use shared_models::domain::core::MailDomain;
use shared_models::domain::sending_accounts::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccountChange, SmtpProtocol,
};
use shared_models::domain::{CoreError, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};

use crate::http::fields::Field;
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::wire::body::{FromBody, Members, whole};

const MAX_TEXT: usize = 255;
const MAX_PASSWORD: usize = 500;
const MAX_VARIABLE: usize = 4096;
const DEFAULT_PERCENTAGE: i32 = 100;
const PROTOCOLS: [(&str, SmtpProtocol); 4] = [
    ("tls", SmtpProtocol::Tls),
    ("ssl", SmtpProtocol::Ssl),
    ("none", SmtpProtocol::None),
    ("starttls", SmtpProtocol::Starttls),
];

/// What a body says; `None` where it says nothing, `Some(None)` where it says `null`.
struct Draft {
    name: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    protocol: Option<SmtpProtocol>,
    username: Option<String>,
    password: Option<Password>,
    from_email: Option<Option<String>>,
    from_name: Option<Option<String>>,
    reply_to_email: Option<Option<String>>,
    reply_to_name: Option<Option<String>>,
    quotas: QuotasChange,
    percentage: Option<i32>,
    tracking_domain: Option<Option<String>>,
    variables: Option<BTreeMap<String, String>>,
}

/// A provider to add.
pub(in crate::sendmux) struct NewProviderBody(Draft);

/// A change to a provider.
pub(in crate::sendmux) struct ProviderChangeBody(Draft);

impl FromBody for NewProviderBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        Some(Self(Draft::read(members, Presence::Required)))
    }
}

impl FromBody for ProviderChangeBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        Some(Self(Draft::read(members, Presence::Optional)))
    }
}

/// Whether what a provider cannot do without may be left out.
#[derive(Clone, Copy)]
enum Presence {
    Required,
    Optional,
}

impl Presence {
    fn of<T>(self, members: &mut Members<'_>, name: &str, field: Field<T>) -> Option<T> {
        match self {
            Self::Required => members.required(name, field),
            Self::Optional => members.optional(name, field),
        }
    }

    fn text(self, members: &mut Members<'_>, name: &str, longest: usize) -> Option<String> {
        let field = members.text(name, 1..=longest);
        self.of(members, name, field)
    }
}

impl Draft {
    /// In the order of the schema.
    fn read(members: &mut Members<'_>, presence: Presence) -> Self {
        Self {
            name: presence.text(members, "name", MAX_TEXT),
            host: presence.text(members, "smtp_host", MAX_TEXT),
            port: {
                let port = members.integer("smtp_port", 1..=i64::from(u16::MAX));
                presence.of(members, "smtp_port", port).and_then(|port| u16::try_from(port).ok())
            },
            protocol: {
                let protocol = members.choice("smtp_protocol", &PROTOCOLS);
                presence.of(members, "smtp_protocol", protocol)
            },
            username: presence.text(members, "smtp_username", MAX_TEXT),
            password: presence.text(members, "smtp_password", MAX_PASSWORD).map(Password::new),
            from_email: nullable_email(members, "from_email"),
            from_name: nullable(members, "from_name"),
            reply_to_email: nullable_email(members, "reply_to_email"),
            reply_to_name: nullable(members, "reply_to_name"),
            quotas: {
                let quotas = members.object("quotas", |windows| Some(read_quotas(windows)));
                members.optional("quotas", quotas).unwrap_or_default()
            },
            percentage: {
                let percentage = members.integer("percentage", 0..=100);
                members.optional("percentage", percentage).and_then(|percentage| i32::try_from(percentage).ok())
            },
            tracking_domain: nullable(members, "tracking_domain"),
            variables: read_variables(members),
        }
    }

    /// What breaks a rule, in the order of the schema. Names of servers take the form in which they are kept.
    fn judged(mut self) -> Result<Self, SendmuxError> {
        let mut faults = vec![];
        no_control_characters(&mut faults, "name", self.name.as_deref());
        if let Some(host) = &mut self.host {
            // Port and security do not matter to the name.
            match ServerEndpoint::parse(host, 1, Security::Required) {
                Ok(endpoint) => *host = endpoint.host().to_owned(),
                Err(error) => faults.push(broken("smtp_host", &error.to_string())),
            }
        }
        no_control_characters(&mut faults, "smtp_username", self.username.as_deref());
        no_control_characters(&mut faults, "smtp_password", self.password.as_ref().map(Password::expose));
        no_control_characters(&mut faults, "from_name", self.from_name.as_ref().and_then(Option::as_deref));
        no_control_characters(&mut faults, "reply_to_name", self.reply_to_name.as_ref().and_then(Option::as_deref));
        let QuotasChange { per_second, per_minute, per_hour, per_day } = self.quotas;
        for (name, quota) in
            [("per_second", per_second), ("per_minute", per_minute), ("per_hour", per_hour), ("per_day", per_day)]
        {
            if quota.flatten().is_some_and(|quota| quota.min > quota.max) {
                faults.push(broken(&format!("quotas.{name}.min"), "must not be greater than max"));
            }
        }
        if let Some(Some(domain)) = &mut self.tracking_domain {
            match MailDomain::parse(domain) {
                Ok(parsed) => *domain = parsed.as_str().to_owned(),
                Err(_) => faults.push(broken("tracking_domain", "must be a domain name, such as links.example.com")),
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(SendmuxError::semantic(faults)) }
    }
}

impl NewProviderBody {
    /// The provider.
    ///
    /// # Errors
    /// 422 that names what breaks a rule.
    pub(in crate::sendmux) fn into_domain(self) -> Result<NewSendingAccount, SendmuxError> {
        let draft = self.0.judged()?;
        let incomplete = || CoreError::Internal("a body without faults is incomplete".to_owned());
        let protocol = draft.protocol.ok_or_else(incomplete)?;
        let (host, port) = (draft.host.ok_or_else(incomplete)?, draft.port.ok_or_else(incomplete)?);
        Ok(NewSendingAccount {
            name: draft.name.ok_or_else(incomplete)?,
            smtp: ServerEndpoint::parse(&host, port, protocol.security()).map_err(|_| incomplete())?,
            protocol,
            secret: LoginSecret {
                username: draft.username.ok_or_else(incomplete)?,
                password: draft.password.ok_or_else(incomplete)?,
            },
            sender: Sender {
                from_email: draft.from_email.flatten(),
                from_name: draft.from_name.flatten(),
                reply_to_email: draft.reply_to_email.flatten(),
                reply_to_name: draft.reply_to_name.flatten(),
            },
            quotas: draft.quotas.applied_to(Quotas::default()),
            percentage: draft.percentage.unwrap_or(DEFAULT_PERCENTAGE),
            tracking_domain: draft.tracking_domain.flatten(),
            variables: draft.variables.unwrap_or_default(),
        })
    }
}

impl ProviderChangeBody {
    /// The change.
    ///
    /// # Errors
    /// 422 that names what breaks a rule.
    pub(in crate::sendmux) fn into_domain(self) -> Result<SendingAccountChange, SendmuxError> {
        let draft = self.0.judged()?;
        Ok(SendingAccountChange {
            name: draft.name,
            host: draft.host,
            port: draft.port,
            protocol: draft.protocol,
            username: draft.username,
            password: draft.password,
            from_email: draft.from_email,
            from_name: draft.from_name,
            reply_to_email: draft.reply_to_email,
            reply_to_name: draft.reply_to_name,
            quotas: draft.quotas,
            percentage: draft.percentage,
            tracking_domain: draft.tracking_domain,
            variables: draft.variables,
        })
    }
}

/// A text that may be `null`.
fn nullable(members: &mut Members<'_>, name: &str) -> Option<Option<String>> {
    match members.text(name, 0..=MAX_TEXT) {
        Field::Absent | Field::Wrong(_) => None,
        Field::Null => Some(None),
        Field::Valid(text) => Some(Some(text)),
    }
}

/// An address that may be `null`; kept as it is spelled.
fn nullable_email(members: &mut Members<'_>, name: &str) -> Option<Option<String>> {
    let field = nullable(members, name);
    let is_address = |text: &String| EmailAddress::parse(text).is_ok() && text.trim() == text;
    if field.as_ref().is_some_and(|given| given.as_ref().is_some_and(|text| !is_address(text))) {
        members.fault(name, "invalid_string", "must be an email address");
    }
    field
}

fn read_quotas(windows: &mut Members<'_>) -> QuotasChange {
    QuotasChange {
        per_second: read_quota(windows, "per_second"),
        per_minute: read_quota(windows, "per_minute"),
        per_hour: read_quota(windows, "per_hour"),
        per_day: read_quota(windows, "per_day"),
    }
}

/// A number, which is a fixed cap, or an object with `min` and `max`.
fn read_quota(windows: &mut Members<'_>, name: &str) -> Option<Option<Quota>> {
    let value = match windows.take(name) {
        Field::Valid(value) => value,
        Field::Null => return Some(None),
        Field::Absent | Field::Wrong(_) => return None,
    };
    if value.is_object() {
        return windows.object_at(name, value, read_range).map(Some);
    }
    match whole(value).map(|number| (number, i64::try_from(number))) {
        Some((1.., Ok(cap))) => Some(Some(Quota { min: cap, max: cap })),
        Some((1.., Err(_))) => {
            windows.fault(name, "too_big", format!("must be at most {}", i64::MAX));
            None
        }
        Some(_) => {
            windows.fault(name, "too_small", "must be at least 1");
            None
        }
        None => {
            windows.fault(name, "invalid_type", "must be a whole number, an object with min and max, or null");
            None
        }
    }
}

fn read_range(range: &mut Members<'_>) -> Option<Quota> {
    let [min, max] = ["min", "max"].map(|name| {
        let field = range.integer(name, 1..=i64::MAX);
        range.required(name, field)
    });
    Some(Quota { min: min?, max: max? })
}

fn read_variables(members: &mut Members<'_>) -> Option<BTreeMap<String, String>> {
    const NAME: &str = "variables";
    let field = members.take(NAME).and_then(|value| match value {
        Value::Object(object) => Field::Valid(object),
        _ => {
            members.fault(NAME, "invalid_type", "must be an object");
            Field::Absent
        }
    });
    let mut variables = BTreeMap::new();
    for (name, value) in members.optional(NAME, field)? {
        let path = format!("{NAME}.{name}");
        match value {
            Value::String(text) if text.chars().count() <= MAX_VARIABLE => drop(variables.insert(name, text)),
            Value::String(_) => {
                members.fault(&path, "too_big", format!("must have at most {MAX_VARIABLE} characters"));
            }
            _ => members.fault(&path, "invalid_type", "must be a string"),
        }
    }
    Some(variables)
}

/// These get into commands for a mail server, or into the header of a mail.
fn no_control_characters(faults: &mut Vec<FieldFault>, name: &str, text: Option<&str>) {
    if text.is_some_and(|text| text.chars().any(char::is_control)) {
        faults.push(broken(name, "must not contain line breaks or other control characters"));
    }
}

fn broken(name: &str, message: &str) -> FieldFault {
    FieldFault::new(name, "custom", message)
}

//! Request bodies about providers. Faults of the schema (400) are found while a body is read. Broken rules (422) are
//! found later, when nothing else is against the request.

use std::collections::BTreeMap;

use shared_models::domain::core::MailDomain;
use shared_models::domain::sending_accounts::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccountChange, SmtpProtocol,
};
use shared_models::domain::{CoreError, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};

use crate::http::json::{FromBody, Problem};
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::wire::body::{Field, Members, Sendmux};

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

/// The members of a body: `None` if absent, `Some(None)` if `null`.
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

pub(in crate::sendmux) struct NewProviderBody(Draft);

pub(in crate::sendmux) struct ProviderChangeBody(Draft);

impl FromBody<Sendmux> for NewProviderBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        Some(Self(Draft::read(members, Presence::Required)))
    }
}

impl FromBody<Sendmux> for ProviderChangeBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        Some(Self(Draft::read(members, Presence::Optional)))
    }
}

/// The presence of the members that a provider cannot do without: a change may leave them out.
#[derive(Clone, Copy)]
enum Presence {
    Required,
    Optional,
}

impl Presence {
    fn of<'f, 'b>(self, members: &'f mut Members<'_, 'b>, name: &'f str) -> Field<'f, 'b> {
        match self {
            Self::Required => members.required(name),
            Self::Optional => members.optional(name),
        }
    }
}

impl Draft {
    /// In the order of the schema.
    fn read(members: &mut Members<'_, '_>, presence: Presence) -> Self {
        Self {
            name: presence.of(members, "name").text(1..=MAX_TEXT),
            host: presence.of(members, "smtp_host").text(1..=MAX_TEXT),
            port: presence.of(members, "smtp_port").integer(1..=u16::MAX),
            protocol: presence.of(members, "smtp_protocol").choice(&PROTOCOLS),
            username: presence.of(members, "smtp_username").text(1..=MAX_TEXT),
            password: presence.of(members, "smtp_password").text(1..=MAX_PASSWORD).map(Password::new),
            from_email: nullable_email(members, "from_email"),
            from_name: nullable_text(members, "from_name"),
            reply_to_email: nullable_email(members, "reply_to_email"),
            reply_to_name: nullable_text(members, "reply_to_name"),
            quotas: members.optional("quotas").object(|windows| Some(read_quotas(windows))).unwrap_or_default(),
            percentage: members.optional("percentage").integer(0..=100),
            tracking_domain: nullable_text(members, "tracking_domain"),
            variables: read_variables(members),
        }
    }

    /// Checks the rules, in the order of the schema. Names of servers take the form in which they are stored.
    ///
    /// # Errors
    /// 422 that names every broken rule.
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

fn nullable_text(members: &mut Members<'_, '_>, name: &str) -> Option<Option<String>> {
    members.nullable(name, |field| field.text(0..=MAX_TEXT))
}

/// An address that may be `null`; kept as it is spelled.
fn nullable_email(members: &mut Members<'_, '_>, name: &str) -> Option<Option<String>> {
    members.nullable(name, |field| {
        let text = field.text(0..=MAX_TEXT)?;
        let is_address = EmailAddress::parse(&text).is_ok() && text.trim() == text;
        if is_address { Some(text) } else { field.refuse(Problem::NotEmail) }
    })
}

fn read_quotas(windows: &mut Members<'_, '_>) -> QuotasChange {
    QuotasChange {
        per_second: windows.nullable("per_second", read_quota),
        per_minute: windows.nullable("per_minute", read_quota),
        per_hour: windows.nullable("per_hour", read_quota),
        per_day: windows.nullable("per_day", read_quota),
    }
}

/// A number, which is a fixed cap, or an object with `min` and `max`.
fn read_quota(field: &mut Field<'_, '_>) -> Option<Quota> {
    if field.json()?.is_object() {
        return field.object(|range| {
            let [min, max] = ["min", "max"].map(|name| range.required(name).integer(1..=i64::MAX));
            Some(Quota { min: min?, max: max? })
        });
    }
    let otherwise = Problem::NotAny("a whole number, an object with min and max, or null");
    field.integer_or(otherwise, 1..=i64::MAX).map(|cap| Quota { min: cap, max: cap })
}

fn read_variables(members: &mut Members<'_, '_>) -> Option<BTreeMap<String, String>> {
    let entries = members
        .optional("variables")
        .object(|variables| variables.entries(|variable| variable.raw_text(0..=MAX_VARIABLE)))?;
    Some(entries.into_iter().collect())
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

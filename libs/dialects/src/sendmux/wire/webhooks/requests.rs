//! Request bodies about webhooks. Faults of the schema (400) are found while a body is read. Broken rules (422) are
//! found later, when nothing else is against the request.

use shared_models::domain::HostedMailboxId;
use shared_models::domain::webhooks::{NewWebhook, WebhookChange};

use crate::http::json::{FromBody, Listed};
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::ids;
use crate::sendmux::webhook_words::{TYPES, WEBHOOKS};
use crate::sendmux::wire::body::{Field, Members, Sendmux};
use use_cases::webhooks::target::{MAX_URL, unusable};

const MAX_NAME: usize = 255;
/// Mailboxes of a filter. More would only make each event slower.
const MAX_MAILBOXES: usize = 100;
/// Far more than there are types.
const MAX_TYPES: usize = 100;
const MAILBOX_IDS: &str = "filters.mailbox_ids";

/// The members of a body: `None` if absent, `Some(None)` if `null`.
struct Draft {
    url: Option<String>,
    event_types: Option<Vec<String>>,
    name: Option<Option<String>>,
    enabled: Option<bool>,
    mailbox_ids: Option<Listed<String>>,
}

/// A draft that breaks no rule.
struct Judged {
    url: Option<String>,
    event_types: Option<Vec<String>>,
    name: Option<Option<String>>,
    enabled: Option<bool>,
    mailboxes: Option<Vec<HostedMailboxId>>,
}

pub(in crate::sendmux) struct NewWebhookBody(Draft);

pub(in crate::sendmux) struct WebhookChangeBody(Draft);

impl FromBody<Sendmux> for NewWebhookBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let url = members.required("url").text(1..=MAX_URL);
        let event_types = read_types(&mut members.required("event_types"));
        Some(Self(Draft { url, event_types, ..Draft::read(members, 1) }))
    }
}

impl FromBody<Sendmux> for WebhookChangeBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let url = members.optional("url").text(1..=MAX_URL);
        let event_types = read_types(&mut members.optional("event_types"));
        Some(Self(Draft { url, event_types, ..Draft::read(members, 0) }))
    }
}

fn read_types(field: &mut Field<'_, '_>) -> Option<Vec<String>> {
    field.list(0..=MAX_TYPES, |mut name| name.any_text())
}

impl Draft {
    /// Reads the members that may always be left out.
    fn read(members: &mut Members<'_, '_>, shortest_name: usize) -> Self {
        let name = members.nullable("name", |name| name.text(shortest_name..=MAX_NAME));
        let enabled = members.optional("enabled").flag();
        let mailbox_ids = members.optional("filters").object(|filters| {
            let ids = filters.optional("mailbox_ids").list_up_to(MAX_MAILBOXES, |mut id| id.any_text());
            Some(ids.unwrap_or(Listed::Items(vec![])))
        });
        Self { url: None, event_types: None, name, enabled, mailbox_ids }
    }

    fn judged(self) -> Result<Judged, SendmuxError> {
        let mut faults = vec![];
        if let Some(why) = self.url.as_deref().and_then(unusable) {
            faults.push(FieldFault::new("url", "custom", why));
        }
        let name = self.name.as_ref().and_then(Option::as_deref);
        if name.is_some_and(|name| name.chars().any(char::is_control)) {
            faults.push(FieldFault::new("name", "custom", "must not contain control characters"));
        }
        let event_types = self.event_types.map(|types| judged_types(types, &mut faults));
        let mailboxes = self.mailbox_ids.map(|ids| judged_mailboxes(ids, &mut faults));
        if !faults.is_empty() {
            return Err(SendmuxError::semantic(faults));
        }
        Ok(Judged { url: self.url, event_types, name: self.name, enabled: self.enabled, mailboxes })
    }
}

impl NewWebhookBody {
    /// The webhook. The caller has to check that the mailboxes are the team's own.
    ///
    /// # Errors
    /// 422 that names what breaks a rule.
    pub(in crate::sendmux) fn into_domain(self) -> Result<NewWebhook, SendmuxError> {
        let judged = self.0.judged()?;
        Ok(NewWebhook {
            dialect: WEBHOOKS,
            url: judged.url.unwrap_or_default(),
            event_types: judged.event_types.unwrap_or_default(),
            name: judged.name.flatten(),
            enabled: judged.enabled.unwrap_or(true),
            mailboxes: judged.mailboxes.unwrap_or_default(),
            retry_attempts: None,
            timeout: None,
            secret: None,
        })
    }
}

impl WebhookChangeBody {
    /// The change. The caller has to check that the mailboxes are the team's own.
    ///
    /// # Errors
    /// 422 that names what breaks a rule.
    pub(in crate::sendmux) fn into_domain(self) -> Result<WebhookChange, SendmuxError> {
        let Judged { url, event_types, name, enabled, mailboxes } = self.0.judged()?;
        Ok(WebhookChange { url, event_types, name, enabled, mailboxes, ..WebhookChange::default() })
    }
}

/// The fault of a filter that names a mailbox which the team does not have.
pub(in crate::sendmux) fn foreign_mailbox(index: usize) -> SendmuxError {
    SendmuxError::semantic(vec![unknown_mailbox(index)])
}

fn unknown_mailbox(index: usize) -> FieldFault {
    FieldFault::new(format!("{MAILBOX_IDS}.{index}"), "custom", "is not a mailbox of this team")
}

/// Each type once, in the order given.
fn judged_types(types: Vec<String>, faults: &mut Vec<FieldFault>) -> Vec<String> {
    const NAME: &str = "event_types";
    if types.is_empty() {
        faults.push(FieldFault::new(NAME, "too_small", "must name at least one type"));
    }
    let mut judged: Vec<String> = vec![];
    for (index, name) in types.into_iter().enumerate() {
        if !TYPES.contains(&name.as_str()) {
            let known = TYPES.join(", ");
            let fault =
                FieldFault::new(format!("{NAME}.{index}"), "invalid_enum_value", format!("must be one of {known}"));
            faults.push(fault);
        } else if !judged.contains(&name) {
            judged.push(name);
        }
    }
    judged
}

fn judged_mailboxes(public_ids: Listed<String>, faults: &mut Vec<FieldFault>) -> Vec<HostedMailboxId> {
    let Listed::Items(public_ids) = public_ids else {
        let message = format!("must name at most {MAX_MAILBOXES} mailboxes");
        faults.push(FieldFault::new(MAILBOX_IDS, "too_big", message));
        return vec![];
    };
    let decode = |(index, text): (usize, &String)| match ids::mailbox::decode(text) {
        Ok(id) => Some(id),
        Err(_) => {
            faults.push(unknown_mailbox(index));
            None
        }
    };
    public_ids.iter().enumerate().filter_map(decode).collect()
}

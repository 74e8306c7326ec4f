//! Request bodies about webhooks.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use shared_models::domain::CoreError;
use shared_models::domain::webhooks::{NewWebhook, WebhookChange, WebhookSecret};
use utoipa::ToSchema;

use crate::http::fields::{Faults, Field, FromJson};
use crate::sendkit::webhook_words::{TYPES, WEBHOOKS};
use crate::sendkit::wire::mailboxes::requests::check_text;
use use_cases::webhooks::target::{MAX_URL, unusable};

const MAX_NAME: usize = 255;
const SECRET_LENGTHS: RangeInclusive<usize> = 16..=255;
const RETRY_ATTEMPTS: RangeInclusive<u32> = 0..=10;
const DEFAULT_RETRY_ATTEMPTS: u32 = 3;
const TIMEOUTS_MS: RangeInclusive<u32> = 1_000..=30_000;
const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// Body of `POST /v1/webhooks`.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct CreateWebhookBody {
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 255)]
    name: Field<String>,
    /// `https` only.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 2048, example = "https://hooks.tenant.example/in")]
    url: Field<String>,
    /// `mailbox.activated`, `mailbox.failed`, `mailbox.dns_changed`, `webhook.test`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required, min_items = 1)]
    events: Field<Vec<String>>,
    /// What to sign with. Default: 32 random bytes in hex.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 16, max_length = 255)]
    secret: Field<String>,
    /// How often what was not taken is told again. Default 3.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10)]
    retry_attempts: Field<Whole>,
    /// How long the receiver may take. Default 10000.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1000, maximum = 30000)]
    timeout_ms: Field<Whole>,
}

/// Body of `PATCH /v1/webhooks/{webhookId}`. What is left out stays.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct UpdateWebhookBody {
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Field<String>,
    /// `https` only.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2048)]
    url: Field<String>,
    /// Replaces all of them.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, min_items = 1)]
    events: Field<Vec<String>>,
    /// Refused: secrets are replaced by `POST /v1/webhooks/{webhookId}/rotate-secret`.
    #[serde(default)]
    #[schema(ignore)]
    secret: Field<String>,
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10)]
    retry_attempts: Field<Whole>,
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1000, maximum = 30000)]
    timeout_ms: Field<Whole>,
    /// `disabled`: it is told nothing more, not even what it was to be told again. `active`: it is told again what
    /// happens from now on, also when it was failing.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(active|disabled)$")]
    status: Field<String>,
}

/// An integer of any size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Whole(i64);

impl FromJson for Whole {
    const EXPECTED: &'static str = "an integer";
    fn from_json(value: Value) -> Option<Self> {
        value.as_i64().map(Self)
    }
}

impl CreateWebhookBody {
    /// Parses everything and reports every bad field at once.
    pub(in crate::sendkit) fn into_domain(self) -> Result<NewWebhook, CoreError> {
        let mut faults = Faults::default();
        let name = faults.required("name", self.name).map(|text| name(&mut faults, &text));
        let url = faults.required("url", self.url).map(|text| url(&mut faults, &text));
        let events = faults.required("events", self.events).map(|names| events(&mut faults, names));
        let secret = faults.optional("secret", self.secret).map(|text| secret(&mut faults, text));
        let retry_attempts = number(&mut faults, "retryAttempts", self.retry_attempts, RETRY_ATTEMPTS);
        let timeout_ms = number(&mut faults, "timeoutMs", self.timeout_ms, TIMEOUTS_MS);
        faults.into_result()?;
        Ok(NewWebhook {
            dialect: WEBHOOKS,
            url: url.unwrap_or_default(),
            event_types: events.unwrap_or_default(),
            name,
            enabled: true,
            mailboxes: vec![],
            retry_attempts: Some(retry_attempts.unwrap_or(DEFAULT_RETRY_ATTEMPTS)),
            timeout: Some(millis(timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS))),
            secret,
        })
    }
}

impl UpdateWebhookBody {
    /// Parses everything and reports every bad field at once.
    pub(in crate::sendkit) fn into_domain(self) -> Result<WebhookChange, CoreError> {
        let mut faults = Faults::default();
        let name = faults.optional("name", self.name).map(|text| name(&mut faults, &text));
        let url = faults.optional("url", self.url).map(|text| url(&mut faults, &text));
        let events = faults.optional("events", self.events).map(|names| events(&mut faults, names));
        if !matches!(self.secret, Field::Absent | Field::Null) {
            faults.add("secret", "cannot be changed here; POST .../rotate-secret replaces it");
        }
        let retry_attempts = number(&mut faults, "retryAttempts", self.retry_attempts, RETRY_ATTEMPTS);
        let timeout = number(&mut faults, "timeoutMs", self.timeout_ms, TIMEOUTS_MS).map(millis);
        let enabled = match faults.optional("status", self.status).as_deref() {
            None => None,
            Some("active") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => {
                faults.add("status", "must be active or disabled");
                None
            }
        };
        faults.into_result()?;
        Ok(WebhookChange {
            url,
            event_types: events,
            name: name.map(Some),
            enabled,
            revived: enabled == Some(true),
            mailboxes: None,
            retry_attempts,
            timeout,
        })
    }
}

fn name(faults: &mut Faults, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        faults.add("name", "must not be empty");
    }
    check_text(faults, "name", text, MAX_NAME);
    text.to_owned()
}

fn url(faults: &mut Faults, text: &str) -> String {
    let text = text.trim();
    match unusable(text) {
        Some(why) => faults.add("url", why),
        None => check_text(faults, "url", text, MAX_URL),
    }
    text.to_owned()
}

/// Each type once, in the order given.
fn events(faults: &mut Faults, names: Vec<String>) -> Vec<String> {
    if names.is_empty() {
        faults.add("events", "must name at least one type");
    }
    if names.iter().any(|name| !TYPES.contains(&name.as_str())) {
        faults.add("events", format!("must be one of {}", TYPES.join(", ")));
    }
    let mut wanted: Vec<String> = vec![];
    for name in names {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted
}

/// Never trimmed: it is what the receiver has, too.
fn secret(faults: &mut Faults, text: String) -> WebhookSecret {
    if text.chars().count() < *SECRET_LENGTHS.start() {
        faults.add("secret", format!("must have at least {} characters", SECRET_LENGTHS.start()));
    }
    check_text(faults, "secret", &text, *SECRET_LENGTHS.end());
    WebhookSecret::new(text)
}

fn number(faults: &mut Faults, name: &str, field: Field<Whole>, allowed: RangeInclusive<u32>) -> Option<u32> {
    let Whole(given) = faults.optional(name, field)?;
    let number = u32::try_from(given).ok().filter(|number| allowed.contains(number));
    if number.is_none() {
        faults.add(name, format!("must be from {} to {}", allowed.start(), allowed.end()));
    }
    number
}

fn millis(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

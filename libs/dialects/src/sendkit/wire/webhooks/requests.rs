//! Request bodies about webhooks. Every bad field is noted, in the order of the schema.

use std::ops::RangeInclusive;
use std::time::Duration;

use shared_models::domain::webhooks::{NewWebhook, WebhookChange, WebhookSecret};
use use_cases::webhooks::target::{MAX_URL, unusable};

use crate::http::json::{FromBody, Problem};
use crate::sendkit::webhook_words::{TYPES, WEBHOOKS};
use crate::sendkit::wire::body::{Field, Members, Sendkit, check_line, texts};

const MAX_NAME: usize = 255;
const SECRET_LENGTHS: RangeInclusive<usize> = 16..=255;
const RETRY_ATTEMPTS: RangeInclusive<u32> = 0..=10;
const DEFAULT_RETRY_ATTEMPTS: u32 = 3;
const TIMEOUTS_MS: RangeInclusive<u32> = 1_000..=30_000;
const DEFAULT_TIMEOUT_MS: u32 = 10_000;
/// Far more than there are types.
const MAX_EVENTS: usize = 100;

impl FromBody<Sendkit> for NewWebhook {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let name = members.required("name").any_text().map(|text| name(members, &text));
        let url = members.required("url").any_text().map(|text| url(members, &text));
        let events = events(&mut members.required("events"));
        let secret = members.optional("secret").any_text().map(|text| secret(members, text));
        let retry_attempts = members.optional("retryAttempts").integer(RETRY_ATTEMPTS);
        let timeout_ms = members.optional("timeoutMs").integer(TIMEOUTS_MS);
        Some(Self {
            dialect: WEBHOOKS,
            url: url?,
            event_types: events?,
            name: Some(name?),
            enabled: true,
            mailboxes: vec![],
            retry_attempts: Some(retry_attempts.unwrap_or(DEFAULT_RETRY_ATTEMPTS)),
            timeout: Some(millis(timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS))),
            secret,
        })
    }
}

impl FromBody<Sendkit> for WebhookChange {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let name = members.optional("name").any_text().map(|text| name(members, &text));
        let url = members.optional("url").any_text().map(|text| url(members, &text));
        let event_types = events(&mut members.optional("events"));
        if members.optional("secret").json().is_some() {
            members.fault("secret", "cannot be changed here; POST .../rotate-secret replaces it");
        }
        let retry_attempts = members.optional("retryAttempts").integer(RETRY_ATTEMPTS);
        let timeout = members.optional("timeoutMs").integer(TIMEOUTS_MS).map(millis);
        let enabled = enabled(&mut members.optional("status"));
        Some(Self {
            url,
            event_types,
            name: name.map(Some),
            enabled,
            revived: enabled == Some(true),
            mailboxes: None,
            retry_attempts,
            timeout,
        })
    }
}

fn name(members: &mut Members<'_, '_>, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        members.fault("name", Problem::Empty);
    }
    check_line(members, "name", text, MAX_NAME);
    text.to_owned()
}

fn url(members: &mut Members<'_, '_>, text: &str) -> String {
    let text = text.trim();
    match unusable(text) {
        Some(why) => members.fault("url", why),
        None => check_line(members, "url", text, MAX_URL),
    }
    text.to_owned()
}

/// Each type once, in the order given.
fn events(field: &mut Field<'_, '_>) -> Option<Vec<String>> {
    let names = texts(field, MAX_EVENTS)?;
    if names.is_empty() {
        return field.refuse("must name at least one type");
    }
    if names.iter().any(|name| !TYPES.contains(&name.as_str())) {
        return field.refuse(Problem::NotOneOf(TYPES.to_vec()));
    }
    let mut wanted: Vec<String> = vec![];
    for name in names {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    Some(wanted)
}

/// Never trimmed: it is what the receiver has, too.
fn secret(members: &mut Members<'_, '_>, text: String) -> WebhookSecret {
    if text.chars().count() < *SECRET_LENGTHS.start() {
        members.fault("secret", Problem::TooShort(*SECRET_LENGTHS.start()));
    }
    check_line(members, "secret", &text, *SECRET_LENGTHS.end());
    WebhookSecret::new(text)
}

fn enabled(status: &mut Field<'_, '_>) -> Option<bool> {
    match status.any_text()?.as_str() {
        "active" => Some(true),
        "disabled" => Some(false),
        _ => status.refuse("must be active or disabled"),
    }
}

fn millis(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

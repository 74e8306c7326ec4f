//! What the services tell each other: past-tense events that carry ids and never a secret, in a
//! CloudEvents 1.0 envelope, and which queue receives which of them.

use serde::{Deserialize, Serialize};

use crate::domain::{EventId, MailboxId, Timestamp, WorkspaceId};

/// The queue of verifier-service.
pub const VERIFIER_QUEUE: &str = "mailmoor.verifier";
/// The queue of dns-checker-service.
pub const DNS_CHECKER_QUEUE: &str = "mailmoor.dns-checker";

/// Ours have a few hundred; what is larger is not even looked into.
const MAX_BYTES: usize = 64 * 1024;

/// All queues.
pub static QUEUES: [&str; 2] = [VERIFIER_QUEUE, DNS_CHECKER_QUEUE];

/// The event types of a queue, the reverse of [`queues_for`].
pub fn events_for(queue: &str) -> impl Iterator<Item = &'static str> {
    Event::TYPES.into_iter().filter(move |event_type| queues_for(event_type).contains(&queue))
}

/// The queues that receive an event of this type, which is also its routing key.
pub fn queues_for(event_type: &str) -> &'static [&'static str] {
    match event_type {
        "mailbox.created" => &[VERIFIER_QUEUE, DNS_CHECKER_QUEUE],
        "mailbox.verification_requested" => &[VERIFIER_QUEUE],
        "mailbox.dns_check_requested" => &[DNS_CHECKER_QUEUE],
        _ => &[],
    }
}

/// The mailbox that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxRef {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

/// Everything that happens. Published members do not change meaning; new ones are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A mailbox was accepted and is to be verified.
    #[serde(rename = "mailbox.created")]
    MailboxCreated(MailboxRef),
    /// A kept mailbox is to be verified (again).
    #[serde(rename = "mailbox.verification_requested")]
    MailboxVerificationRequested(MailboxRef),
    /// The logins were accepted.
    #[serde(rename = "mailbox.activated")]
    MailboxActivated(MailboxRef),
    /// The logins were refused, or the tries are used up.
    #[serde(rename = "mailbox.verification_failed")]
    MailboxVerificationFailed(MailboxRef),
    /// The customer removed the mailbox.
    #[serde(rename = "mailbox.deleted")]
    MailboxDeleted(MailboxRef),
    /// The DNS of the mailbox's domain is to be looked at again.
    #[serde(rename = "mailbox.dns_check_requested")]
    MailboxDnsCheckRequested(MailboxRef),
    /// The DNS of the mailbox's domain was looked at.
    #[serde(rename = "mailbox.dns_checked")]
    MailboxDnsChecked(MailboxRef),
}

impl Event {
    /// All types.
    pub const TYPES: [&str; 7] = [
        "mailbox.created",
        "mailbox.verification_requested",
        "mailbox.activated",
        "mailbox.verification_failed",
        "mailbox.deleted",
        "mailbox.dns_check_requested",
        "mailbox.dns_checked",
    ];

    /// The routing key and CloudEvents `type`.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::MailboxCreated(_) => "mailbox.created",
            Self::MailboxVerificationRequested(_) => "mailbox.verification_requested",
            Self::MailboxActivated(_) => "mailbox.activated",
            Self::MailboxVerificationFailed(_) => "mailbox.verification_failed",
            Self::MailboxDeleted(_) => "mailbox.deleted",
            Self::MailboxDnsCheckRequested(_) => "mailbox.dns_check_requested",
            Self::MailboxDnsChecked(_) => "mailbox.dns_checked",
        }
    }

    /// What it is about.
    pub fn mailbox(&self) -> MailboxRef {
        match self {
            Self::MailboxCreated(m)
            | Self::MailboxVerificationRequested(m)
            | Self::MailboxActivated(m)
            | Self::MailboxVerificationFailed(m)
            | Self::MailboxDeleted(m)
            | Self::MailboxDnsCheckRequested(m)
            | Self::MailboxDnsChecked(m) => *m,
        }
    }
}

/// A CloudEvents 1.0 JSON envelope (structured mode).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Unique; the same event delivered twice has the same id.
    pub id: EventId,
    /// Always `mailmoor`.
    pub source: String,
    /// Always `1.0`.
    pub specversion: String,
    /// For example `mailboxes/66c0ffee12ab34cd56ef7890`.
    pub subject: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
}

/// Why a message is not one of our events. It is parked, never retried.
#[derive(Debug, thiserror::Error)]
#[error("not a mailmoor event: {0}")]
pub struct MalformedEvent(String);

impl Envelope {
    /// Wraps an event that happens now.
    pub fn new(event: Event, at: Timestamp) -> Self {
        Self {
            id: EventId::new(),
            source: "mailmoor".to_owned(),
            specversion: "1.0".to_owned(),
            subject: format!("mailboxes/{}", event.mailbox().mailbox_id),
            time: at.to_rfc3339(),
            datacontenttype: "application/json".to_owned(),
            event,
        }
    }

    /// Reads a message.
    pub fn parse(message: &[u8]) -> Result<Self, MalformedEvent> {
        if message.len() > MAX_BYTES {
            return Err(MalformedEvent(format!("{} bytes are more than any event has", message.len())));
        }
        let envelope: Self = serde_json::from_slice(message).map_err(|e| MalformedEvent(e.to_string()))?;
        match envelope.specversion.as_str() {
            "1.0" => Ok(envelope),
            _ => Err(MalformedEvent("specversion is not 1.0".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mailbox() -> MailboxRef {
        MailboxRef {
            mailbox_id: "66c0ffee12ab34cd56ef7890".parse().unwrap(),
            workspace_id: "66c0ffee12ab34cd56ef7891".parse().unwrap(),
        }
    }

    #[test]
    fn every_event_keeps_its_published_shape() {
        let all = [
            ("mailbox.created", Event::MailboxCreated(mailbox())),
            ("mailbox.verification_requested", Event::MailboxVerificationRequested(mailbox())),
            ("mailbox.activated", Event::MailboxActivated(mailbox())),
            ("mailbox.verification_failed", Event::MailboxVerificationFailed(mailbox())),
            ("mailbox.deleted", Event::MailboxDeleted(mailbox())),
            ("mailbox.dns_check_requested", Event::MailboxDnsCheckRequested(mailbox())),
            ("mailbox.dns_checked", Event::MailboxDnsChecked(mailbox())),
        ];
        assert_eq!(all.map(|(name, _)| name), Event::TYPES);
        for (name, event) in all {
            assert_eq!(event.event_type(), name);
            let envelope = Envelope::new(event, Timestamp::from_millis(0));
            let json = serde_json::to_value(&envelope).unwrap();
            let expected = serde_json::json!({
                "id": envelope.id, "source": "mailmoor", "specversion": "1.0", "type": name,
                "subject": "mailboxes/66c0ffee12ab34cd56ef7890", "time": "1970-01-01T00:00:00.000Z",
                "datacontenttype": "application/json",
                "data": {"mailboxId": "66c0ffee12ab34cd56ef7890", "workspaceId": "66c0ffee12ab34cd56ef7891"},
            });
            assert_eq!(json, expected);
            assert_eq!(Envelope::parse(json.to_string().as_bytes()).unwrap(), envelope);
        }
    }

    #[test]
    fn foreign_messages_are_refused() {
        let other_version = serde_json::to_string(&Envelope::new(Event::MailboxCreated(mailbox()), Timestamp::now()))
            .unwrap()
            .replace(r#""specversion":"1.0""#, r#""specversion":"2.0""#);
        let huge = " ".repeat(MAX_BYTES + 1);
        for bad in ["", "hello", "{}", "[]", r#"{"type":"mailbox.created"}"#, &other_version, &huge] {
            assert!(Envelope::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

//! The events that travel between the services: past-tense facts that carry ids and never a secret, in a CloudEvents
//! 1.0 envelope. One table says of each event its type, its data and the queues that receive it.
//!
//! To add an event, add a row to the table here, and a reference to `refs.rs` if it is about a new kind of thing.

mod queues;
mod refs;

use serde::{Deserialize, Serialize};

use crate::domain::{EventId, Timestamp};

pub use queues::{
    ALL_QUEUES, BULK_VERIFIER_QUEUE, DNS_CHECKER_QUEUE, DOMAIN_QUEUE, PLATFORM_QUEUE, QUEUES, Queue, VERIFIER_QUEUE,
    WEBHOOK_QUEUE,
};
pub use refs::{
    DomainRef, HostedMailboxRef, ImportRef, LaneRef, LoginTestRef, MailboxRef, Reference, SendingAccountRef,
    TestEmailRef, WebhookDispatchRef,
};

/// Bound on the length of a message in bytes. Ours have a few hundred; a longer one is not parsed.
const MAX_BYTES: usize = 64 * 1024;

/// An event as the reference page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSpec {
    /// The CloudEvents `type`, which is also the routing key.
    pub event_type: &'static str,
    /// The CloudEvents `subject` with the names of its ids, for example `mailboxes/{mailboxId}`.
    pub subject: &'static str,
    /// The names of the members of `data`.
    pub data: &'static [&'static str],
    /// The names of our queues that receive it.
    pub queues: &'static [&'static str],
    /// One or two sentences, as in the source.
    pub meaning: &'static str,
}

/// Each row: meaning, variant, data, type (which is also the routing key), queues.
macro_rules! events {
    ($($(#[doc = $meaning:literal])+ $variant:ident($about:ty) = $event_type:literal => [$($queue:ident),*];)+) => {
        /// Everything that happens. Published members do not change meaning; new ones are added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum Event {
            $($(#[doc = $meaning])+ #[serde(rename = $event_type)] $variant($about),)+
        }

        impl Event {
            /// The type of every event, in the order of the table.
            pub const TYPES: &[&'static str] = &[$($event_type),+];

            /// Every event as a reference page shows it, in the order of the table.
            pub const SPECS: &[EventSpec] = &[$(EventSpec {
                event_type: $event_type,
                subject: <$about as Reference>::SUBJECT,
                data: <$about as Reference>::FIELDS,
                queues: &[$($queue),*],
                meaning: concat!($($meaning),+),
            }),+];

            /// The routing key and CloudEvents `type`.
            pub fn event_type(&self) -> &'static str {
                match self { $(Self::$variant(_) => $event_type),+ }
            }

            /// The path of the thing that it is about, for example `mailboxes/66c0ffee12ab34cd56ef7890`. Events of the
            /// same subject are handled one after the other.
            pub fn subject(&self) -> String {
                match self { $(Self::$variant(about) => about.subject()),+ }
            }
        }

        /// The names of the queues that receive an event of this type; none for an unknown type.
        pub fn queues_for(event_type: &str) -> &'static [&'static str] {
            match event_type { $($event_type => &[$($queue),*],)+ _ => &[] }
        }
    };
}

events! {
    /// A mailbox was accepted. It has to be verified, unless an import has settled it.
    MailboxCreated(MailboxRef) = "mailbox.created" => [VERIFIER_QUEUE, DNS_CHECKER_QUEUE];
    /// A mailbox that is kept has to be verified, for the first time or again.
    MailboxVerificationRequested(MailboxRef) = "mailbox.verification_requested" => [VERIFIER_QUEUE];
    /// The logins of a mailbox were accepted.
    MailboxActivated(MailboxRef) = "mailbox.activated" => [WEBHOOK_QUEUE];
    /// The logins were refused, or every attempt met a temporary fault.
    MailboxVerificationFailed(MailboxRef) = "mailbox.verification_failed" => [WEBHOOK_QUEUE];
    /// The customer removed a mailbox.
    MailboxDeleted(MailboxRef) = "mailbox.deleted" => [];
    /// The IMAP login of an imported mailbox has to be checked. Its failure is only noted.
    MailboxImapCheckRequested(MailboxRef) = "mailbox.imap_check_requested" => [BULK_VERIFIER_QUEUE];
    /// The DNS of the mailbox's domain has to be checked again.
    MailboxDnsCheckRequested(MailboxRef) = "mailbox.dns_check_requested" => [DNS_CHECKER_QUEUE];
    /// The DNS of the mailbox's domain was checked.
    MailboxDnsChecked(MailboxRef) = "mailbox.dns_checked" => [];
    /// A DNS check found something else than the check before, or was the first one with an answer.
    MailboxDnsChanged(MailboxRef) = "mailbox.dns_changed" => [WEBHOOK_QUEUE];
    /// An import of many mailboxes was accepted.
    ImportCreated(ImportRef) = "import.created" => [];
    /// A lane of an import has rows to work on.
    ImportLaneOpened(LaneRef) = "import.lane_opened" => [BULK_VERIFIER_QUEUE];
    /// Every row of an import is settled.
    ImportFinished(ImportRef) = "import.finished" => [];
    /// A test message has to be sent.
    TestEmailRequested(TestEmailRef) = "test_email.requested" => [VERIFIER_QUEUE];
    /// A test message was sent or refused.
    TestEmailSettled(TestEmailRef) = "test_email.settled" => [];
    /// A sending account was added to a workspace.
    SendingAccountCreated(SendingAccountRef) = "provider.created" => [];
    /// The login of a sending account has to be tested.
    LoginTestRequested(LoginTestRef) = "provider.test_requested" => [VERIFIER_QUEUE];
    /// The login of a sending account was tested, or the result of an earlier test still holds.
    SendingAccountTested(LoginTestRef) = "provider.tested" => [];
    /// The DNS records of a sending domain have to be checked.
    DomainVerificationRequested(DomainRef) = "domain.verification_requested" => [DOMAIN_QUEUE];
    /// The records of a domain are complete: for the first time, again, or still after somebody asked.
    DomainVerified(DomainRef) = "domain.verified" => [];
    /// A verified domain failed, or somebody asked and its records are not complete.
    DomainVerificationFailed(DomainRef) = "domain.verification_failed" => [];
    /// A hosted mailbox was provisioned. It accepts logins already.
    HostedMailboxCreated(HostedMailboxRef) = "hosted_mailbox.created" => [];
    /// A key of a hosted mailbox was revoked, or the mailbox suspended. Open sessions have to be closed.
    HostedMailboxAccessChanged(HostedMailboxRef) = "hosted_mailbox.access_changed" => [PLATFORM_QUEUE];
    /// A hosted mailbox that was suspended works again.
    HostedMailboxResumed(HostedMailboxRef) = "hosted_mailbox.resumed" => [];
    /// A hosted mailbox was deleted. Open sessions have to be closed.
    HostedMailboxDeleted(HostedMailboxRef) = "hosted_mailbox.deleted" => [PLATFORM_QUEUE];
    /// An event has to be delivered to a webhook, for the first time or again.
    WebhookDeliveryRequested(WebhookDispatchRef) = "webhook.delivery_requested" => [WEBHOOK_QUEUE];
}

impl Event {
    /// The mailbox of an event about a mailbox itself; `None` for every other event.
    pub fn mailbox(&self) -> Option<MailboxRef> {
        match self {
            Self::MailboxCreated(m)
            | Self::MailboxVerificationRequested(m)
            | Self::MailboxActivated(m)
            | Self::MailboxVerificationFailed(m)
            | Self::MailboxDeleted(m)
            | Self::MailboxImapCheckRequested(m)
            | Self::MailboxDnsCheckRequested(m)
            | Self::MailboxDnsChecked(m)
            | Self::MailboxDnsChanged(m) => Some(*m),
            Self::ImportCreated(_)
            | Self::ImportLaneOpened(_)
            | Self::ImportFinished(_)
            | Self::TestEmailRequested(_)
            | Self::TestEmailSettled(_)
            | Self::SendingAccountCreated(_)
            | Self::LoginTestRequested(_)
            | Self::SendingAccountTested(_)
            | Self::DomainVerificationRequested(_)
            | Self::DomainVerified(_)
            | Self::DomainVerificationFailed(_)
            | Self::HostedMailboxCreated(_)
            | Self::HostedMailboxAccessChanged(_)
            | Self::HostedMailboxResumed(_)
            | Self::HostedMailboxDeleted(_)
            | Self::WebhookDeliveryRequested(_) => None,
        }
    }
}

/// A CloudEvents 1.0 JSON envelope (structured mode).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Unique; the same event delivered twice has the same id.
    pub id: EventId,
    /// `mailmoor` in every envelope.
    pub source: String,
    /// `1.0`, the version of CloudEvents.
    pub specversion: String,
    /// The path of the thing, for example `mailboxes/66c0ffee12ab34cd56ef7890`.
    pub subject: String,
    /// RFC 3339 with milliseconds, in UTC.
    pub time: String,
    /// `application/json` in every envelope.
    pub datacontenttype: String,
    /// The members `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
}

/// The message is not one of our events. It is parked as a dead letter, never retried.
#[derive(Debug, thiserror::Error)]
#[error("not a mailmoor event: {0}")]
pub struct MalformedEvent(String);

impl Envelope {
    /// Wraps an event in an envelope with a new id.
    pub fn new(event: Event, at: Timestamp) -> Self {
        Self {
            id: EventId::new(),
            source: "mailmoor".to_owned(),
            specversion: "1.0".to_owned(),
            subject: event.subject(),
            time: at.to_rfc3339(),
            datacontenttype: "application/json".to_owned(),
            event,
        }
    }

    /// Reads a message of a queue.
    ///
    /// # Errors
    /// For anything but an event of ours in a CloudEvents 1.0 envelope, and for more than 64 KiB.
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
    use std::collections::BTreeSet;
    use std::str::FromStr;

    use super::*;
    use crate::domain::core::MalformedId;

    /// The ids of these tests differ in their last digit only.
    const ID: &str = "66c0ffee12ab34cd56ef789";

    fn id<Id: FromStr<Err = MalformedId>>(last: u8) -> Id {
        format!("{ID}{last}").parse().unwrap()
    }

    fn mailbox() -> MailboxRef {
        MailboxRef { mailbox_id: id(0), workspace_id: id(1) }
    }

    /// Event, type, subject and data, in the order of the table; `#n` stands for the id that ends with n.
    fn published() -> Vec<(Event, &'static str, &'static str, &'static str)> {
        use Event::*;
        let workspace_id = id(1);
        let account = SendingAccountRef { sending_account_id: id(0), workspace_id };
        let domain = DomainRef { domain_id: id(0), workspace_id };
        let dispatch = WebhookDispatchRef { webhook_id: id(0), webhook_event_id: id(4), workspace_id };
        let hosted = HostedMailboxRef { hosted_mailbox_id: id(0), workspace_id };
        let import = ImportRef { import_id: id(0), workspace_id };
        let lane = LaneRef { import_id: id(0), workspace_id, lane: 3 };
        let login_test = LoginTestRef { login_test_id: id(3), sending_account_id: id(0), workspace_id };
        let test = TestEmailRef { test_email_id: id(2), mailbox_id: id(0), workspace_id };
        let of_mailbox = r##"{"mailboxId":"#0","workspaceId":"#1"}"##;
        let of_import = r##"{"importId":"#0","workspaceId":"#1"}"##;
        let of_lane = r##"{"importId":"#0","workspaceId":"#1","lane":3}"##;
        let of_test = r##"{"testEmailId":"#2","mailboxId":"#0","workspaceId":"#1"}"##;
        let of_account = r##"{"providerId":"#0","workspaceId":"#1"}"##;
        let of_login_test = r##"{"providerTestId":"#3","providerId":"#0","workspaceId":"#1"}"##;
        let of_domain = r##"{"domainId":"#0","workspaceId":"#1"}"##;
        let of_hosted = r##"{"hostedMailboxId":"#0","workspaceId":"#1"}"##;
        let of_dispatch = r##"{"webhookId":"#0","webhookEventId":"#4","workspaceId":"#1"}"##;
        vec![
            (MailboxCreated(mailbox()), "mailbox.created", "mailboxes/#0", of_mailbox),
            (MailboxVerificationRequested(mailbox()), "mailbox.verification_requested", "mailboxes/#0", of_mailbox),
            (MailboxActivated(mailbox()), "mailbox.activated", "mailboxes/#0", of_mailbox),
            (MailboxVerificationFailed(mailbox()), "mailbox.verification_failed", "mailboxes/#0", of_mailbox),
            (MailboxDeleted(mailbox()), "mailbox.deleted", "mailboxes/#0", of_mailbox),
            (MailboxImapCheckRequested(mailbox()), "mailbox.imap_check_requested", "mailboxes/#0", of_mailbox),
            (MailboxDnsCheckRequested(mailbox()), "mailbox.dns_check_requested", "mailboxes/#0", of_mailbox),
            (MailboxDnsChecked(mailbox()), "mailbox.dns_checked", "mailboxes/#0", of_mailbox),
            (MailboxDnsChanged(mailbox()), "mailbox.dns_changed", "mailboxes/#0", of_mailbox),
            (ImportCreated(import), "import.created", "imports/#0", of_import),
            (ImportLaneOpened(lane), "import.lane_opened", "imports/#0/lanes/3", of_lane),
            (ImportFinished(import), "import.finished", "imports/#0", of_import),
            (TestEmailRequested(test), "test_email.requested", "mailboxes/#0/test-emails/#2", of_test),
            (TestEmailSettled(test), "test_email.settled", "mailboxes/#0/test-emails/#2", of_test),
            (SendingAccountCreated(account), "provider.created", "providers/#0", of_account),
            (LoginTestRequested(login_test), "provider.test_requested", "providers/#0", of_login_test),
            (SendingAccountTested(login_test), "provider.tested", "providers/#0", of_login_test),
            (DomainVerificationRequested(domain), "domain.verification_requested", "domains/#0", of_domain),
            (DomainVerified(domain), "domain.verified", "domains/#0", of_domain),
            (DomainVerificationFailed(domain), "domain.verification_failed", "domains/#0", of_domain),
            (HostedMailboxCreated(hosted), "hosted_mailbox.created", "hosted-mailboxes/#0", of_hosted),
            (HostedMailboxAccessChanged(hosted), "hosted_mailbox.access_changed", "hosted-mailboxes/#0", of_hosted),
            (HostedMailboxResumed(hosted), "hosted_mailbox.resumed", "hosted-mailboxes/#0", of_hosted),
            (HostedMailboxDeleted(hosted), "hosted_mailbox.deleted", "hosted-mailboxes/#0", of_hosted),
            (WebhookDeliveryRequested(dispatch), "webhook.delivery_requested", "webhooks/#0/events/#4", of_dispatch),
        ]
    }

    #[test]
    fn every_event_keeps_its_published_shape() {
        assert_eq!(published().iter().map(|(_, name, ..)| *name).collect::<Vec<_>>(), Event::TYPES);
        for ((event, name, subject, data), spec) in published().into_iter().zip(Event::SPECS) {
            let data: serde_json::Value = serde_json::from_str(&data.replace('#', ID)).unwrap();
            let envelope = Envelope::new(event, Timestamp::from_millis(0));
            let json = serde_json::to_value(&envelope).unwrap();
            let expected = serde_json::json!({
                "id": envelope.id, "source": "mailmoor", "specversion": "1.0", "type": name,
                "subject": subject.replace('#', ID), "time": "1970-01-01T00:00:00.000Z",
                "datacontenttype": "application/json", "data": data,
            });
            assert_eq!(json, expected);
            assert_eq!(Envelope::parse(json.to_string().as_bytes()).unwrap(), envelope);
            assert_eq!((event.event_type(), spec.event_type, spec.queues), (name, name, queues_for(name)));
            let members: BTreeSet<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, spec.data.iter().copied().collect(), "{name}");
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

//! The events that travel between the services: past-tense facts that carry ids and never a secret, in a CloudEvents 1.0
//! envelope. One table says of each event its type, its data and the queues that receive it.
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
    /// A mailbox was accepted. It is to be verified, unless it was imported and settled by that.
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
    /// A DNS check found something else than the check before, or was the first one.
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
    use super::*;

    const ID: &str = "66c0ffee12ab34cd56ef7890";
    const WORKSPACE: &str = "66c0ffee12ab34cd56ef7891";

    fn mailbox() -> MailboxRef {
        MailboxRef { mailbox_id: ID.parse().unwrap(), workspace_id: WORKSPACE.parse().unwrap() }
    }

    fn import() -> ImportRef {
        ImportRef { import_id: ID.parse().unwrap(), workspace_id: WORKSPACE.parse().unwrap() }
    }

    #[test]
    fn every_event_keeps_its_published_shape() {
        let of_mailbox = serde_json::json!({"mailboxId": ID, "workspaceId": WORKSPACE});
        let of_import = serde_json::json!({"importId": ID, "workspaceId": WORKSPACE});
        let lane = LaneRef { import_id: import().import_id, workspace_id: import().workspace_id, lane: 3 };
        let of_lane = serde_json::json!({"importId": ID, "workspaceId": WORKSPACE, "lane": 3});
        let test_email_id = "66c0ffee12ab34cd56ef7892".parse().unwrap();
        let test = TestEmailRef { test_email_id, mailbox_id: mailbox().mailbox_id, workspace_id: lane.workspace_id };
        let of_test = serde_json::json!({"testEmailId": test_email_id, "mailboxId": ID, "workspaceId": WORKSPACE});
        let account = SendingAccountRef { sending_account_id: ID.parse().unwrap(), workspace_id: lane.workspace_id };
        let of_account = serde_json::json!({"providerId": ID, "workspaceId": WORKSPACE});
        let login_test_id = "66c0ffee12ab34cd56ef7893".parse().unwrap();
        let login_test = LoginTestRef {
            login_test_id,
            sending_account_id: account.sending_account_id,
            workspace_id: lane.workspace_id,
        };
        let of_login_test =
            serde_json::json!({"providerTestId": login_test_id, "providerId": ID, "workspaceId": WORKSPACE});
        let an_account = format!("providers/{ID}");
        let domain = DomainRef { domain_id: ID.parse().unwrap(), workspace_id: lane.workspace_id };
        let of_domain = serde_json::json!({"domainId": ID, "workspaceId": WORKSPACE});
        let a_domain = format!("domains/{ID}");
        let hosted = HostedMailboxRef { hosted_mailbox_id: ID.parse().unwrap(), workspace_id: lane.workspace_id };
        let of_hosted = serde_json::json!({"hostedMailboxId": ID, "workspaceId": WORKSPACE});
        let a_hosted = format!("hosted-mailboxes/{ID}");
        let (webhook_id, webhook_event_id) = (ID.parse().unwrap(), "66c0ffee12ab34cd56ef7894".parse().unwrap());
        let dispatch = WebhookDispatchRef { webhook_id, webhook_event_id, workspace_id: lane.workspace_id };
        let of_dispatch =
            serde_json::json!({"webhookId": ID, "webhookEventId": webhook_event_id, "workspaceId": WORKSPACE});
        let a_dispatch = format!("webhooks/{ID}/events/{webhook_event_id}");
        let (a_mailbox, an_import) = (format!("mailboxes/{ID}"), format!("imports/{ID}"));
        let (a_lane, a_test) = (format!("{an_import}/lanes/3"), format!("{a_mailbox}/test-emails/{test_email_id}"));
        let all = [
            ("mailbox.created", Event::MailboxCreated(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.verification_requested", Event::MailboxVerificationRequested(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.activated", Event::MailboxActivated(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.verification_failed", Event::MailboxVerificationFailed(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.deleted", Event::MailboxDeleted(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.imap_check_requested", Event::MailboxImapCheckRequested(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.dns_check_requested", Event::MailboxDnsCheckRequested(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.dns_checked", Event::MailboxDnsChecked(mailbox()), &a_mailbox, &of_mailbox),
            ("mailbox.dns_changed", Event::MailboxDnsChanged(mailbox()), &a_mailbox, &of_mailbox),
            ("import.created", Event::ImportCreated(import()), &an_import, &of_import),
            ("import.lane_opened", Event::ImportLaneOpened(lane), &a_lane, &of_lane),
            ("import.finished", Event::ImportFinished(import()), &an_import, &of_import),
            ("test_email.requested", Event::TestEmailRequested(test), &a_test, &of_test),
            ("test_email.settled", Event::TestEmailSettled(test), &a_test, &of_test),
            ("provider.created", Event::SendingAccountCreated(account), &an_account, &of_account),
            ("provider.test_requested", Event::LoginTestRequested(login_test), &an_account, &of_login_test),
            ("provider.tested", Event::SendingAccountTested(login_test), &an_account, &of_login_test),
            ("domain.verification_requested", Event::DomainVerificationRequested(domain), &a_domain, &of_domain),
            ("domain.verified", Event::DomainVerified(domain), &a_domain, &of_domain),
            ("domain.verification_failed", Event::DomainVerificationFailed(domain), &a_domain, &of_domain),
            ("hosted_mailbox.created", Event::HostedMailboxCreated(hosted), &a_hosted, &of_hosted),
            ("hosted_mailbox.access_changed", Event::HostedMailboxAccessChanged(hosted), &a_hosted, &of_hosted),
            ("hosted_mailbox.resumed", Event::HostedMailboxResumed(hosted), &a_hosted, &of_hosted),
            ("hosted_mailbox.deleted", Event::HostedMailboxDeleted(hosted), &a_hosted, &of_hosted),
            ("webhook.delivery_requested", Event::WebhookDeliveryRequested(dispatch), &a_dispatch, &of_dispatch),
        ];
        assert_eq!(all.map(|(name, ..)| name), Event::TYPES);
        for ((name, event, subject, data), spec) in all.into_iter().zip(Event::SPECS) {
            assert_eq!((event.event_type(), spec.event_type, spec.queues), (name, name, queues_for(name)));
            let mut members: Vec<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
            let mut named = spec.data.to_vec();
            members.sort_unstable();
            named.sort_unstable();
            assert_eq!(members, named, "{name}");
            let envelope = Envelope::new(event, Timestamp::from_millis(0));
            let json = serde_json::to_value(&envelope).unwrap();
            let expected = serde_json::json!({
                "id": envelope.id, "source": "mailmoor", "specversion": "1.0", "type": name, "subject": subject,
                "time": "1970-01-01T00:00:00.000Z", "datacontenttype": "application/json", "data": data,
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

//! What the services tell each other: past-tense events that carry ids and never a secret, in a
//! CloudEvents 1.0 envelope, and which queue receives which of them.

mod hosted;
mod sending_accounts;
mod webhooks;

use serde::{Deserialize, Serialize};

use crate::domain::{DomainId, EventId, ImportId, MailboxId, TestEmailId, Timestamp, WorkspaceId};

pub use hosted::HostedMailboxRef;
pub use sending_accounts::{LoginTestRef, SendingAccountRef};
pub use webhooks::WebhookDispatchRef;

/// The queue of verifier-service for what somebody waits for.
pub const VERIFIER_QUEUE: &str = "mailmoor.verifier";
/// The queue of verifier-service for what comes in masses. Apart, so that an import holds up nobody.
pub const BULK_VERIFIER_QUEUE: &str = "mailmoor.bulk-verifier";
/// The queue of dns-checker-service for the domains of mailboxes.
pub const DNS_CHECKER_QUEUE: &str = "mailmoor.dns-checker";
/// The queue of dns-checker-service for domains to verify, for which somebody may wait. Apart, so that the
/// mailboxes of an import do not hold them up.
pub const DOMAIN_QUEUE: &str = "mailmoor.domain-verifier";
/// The queue of the gateways for what concerns the mail servers.
pub const PLATFORM_QUEUE: &str = "mailmoor.mail-platform";
/// The queue of the gateways for what webhooks are to be told.
pub const WEBHOOK_QUEUE: &str = "mailmoor.webhooks";

/// Ours have a few hundred; what is larger is not even looked into.
const MAX_BYTES: usize = 64 * 1024;

/// All queues.
pub static QUEUES: [&str; 6] =
    [VERIFIER_QUEUE, BULK_VERIFIER_QUEUE, DNS_CHECKER_QUEUE, DOMAIN_QUEUE, PLATFORM_QUEUE, WEBHOOK_QUEUE];

/// The mailbox that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxRef {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl MailboxRef {
    fn subject(&self) -> String {
        format!("mailboxes/{}", self.mailbox_id)
    }
}

/// The import that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportRef {
    /// The import.
    pub import_id: ImportId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl ImportRef {
    fn subject(&self) -> String {
        format!("imports/{}", self.import_id)
    }
}

/// One of the lanes in which the rows of an import are worked off, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneRef {
    /// The import.
    pub import_id: ImportId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
    /// From 0.
    pub lane: i32,
}

impl LaneRef {
    fn subject(&self) -> String {
        format!("imports/{}/lanes/{}", self.import_id, self.lane)
    }
}

/// The test message that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestEmailRef {
    /// The message.
    pub test_email_id: TestEmailId,
    /// Through which mailbox it goes.
    pub mailbox_id: MailboxId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl TestEmailRef {
    fn subject(&self) -> String {
        format!("mailboxes/{}/test-emails/{}", self.mailbox_id, self.test_email_id)
    }
}

/// The domain that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainRef {
    /// The domain.
    pub domain_id: DomainId,
    /// Its tenant.
    pub workspace_id: WorkspaceId,
}

impl DomainRef {
    fn subject(&self) -> String {
        format!("domains/{}", self.domain_id)
    }
}

/// Each event with its type (which is also its routing key), what it is about, and who has work with it.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($about:ty) = $event_type:literal => [$($queue:ident),*];)+) => {
        /// Everything that happens. Published members do not change meaning; new ones are added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $event_type)] $variant($about),)+
        }

        impl Event {
            /// All types.
            pub const TYPES: &[&'static str] = &[$($event_type),+];

            /// The routing key and CloudEvents `type`.
            pub fn event_type(&self) -> &'static str {
                match self { $(Self::$variant(_) => $event_type),+ }
            }

            /// What it is about, as a path, for example `mailboxes/66c0ffee12ab34cd56ef7890`. Work on the
            /// same subject is done one after the other.
            pub fn subject(&self) -> String {
                match self { $(Self::$variant(about) => about.subject()),+ }
            }
        }

        /// The queues that receive an event of this type.
        pub fn queues_for(event_type: &str) -> &'static [&'static str] {
            match event_type { $($event_type => &[$($queue),*],)+ _ => &[] }
        }
    };
}

events! {
    /// A mailbox was accepted. It is to be verified, unless it was imported and settled by that.
    MailboxCreated(MailboxRef) = "mailbox.created" => [VERIFIER_QUEUE, DNS_CHECKER_QUEUE];
    /// A kept mailbox is to be verified (again).
    MailboxVerificationRequested(MailboxRef) = "mailbox.verification_requested" => [VERIFIER_QUEUE];
    /// The logins were accepted.
    MailboxActivated(MailboxRef) = "mailbox.activated" => [WEBHOOK_QUEUE];
    /// The logins were refused, or the tries are used up.
    MailboxVerificationFailed(MailboxRef) = "mailbox.verification_failed" => [WEBHOOK_QUEUE];
    /// The customer removed the mailbox.
    MailboxDeleted(MailboxRef) = "mailbox.deleted" => [];
    /// The IMAP login of an imported mailbox is to be looked at; its failure is a note.
    MailboxImapCheckRequested(MailboxRef) = "mailbox.imap_check_requested" => [BULK_VERIFIER_QUEUE];
    /// The DNS of the mailbox's domain is to be looked at again.
    MailboxDnsCheckRequested(MailboxRef) = "mailbox.dns_check_requested" => [DNS_CHECKER_QUEUE];
    /// The DNS of the mailbox's domain was looked at.
    MailboxDnsChecked(MailboxRef) = "mailbox.dns_checked" => [];
    /// Something else was found in the DNS of the mailbox's domain than the time before, or for the first time.
    MailboxDnsChanged(MailboxRef) = "mailbox.dns_changed" => [WEBHOOK_QUEUE];
    /// An import was accepted.
    ImportCreated(ImportRef) = "import.created" => [];
    /// A lane of an import has rows to work off.
    ImportLaneOpened(LaneRef) = "import.lane_opened" => [BULK_VERIFIER_QUEUE];
    /// Every row of an import is settled.
    ImportFinished(ImportRef) = "import.finished" => [];
    /// A test message is to be sent.
    TestEmailRequested(TestEmailRef) = "test_email.requested" => [VERIFIER_QUEUE];
    /// A test message was sent or refused.
    TestEmailSettled(TestEmailRef) = "test_email.settled" => [];
    /// A sending provider was added.
    SendingAccountCreated(SendingAccountRef) = "provider.created" => [];
    /// A provider's login is to be tried.
    LoginTestRequested(LoginTestRef) = "provider.test_requested" => [VERIFIER_QUEUE];
    /// A provider's login was tried, or the result of an earlier try still holds.
    SendingAccountTested(LoginTestRef) = "provider.tested" => [];
    /// The records of a domain are to be looked at.
    DomainVerificationRequested(DomainRef) = "domain.verification_requested" => [DOMAIN_QUEUE];
    /// The records of a domain are complete, for the first time or again, or somebody asked and they still are.
    DomainVerified(DomainRef) = "domain.verified" => [];
    /// A verified domain is so no more, or somebody asked and its records are not complete.
    DomainVerificationFailed(DomainRef) = "domain.verification_failed" => [];
    /// A hosted mailbox was provisioned. It works already.
    HostedMailboxCreated(HostedMailboxRef) = "hosted_mailbox.created" => [];
    /// Fewer may sign in to a hosted mailbox than before: what is open is to be closed.
    HostedMailboxAccessChanged(HostedMailboxRef) = "hosted_mailbox.access_changed" => [PLATFORM_QUEUE];
    /// A hosted mailbox that was suspended works again.
    HostedMailboxResumed(HostedMailboxRef) = "hosted_mailbox.resumed" => [];
    /// A hosted mailbox is gone: what is open is to be closed.
    HostedMailboxDeleted(HostedMailboxRef) = "hosted_mailbox.deleted" => [PLATFORM_QUEUE];
    /// A webhook is to be told of something, for the first time or again.
    WebhookDeliveryRequested(WebhookDispatchRef) = "webhook.delivery_requested" => [WEBHOOK_QUEUE];
}

impl Event {
    /// The mailbox, for events about one.
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
            subject: event.subject(),
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
        let provider = SendingAccountRef { sending_account_id: ID.parse().unwrap(), workspace_id: lane.workspace_id };
        let of_account = serde_json::json!({"providerId": ID, "workspaceId": WORKSPACE});
        let login_test_id = "66c0ffee12ab34cd56ef7893".parse().unwrap();
        let provider_test = LoginTestRef {
            login_test_id,
            sending_account_id: provider.sending_account_id,
            workspace_id: lane.workspace_id,
        };
        let of_login_test =
            serde_json::json!({"providerTestId": login_test_id, "providerId": ID, "workspaceId": WORKSPACE});
        let a_provider = format!("providers/{ID}");
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
            ("provider.created", Event::SendingAccountCreated(provider), &a_provider, &of_account),
            ("provider.test_requested", Event::LoginTestRequested(provider_test), &a_provider, &of_login_test),
            ("provider.tested", Event::SendingAccountTested(provider_test), &a_provider, &of_login_test),
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
        for (name, event, subject, data) in all {
            assert_eq!(event.event_type(), name);
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

//! From an event about a mailbox to a dispatch for each webhook that subscribed to it. Workers and the store append
//! events that carry ids only; here a dialect renders the body that is posted.

use shared_models::domain::CoreError;
use shared_models::events::{Envelope, Event, MailboxRef};
use shared_models::store::Store;
use use_cases::webhooks::{Announcement, WebhookWords};

/// Outcome of an announcement.
pub(super) enum Announced {
    /// Each subscribed webhook, if there is one, has its dispatch.
    Done,
    /// No dialect announces events of this type.
    Unknown,
}

/// The dialects that post to webhooks. If two announce the same event, only the first is asked: an event is stored
/// once.
pub type Words = Vec<&'static dyn WebhookWords>;

/// Makes dispatches of events. An event that is announced again makes none.
pub(super) struct Announcer {
    store: Store,
    words: Words,
}

impl Announcer {
    pub(super) fn new(store: Store, words: Words) -> Self {
        Self { store, words }
    }

    /// Makes a dispatch for each webhook that subscribed to the event.
    ///
    /// # Errors
    /// Those of the store, and of the dialect that renders the body.
    pub(super) async fn announce(&self, envelope: &Envelope) -> Result<Announced, CoreError> {
        let announced = self.words.iter().find_map(|words| Some((words, words.event_type(&envelope.event)?)));
        let (Some(about), Some((words, event_type))) = (envelope.event.mailbox(), announced) else {
            return Ok(Announced::Unknown);
        };
        if !self.store.is_webhook_event_wanted(about.workspace_id, words.dialect(), event_type).await? {
            return Ok(Announced::Done);
        }
        let subject = format!("mailbox.id={} event.id={}", about.mailbox_id, envelope.id);
        let Some(facts) = self.facts(&envelope.event, about).await? else {
            log::debug!("{subject} is outdated");
            return Ok(Announced::Done);
        };
        let event = words.event(envelope, about.workspace_id, facts)?;
        let dispatches = self.store.publish_webhook_event(about.workspace_id, event).await?;
        log::debug!("{subject} type={event_type} has {dispatches} new dispatches");
        Ok(Announced::Done)
    }

    /// The facts behind an event, as they are now. `None` if there are none any more, as after the removal of the
    /// mailbox.
    async fn facts(&self, event: &Event, about: MailboxRef) -> Result<Option<Announcement>, CoreError> {
        let (workspace, id) = (about.workspace_id, about.mailbox_id);
        let mailbox = async || match self.store.find_mailbox(workspace, id).await {
            Ok(mailbox) => Ok(Some(Box::new(mailbox))),
            Err(CoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(match event {
            Event::MailboxActivated(_) => mailbox().await?.map(Announcement::Activated),
            Event::MailboxDnsChanged(_) => mailbox().await?.map(Announcement::DnsChanged),
            Event::MailboxVerificationFailed(_) => {
                self.store.refused_mailbox(workspace, id).await?.map(|refused| Announcement::Refused(about, refused))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared_models::domain::tenancy::Plan;
    use shared_models::domain::webhooks::NewWebhook;
    use shared_models::domain::{MailboxId, Timestamp, WorkspaceId};
    use shared_models::events::WEBHOOK_QUEUE;
    use shared_models::store::vault::KeyRing;
    use shared_models::store::{DatabaseSettings, LockedStore, PendingAnswer};
    use tempfile::TempDir;

    use super::*;

    struct Bench {
        announcer: Announcer,
        workspace: WorkspaceId,
        _folder: TempDir,
    }

    impl Bench {
        /// With a SendKit webhook that subscribed to all events about mailboxes.
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
            let keys = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
            let store = LockedStore::open(settings).await.unwrap().unlock(keys).await.unwrap();
            let plan = Plan { subscription_active: true, max_mailboxes: None };
            let owner = store.create_owner("dana@tenant.example", plan).await.unwrap().id;
            let workspace = store.create_workspace(owner, "default").await.unwrap().id;
            let types = ["mailbox.activated", "mailbox.failed", "mailbox.dns_changed"];
            let words = dialects::webhook_words(dialects::DIALECTS);
            let webhook = NewWebhook {
                dialect: words[0].dialect(),
                url: "https://hooks.example".to_owned(),
                event_types: types.map(str::to_owned).to_vec(),
                name: None,
                enabled: true,
                mailboxes: vec![],
                retry_attempts: None,
                timeout: None,
                secret: None,
            };
            store.create_webhook(workspace, webhook, PendingAnswer::not_kept()).await.unwrap();
            Self { announcer: Announcer::new(store, words), workspace, _folder: folder }
        }

        async fn mailbox(&self, name: &str) -> MailboxRef {
            use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
            use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
            let login = || LoginSecret { username: name.to_owned(), password: Password::new("sesame") };
            let at = |host, port| ServerEndpoint::parse(host, port, Security::Required).unwrap();
            let new = NewMailbox {
                email: EmailAddress::parse(&format!("{name}@mail.example")).unwrap(),
                email_as_given: None,
                display_name: name.to_owned(),
                provider: ProviderLabel::Custom,
                daily_send_limit: 15,
                signature: None,
                tags: vec![],
                smtp: at("smtp.mail.example", 587),
                imap: at("imap.mail.example", 993),
                imap_guessed: false,
                credentials: Credentials { smtp: login(), imap: login() },
                on_refusal: RefusalPolicy::Delete,
            };
            let store = &self.announcer.store;
            let owner = store.workspace(self.workspace).await.unwrap().owner_id;
            let mailbox_id = store.create_mailbox(self.workspace, owner, new).await.unwrap().id;
            MailboxRef { mailbox_id, workspace_id: self.workspace }
        }

        /// Announces the same event this many times. Returns the number of dispatches in the queue.
        async fn announced(&self, event: Event, times: usize) -> i64 {
            let envelope = Envelope::new(event, Timestamp::now());
            for _ in 0..times {
                assert!(matches!(self.announcer.announce(&envelope).await.unwrap(), Announced::Done));
            }
            self.announcer.store.queue_depth(WEBHOOK_QUEUE).await.unwrap().0
        }
    }

    #[tokio::test]
    async fn an_event_that_comes_again_makes_no_second_dispatch() {
        let bench = Bench::new().await;
        let about = bench.mailbox("dana").await;
        assert_eq!(bench.announced(Event::MailboxActivated(about), 3).await, 1);
        assert_eq!(bench.announced(Event::MailboxDnsChanged(about), 2).await, 2, "another event");
        assert_eq!(bench.announced(Event::MailboxActivated(about), 1).await, 3, "another one of the same kind");
    }

    #[tokio::test]
    async fn a_mailbox_that_is_gone_is_not_announced() {
        let bench = Bench::new().await;
        let about = bench.mailbox("dana").await;
        bench.announcer.store.delete_mailbox(bench.workspace, about.mailbox_id).await.unwrap();
        let foreign = MailboxRef { mailbox_id: MailboxId::new(), workspace_id: WorkspaceId::new() };
        for about in [about, MailboxRef { mailbox_id: MailboxId::new(), ..about }, foreign] {
            for event in [
                Event::MailboxActivated(about),
                Event::MailboxVerificationFailed(about),
                Event::MailboxDnsChanged(about),
            ] {
                assert_eq!(bench.announced(event, 1).await, 0);
            }
        }
    }

    #[tokio::test]
    async fn other_events_are_unknown() {
        let bench = Bench::new().await;
        let about = bench.mailbox("dana").await;
        for event in [Event::MailboxCreated(about), Event::MailboxDnsChecked(about), Event::MailboxDeleted(about)] {
            let envelope = Envelope::new(event, Timestamp::now());
            assert!(matches!(bench.announcer.announce(&envelope).await.unwrap(), Announced::Unknown));
        }
    }
}

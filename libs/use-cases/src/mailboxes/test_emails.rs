//! Test messages sent through a connected mailbox.

use std::collections::HashMap;

use shared_models::domain::mailboxes::{TestEmail, TestEmailState};
use shared_models::domain::{CoreError, EmailAddress, MailboxId};
use shared_models::events::Event;
use shared_models::store::TestEmailRequest;

use crate::{Tenant, UseCases};

/// A test message is refused before anything is sent.
pub enum Unsendable {
    /// The mailbox is not active.
    NotActive,
    /// The mailbox has sent as many messages today (UTC) as it may.
    DailyLimit,
}

impl UseCases {
    /// Sends a test message and waits until it was sent or refused; it is still `Asked` or `Sending` after the wait.
    /// `at_most` bounds the messages of a day beside the mailbox's own limit.
    pub async fn send_test_email(
        &self,
        tenant: Tenant,
        id: MailboxId,
        recipient: EmailAddress,
        at_most: i64,
    ) -> Result<Result<TestEmail, Unsendable>, CoreError> {
        let events = self.events();
        let asked = match self.store.request_test_email(tenant.workspace, id, recipient, at_most).await? {
            TestEmailRequest::Asked(message) => message,
            TestEmailRequest::NotActive => return Ok(Err(Unsendable::NotActive)),
            TestEmailRequest::DailyLimit => return Ok(Err(Unsendable::DailyLimit)),
        };
        log::info!("mailbox.id={id} test_email.id={} asked for", asked.id);
        let settles =
            |event: &Event| matches!(event, Event::TestEmailSettled(about) if about.test_email_id == asked.id);
        let settled = async || {
            let message = self.store.test_email(tenant.workspace, asked.id).await?;
            let is_settled = matches!(message.state, TestEmailState::Sent | TestEmailState::Refused(_));
            Ok(is_settled.then_some(message))
        };
        let settled = self.wait_for(events, self.patience, settles, settled).await?;
        Ok(Ok(settled.unwrap_or(asked)))
    }

    /// Messages that these mailboxes sent today (UTC). A mailbox that sent none is left out.
    pub async fn sent_today(&self, tenant: Tenant, ids: Vec<MailboxId>) -> Result<HashMap<MailboxId, i64>, CoreError> {
        self.store.sent_today(tenant.workspace, ids).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use service_runtime::shutdown::CancellationToken;
    use std::time::Duration;

    use shared_models::domain::diagnosis::{LegReport, LoginReport, Observed};
    use shared_models::domain::mailboxes::Delivery;
    use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
    use shared_models::domain::tenancy::Plan;
    use shared_models::domain::{Credentials, LoginSecret, Password, Security, ServerEndpoint, TestEmailId};
    use shared_models::store::vault::KeyRing;
    use shared_models::store::{DatabaseSettings, LockedStore, Settlement, Store};
    use tempfile::TempDir;

    use super::*;

    /// Longer than any test takes.
    const PATIENCE: Duration = Duration::from_secs(25);

    async fn open(folder: &TempDir) -> Store {
        let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
        let keys = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
        LockedStore::open(settings).await.unwrap().unlock(keys).await.unwrap()
    }

    /// A tenant with an active mailbox.
    async fn tenant(store: &Store) -> (Tenant, MailboxId) {
        let plan = Plan { subscription_active: true, max_mailboxes: None };
        let owner = store.create_owner("owner@tenant.example", plan).await.unwrap().id;
        let workspace = store.create_workspace(owner, "default").await.unwrap().id;
        let server = |port| ServerEndpoint::parse("mail.example.com", port, Security::Required).unwrap();
        let login = || LoginSecret { username: "dana".to_owned(), password: Password::new("sesame") };
        let new = NewMailbox {
            email: EmailAddress::parse("dana@mail.example").unwrap(),
            email_as_given: None,
            display_name: "Dana".to_owned(),
            provider: ProviderLabel::Custom,
            daily_send_limit: 15,
            signature: None,
            tags: vec![],
            smtp: server(587),
            imap: server(993),
            imap_guessed: false,
            credentials: Credentials { smtp: login(), imap: login() },
            on_refusal: RefusalPolicy::Keep,
        };
        let id = store.create_mailbox(workspace, owner, new).await.unwrap().id;
        let observed = Observed { host: "mail.example.com".to_owned(), port: 587, ip: None, tls: None };
        let smtp = LegReport { observed, millis: 1, failure: None, warnings: vec![] };
        let report = LoginReport { smtp, imap: None, imap_guessed: false };
        store.settle_verification(id, Settlement::Accepted { report, note: None, imap: None }).await.unwrap();
        (Tenant { workspace, owner }, id)
    }

    async fn send(use_cases: &UseCases, (tenant, id): (Tenant, MailboxId)) -> Result<TestEmail, Unsendable> {
        let recipient = EmailAddress::parse("friend@elsewhere.example").unwrap();
        use_cases.send_test_email(tenant, id, recipient, 2).await.unwrap()
    }

    /// The test message of the next request.
    async fn requested(store: &Store) -> TestEmailId {
        let mut news = store.news();
        loop {
            if let Event::TestEmailRequested(about) = news.recv().await.unwrap() {
                return about.test_email_id;
            }
        }
    }

    /// Acts as a worker over this store.
    async fn work(store: &Store, id: TestEmailId) {
        store.begin_test_email(id).await.unwrap().unwrap();
        store.settle_test_email(id, Delivery::Sent).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_waits_for_a_worker_of_any_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let at = tenant(&store).await;
        let use_cases = UseCases::new(store.clone(), PATIENCE, CancellationToken::new());
        // A second store over the same file commits without an event in this one.
        for worker in [store.clone(), open(&folder).await] {
            let working = async {
                let id = requested(&store).await;
                work(&worker, id).await;
            };
            // The worker listens before the request is made.
            let (_, sent) = tokio::join!(biased; working, send(&use_cases, at));
            assert!(matches!(sent, Ok(TestEmail { state: TestEmailState::Sent, .. })));
        }
        assert_eq!(use_cases.sent_today(at.0, vec![at.1]).await.unwrap().get(&at.1), Some(&2));
        assert!(matches!(send(&use_cases, at).await, Err(Unsendable::DailyLimit)));
    }

    #[tokio::test]
    async fn patience_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let at = tenant(&store).await;
        let use_cases = UseCases::new(store.clone(), Duration::from_millis(50), CancellationToken::new());
        assert!(matches!(send(&use_cases, at).await, Ok(TestEmail { state: TestEmailState::Asked, .. })));
        let unknown = (at.0, MailboxId::new());
        let recipient = EmailAddress::parse("friend@elsewhere.example").unwrap();
        let missing = use_cases.send_test_email(unknown.0, unknown.1, recipient, 2).await;
        assert!(matches!(missing, Err(CoreError::NotFound("mailbox"))));
    }
}

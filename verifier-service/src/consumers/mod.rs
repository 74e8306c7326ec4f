//! The two consumers of the service. [`Verifier`] takes the events for which a person waits, one result each, and passes
//! them to the module of their kind. [`BulkVerifier`] has a queue of its own, so that an import holds up nobody.

mod account_test;
mod bulk;
mod pauses;
mod results;
mod test_message;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use mail_client::Prober;
use service_runtime::runner::{Attempt, Consumer, Outcome};
use service_runtime::settings::VerifierSettings;
use shared_models::domain::CoreError;
use shared_models::events::{Envelope, Event, VERIFIER_QUEUE};
use shared_models::store::Store;

pub use bulk::BulkVerifier;

use account_test::TestLogin;
use test_message::SendTestEmail;
use verify::VerifyMailbox;

/// Verifies single mailboxes, tests sending accounts and sends test messages.
pub struct Verifier {
    verify: VerifyMailbox,
    send: SendTestEmail,
    test: TestLogin,
    concurrency: usize,
}

impl Verifier {
    /// A consumer of `store`. The limits of `prober` bound its logins together with those of other consumers that share
    /// it.
    pub fn new(store: Store, prober: Arc<Prober>, settings: VerifierSettings) -> Self {
        Self {
            send: SendTestEmail::new(store.clone(), prober.clone()),
            test: TestLogin::new(store.clone(), prober.clone()),
            concurrency: settings.concurrency,
            verify: VerifyMailbox::new(store, prober, settings),
        }
    }
}

#[async_trait]
impl Consumer for Verifier {
    fn queue(&self) -> &'static str {
        VERIFIER_QUEUE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::MailboxCreated(mailbox) | Event::MailboxVerificationRequested(mailbox) => {
                self.verify.handle(event, mailbox, attempt).await
            }
            Event::TestEmailRequested(message) => self.send.handle(message).await,
            Event::LoginTestRequested(test) => self.test.handle(test).await,
            _ => Ok(Outcome::Park("no work of this queue")),
        }
    }
}

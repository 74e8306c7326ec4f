//! Test messages through mailboxes. A message is marked as begun in the database before anything is dialled. An event
//! that comes twice, or again after a process died, therefore sends nothing.

use std::sync::Arc;
use std::time::Instant;

use mail_client::{OutgoingMessage, Prober};
use service_runtime::runner::Outcome;
use shared_models::domain::mailboxes::{Delivery, TestEmailJob};
use shared_models::domain::{CoreError, FailureCode};
use shared_models::events::TestEmailRef;
use shared_models::store::{Settled, Store};

use super::results::store_result;

/// Sends test messages, each at most once.
pub(super) struct SendTestEmail {
    store: Store,
    prober: Arc<Prober>,
}

impl SendTestEmail {
    pub(super) fn new(store: Store, prober: Arc<Prober>) -> Self {
        Self { store, prober }
    }

    /// Sends one message. Every outcome is final: the caller waits for it and may send a new request.
    pub(super) async fn handle(&self, about: TestEmailRef) -> Result<Outcome, CoreError> {
        let id = about.test_email_id;
        let subject = format!("mailbox.id={} test_email.id={id}", about.mailbox_id);
        let Some(job) = self.store.begin_test_email(id).await? else {
            log::debug!("{subject} is not to be sent (any more)");
            return Ok(Outcome::Done);
        };
        let started = Instant::now();
        let end = self.prober.send(&job.mailbox.smtp, &job.secret, &message(&job)).await;
        let (outcome, code) = match &end {
            Delivery::Sent => ("sent", None),
            Delivery::NotSent(finding) => ("refused", Some(finding.code)),
            Delivery::Unknown(finding) => ("unknown", Some(finding.code)),
        };
        let (code, ms) = (code.map_or("-", FailureCode::as_str), started.elapsed().as_millis());
        log::info!("{subject} outcome={outcome} code={code} duration_ms={ms}");
        if store_result(&subject, || self.store.settle_test_email(id, end.clone())).await? == Settled::Superseded {
            log::info!("{subject} was deleted while it was sent");
        }
        Ok(Outcome::Done)
    }
}

fn message(job: &TestEmailJob) -> OutgoingMessage {
    let from = job.mailbox.email.clone();
    let text = format!(
        "This is a test message. It was sent through the mailbox {} to show that it can send mail.\n\nNo answer is \
         needed.\n",
        from.as_str()
    );
    OutgoingMessage {
        from,
        display_name: job.mailbox.display_name.clone(),
        recipient: job.recipient.clone(),
        message_id: job.message_id.clone(),
        subject: "Test message".to_owned(),
        text,
    }
}

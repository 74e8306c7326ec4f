//! The consumer that ends the sessions of a mailbox when a key was revoked, or the mailbox suspended or deleted. It
//! ends all of them: Dovecot does not know which key opened a session. A program whose key is still valid signs in
//! again.

use std::time::Duration;

use async_trait::async_trait;
use service_runtime::runner::{Attempt, Consumer, Outcome, exponential};
use shared_models::domain::{CoreError, HostedMailboxId};
use shared_models::events::{Envelope, Event, PLATFORM_QUEUE};
use shared_models::store::Store;

use super::Doveadm;

/// Mailboxes handled at the same time.
const CONCURRENCY: usize = 50;
/// A login that was accepted just before the change is listed by Dovecot as a session after this time.
const LOGIN_SETTLED: Duration = Duration::from_secs(1);
/// First and longest delay before the next attempt.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Attempts before the event is parked: about a quarter of an hour.
const ATTEMPTS: u32 = 20;

/// Ends sessions through Dovecot's administration.
pub(super) struct SessionEnder {
    store: Store,
    /// `None` if it is not configured: sessions stay open then.
    doveadm: Option<Doveadm>,
}

impl SessionEnder {
    pub(super) fn new(store: Store, doveadm: Option<Doveadm>) -> Self {
        Self { store, doveadm }
    }

    async fn end(&self, id: HostedMailboxId, attempt: Attempt) -> Result<Outcome, CoreError> {
        let Some(doveadm) = &self.doveadm else { return Ok(Outcome::Done) };
        let Some(standing) = self.store.hosted_standing(id).await? else {
            return Ok(Outcome::Park("there has never been such a mailbox"));
        };
        let mut kicked = doveadm.kick(&standing.email).await;
        if kicked.is_ok() {
            tokio::time::sleep(LOGIN_SETTLED).await;
            // If the mailbox was resumed, or another one has the address, the present sessions are rightful.
            if self.store.hosted_standing(id).await?.as_ref() == Some(&standing) {
                kicked = doveadm.kick(&standing.email).await;
            }
        }
        match kicked {
            Ok(()) => {
                log::info!("hosted_mailbox.id={id} sessions ended");
                Ok(Outcome::Done)
            }
            Err(error) => {
                log::warn!("hosted_mailbox.id={id} sessions were not ended (attempt {}): {error}", attempt.0);
                if attempt.0 >= ATTEMPTS {
                    return Ok(Outcome::Park("Dovecot's administration cannot be used"));
                }
                Ok(Outcome::Retry(exponential(DELAYS.0, attempt.0).min(DELAYS.1)))
            }
        }
    }
}

#[async_trait]
impl Consumer for SessionEnder {
    fn queue(&self) -> &'static str {
        PLATFORM_QUEUE
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn handle(&self, event: &Envelope, attempt: Attempt) -> Result<Outcome, CoreError> {
        match event.event {
            Event::HostedMailboxAccessChanged(about) | Event::HostedMailboxDeleted(about) => {
                self.end(about.hosted_mailbox_id, attempt).await
            }
            _ => Ok(Outcome::Park("not an event for the mail servers")),
        }
    }
}

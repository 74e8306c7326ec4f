//! Creating a mailbox and waiting for the result of its logins.

use shared_models::domain::mailboxes::{ConnectionTest, NewMailbox};
use shared_models::domain::{CoreError, Finding, Mailbox, MailboxId};
use shared_models::events::Event;

use crate::{Tenant, UseCases};

/// Outcome of an admission.
pub enum Admission {
    /// The logins were accepted.
    Active(Mailbox),
    /// Not settled in time. The verification goes on, and the mailbox stays even if it is refused.
    Pending(Mailbox),
    /// Refused and removed.
    Refused(Box<Finding>),
}

impl UseCases {
    /// Creates a mailbox and waits for its verification.
    ///
    /// If the gateway dies while waiting, the client got no answer, and a refused mailbox is deleted. If only the
    /// client disconnects, HTTP/1.1 does not notify the gateway, which goes on waiting.
    ///
    /// # Errors
    /// `Conflict` when the mailbox was removed meanwhile.
    pub async fn admit_mailbox(&self, tenant: Tenant, new: NewMailbox) -> Result<Admission, CoreError> {
        let events = self.events();
        let mailbox = self.create_mailbox(tenant, new).await?;
        let id = mailbox.id;
        let settles = |event: &Event| match event {
            Event::MailboxActivated(about) | Event::MailboxVerificationFailed(about) => about.mailbox_id == id,
            _ => false,
        };
        let settled = self.wait_for(events, self.patience, settles, async || self.verdict(tenant, id).await).await?;
        if let Some(settled) = settled {
            return Ok(settled);
        }
        // The answer names the mailbox, so a later refusal must not delete it.
        if self.store.keep_when_refused(tenant.workspace, id).await? {
            return Ok(Admission::Pending(mailbox));
        }
        // It was settled between the last look and this moment.
        Ok(self.verdict(tenant, id).await?.unwrap_or(Admission::Pending(mailbox)))
    }

    async fn verdict(&self, tenant: Tenant, id: MailboxId) -> Result<Option<Admission>, CoreError> {
        let removed = |error| match error {
            CoreError::NotFound(_) => CoreError::Conflict("The mailbox was removed while it was verified"),
            error => error,
        };
        Ok(match self.store.connection_test(tenant.workspace, id).await.map_err(removed)? {
            ConnectionTest::Pending => None,
            ConnectionTest::Passed => {
                Some(Admission::Active(self.store.find_mailbox(tenant.workspace, id).await.map_err(removed)?))
            }
            ConnectionTest::Failed(finding) => Some(Admission::Refused(finding)),
        })
    }
}

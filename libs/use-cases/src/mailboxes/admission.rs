//! A mailbox whose creation is answered with the result of its logins.

use shared_models::domain::mailboxes::{ConnectionTest, NewMailbox};
use shared_models::domain::{CoreError, Finding, Mailbox, MailboxId};
use shared_models::events::Event;

use crate::{Tenant, UseCases};

/// How it ended.
pub enum Admission {
    /// The logins were accepted.
    Active(Mailbox),
    /// Not settled in time; it goes on, and the mailbox stays whatever comes out.
    Pending(Mailbox),
    /// Refused; nothing is left of it.
    Refused(Box<Finding>),
}

impl UseCases {
    /// Accepts a mailbox and waits for its verification. A caller that goes away meanwhile gets no answer,
    /// so a refusal then leaves nothing behind either.
    ///
    /// # Errors
    /// `Conflict` when somebody removed the mailbox meanwhile.
    pub async fn admit_mailbox(&self, tenant: Tenant, new: NewMailbox) -> Result<Admission, CoreError> {
        let news = self.news();
        let mailbox = self.create_mailbox(tenant, new).await?;
        let id = mailbox.id;
        let settles = |event: &Event| match event {
            Event::MailboxActivated(about) | Event::MailboxVerificationFailed(about) => about.mailbox_id == id,
            _ => false,
        };
        let settled = self.wait_for(news, self.patience, settles, async || self.verdict(tenant, id).await).await?;
        if let Some(settled) = settled {
            return Ok(settled);
        }
        // From now on the caller knows of it, so it has to stay.
        if self.store.keep_when_refused(tenant.workspace, id).await? {
            return Ok(Admission::Pending(mailbox));
        }
        // In the last moment.
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

//! A dialect's words for webhooks. The service that announces and delivers knows dialects by this trait only.

use shared_models::domain::webhooks::{WebhookDialect, WebhookEvent, WebhookJob};
use shared_models::domain::{CoreError, Mailbox, Timestamp, WorkspaceId};
use shared_models::events::{Envelope, Event, MailboxRef};
use shared_models::store::RefusedMailbox;

/// The facts behind an event that is announced to webhooks.
pub enum Announcement {
    /// The mailbox sends and receives from now on.
    Activated(Box<Mailbox>),
    /// The mailbox was refused.
    Refused(MailboxRef, RefusedMailbox),
    /// The DNS report differs from the previous one, or is the first.
    DnsChanged(Box<Mailbox>),
}

/// How a dialect words its webhook posts.
pub trait WebhookWords: Sync {
    /// Whose webhooks these are.
    fn dialect(&self) -> WebhookDialect;

    /// The dialect's name of such an event; `None` if it is not announced to its webhooks.
    fn event_type(&self, event: &Event) -> Option<&'static str>;

    /// The body to be posted.
    ///
    /// # Errors
    /// `Internal` if it cannot be serialised, or if the dialect announces no such event.
    fn event(
        &self,
        envelope: &Envelope,
        workspace: WorkspaceId,
        announcement: Announcement,
    ) -> Result<WebhookEvent, CoreError>;

    /// The headers of one attempt, beside the type of its content. Names in lower case.
    fn headers(&self, job: &WebhookJob, now: Timestamp) -> Vec<(&'static str, String)>;
}

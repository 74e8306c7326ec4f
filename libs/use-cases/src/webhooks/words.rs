//! The words of a dialect for webhooks. webhook-service knows dialects by this trait only.

use shared_models::domain::webhooks::{WebhookDialect, WebhookEvent, WebhookJob};
use shared_models::domain::{CoreError, Mailbox, Timestamp, WorkspaceId};
use shared_models::events::{Envelope, Event, MailboxRef};
use shared_models::store::RefusedMailbox;

/// The facts behind an event that is announced to webhooks.
pub enum Announcement {
    /// The mailbox became active.
    Activated(Box<Mailbox>),
    /// The mailbox was refused.
    Refused(MailboxRef, RefusedMailbox),
    /// The DNS report differs from the previous one, or is the first.
    DnsChanged(Box<Mailbox>),
}

/// Renders the posts of a dialect.
pub trait WebhookWords: Sync {
    /// Posts go to webhooks of this dialect only.
    fn dialect(&self) -> WebhookDialect;

    /// The name of the event's type in this dialect; `None` if the dialect does not announce it.
    fn event_type(&self, event: &Event) -> Option<&'static str>;

    /// The event as it is stored and posted.
    ///
    /// # Errors
    /// `Internal` if it cannot be serialised, or if the dialect announces no such event.
    fn event(
        &self,
        envelope: &Envelope,
        workspace: WorkspaceId,
        announcement: Announcement,
    ) -> Result<WebhookEvent, CoreError>;

    /// The headers of one attempt beside `content-type`, with names in lower case.
    fn headers(&self, job: &WebhookJob, now: Timestamp) -> Vec<(&'static str, String)>;
}

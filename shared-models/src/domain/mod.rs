//! The domain: types and rules without I/O. A folder for each subject; `store`, the use cases, the dialects and the
//! tests have the same folders.

pub mod core;
pub mod diagnosis;
pub mod hosted;
pub mod imports;
pub mod mailboxes;
pub mod sending_accounts;
pub mod sending_domains;
pub mod tenancy;
pub mod webhooks;

pub use self::core::{
    ApiKeyId, CoreError, CredentialId, Credentials, DeletionId, DomainId, EmailAddress, EventId, FieldError,
    HostedMailboxId, ImportId, LimitIncreaseId, LoginSecret, LoginTestId, MailDomain, MailboxId, OwnerId, Password,
    Security, SendingAccountId, ServerEndpoint, TestEmailId, Timestamp, WebhookDeliveryId, WebhookEventId, WebhookId,
    WorkspaceId,
};
pub use diagnosis::{DnsReport, FailureCode, Finding, LegReport, LoginReport};
pub use mailboxes::{Mailbox, MailboxStatus};

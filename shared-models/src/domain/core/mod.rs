//! The types that every other part uses: addresses, hosts, ids, secrets, time, errors.

mod credentials;
mod email_address;
mod error;
mod ids;
mod mail_domain;
mod server_endpoint;
mod timestamp;

pub use credentials::{Credentials, LoginSecret, Password};
pub use email_address::{EmailAddress, EmailError};
pub use error::{CoreError, FieldError};
pub use ids::{
    ApiKeyId, CredentialId, DeletionId, DomainId, EventId, HostedMailboxId, ImportId, LimitIncreaseId, LoginTestId,
    MailboxId, MalformedId, OwnerId, SendingAccountId, TestEmailId, WebhookDeliveryId, WebhookEventId, WebhookId,
    WorkspaceId,
};
pub use mail_domain::{InvalidDomain, MailDomain, is_within};
pub use server_endpoint::{HostError, Security, ServerEndpoint, TlsPlan};
pub use timestamp::Timestamp;

//! The domain core: types and rules without I/O.

pub mod checks;
pub mod credentials;
pub mod dns_report;
pub mod domain_records;
pub mod domains;
pub mod email_address;
pub mod error;
pub mod failure_codes;
pub mod filters;
pub mod hosted;
pub mod ids;
pub mod import;
pub mod lifecycle;
pub mod mail_domain;
pub mod mailbox;
pub mod provider_tests;
pub mod providers;
pub mod server_endpoint;
pub mod tenancy;
pub mod test_email;
pub mod timestamp;
pub mod webhooks;

pub use checks::{Finding, LegReport, LoginReport};
pub use credentials::{Credentials, LoginSecret, Password};
pub use dns_report::DnsReport;
pub use email_address::EmailAddress;
pub use error::{DomainError, FieldError};
pub use failure_codes::FailureCode;
pub use ids::{
    ApiKeyId, CredentialId, DeletionId, DomainId, EventId, HostedMailboxId, ImportId, LimitIncreaseId, MailboxId,
    OwnerId, ProviderId, ProviderTestId, TestEmailId, WebhookDeliveryId, WebhookEventId, WebhookId, WorkspaceId,
};
pub use mail_domain::MailDomain;
pub use mailbox::{Mailbox, MailboxStatus};
pub use server_endpoint::{Security, ServerEndpoint};
pub use timestamp::Timestamp;

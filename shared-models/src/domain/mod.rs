//! The domain core: types and rules without I/O.

pub mod checks;
pub mod credentials;
pub mod dns_report;
pub mod email_address;
pub mod error;
pub mod failure_codes;
pub mod ids;
pub mod import;
pub mod lifecycle;
pub mod mailbox;
pub mod server_endpoint;
pub mod tenancy;
pub mod test_email;
pub mod timestamp;

pub use checks::{Finding, LegReport, LoginReport};
pub use credentials::{Credentials, LoginSecret, Password};
pub use dns_report::DnsReport;
pub use email_address::EmailAddress;
pub use error::{DomainError, FieldError};
pub use failure_codes::FailureCode;
pub use ids::{ApiKeyId, DeletionId, EventId, ImportId, MailboxId, OwnerId, TestEmailId, WorkspaceId};
pub use mailbox::{Mailbox, MailboxStatus};
pub use server_endpoint::{Security, ServerEndpoint};
pub use timestamp::Timestamp;

//! SMTP accounts of a tenant's own through which mail is sent (Sendmux calls them providers), and the tests of their logins.

mod account;
mod login_tests;

pub use account::{
    NewProvider, ProviderChange, ProviderLimit, ProviderStatus, Quota, Quotas, QuotasChange, Sender, SendingProvider,
    SmtpProtocol,
};
pub use login_tests::{ProviderTest, ProviderTestJob, ProviderTestResult, Standing, TestOutcome};

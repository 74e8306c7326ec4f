//! SMTP accounts of a tenant's own through which mail is sent (Sendmux calls them providers), and the tests of their logins.

mod account;
mod login_tests;
mod standing;

pub use account::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccount, SendingAccountChange, SendingAccountLimit,
    SmtpProtocol,
};
pub use login_tests::{LoginTest, LoginTestJob, LoginTestResult};
pub use standing::{SendingAccountStatus, Standing, TestOutcome};

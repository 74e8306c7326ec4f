//! SMTP accounts of a tenant's own through which mail is sent (Sendmux calls them providers), and the tests of their logins.

mod account;
mod login_tests;

pub use account::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccount, SendingAccountChange, SendingAccountLimit,
    SendingAccountStatus, SmtpProtocol,
};
pub use login_tests::{LoginTest, LoginTestJob, LoginTestResult, Standing, TestOutcome};

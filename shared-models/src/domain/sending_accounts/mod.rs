//! A tenant's own SMTP accounts, through which mail is sent, and the tests of their logins. Sendmux calls them
//! providers.

mod account;
mod login_tests;
mod standing;

pub use account::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccount, SendingAccountChange, SendingAccountLimit,
    SmtpProtocol,
};
pub use login_tests::{LoginTest, LoginTestJob, LoginTestResult};
pub use standing::{SendingAccountStatus, Standing, TestOutcome};

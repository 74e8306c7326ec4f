//! Login tests of sending accounts, as they are requested, made and read.

use crate::domain::{LoginSecret, LoginTestId, SendingAccountId, ServerEndpoint, Timestamp};

/// A login test and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct LoginTest {
    pub id: LoginTestId,
    pub sending_account_id: SendingAccountId,
    /// `None` until the test has ended.
    pub result: Option<LoginTestResult>,
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTestResult {
    /// True if the server accepted the login.
    pub success: bool,
    /// Plain words for the tenant, without secrets.
    pub message: String,
    /// Duration of the login; 0 if the server was not asked.
    pub latency_ms: i64,
    /// The time of the server's decision, which may be that of an earlier test.
    pub tested_at: Timestamp,
}

/// The input of one login test. The vault has opened the password.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct LoginTestJob {
    pub smtp: ServerEndpoint,
    pub secret: LoginSecret,
}

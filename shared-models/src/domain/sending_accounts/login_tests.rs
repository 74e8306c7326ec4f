//! Tests of the logins of sending accounts, as they are asked for, made and read.

use crate::domain::{LoginSecret, LoginTestId, SendingAccountId, ServerEndpoint, Timestamp};

/// A test of a provider's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTest {
    /// Identity.
    pub id: LoginTestId,
    /// Whose login.
    pub sending_account_id: SendingAccountId,
    /// How it ended; `None` until then.
    pub result: Option<LoginTestResult>,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTestResult {
    /// The server accepted the login.
    pub success: bool,
    /// Plain words for the tenant.
    pub message: String,
    /// How long it took; 0 when the server was not asked.
    pub latency_ms: i64,
    /// When the server decided.
    pub tested_at: Timestamp,
}

/// What a worker needs to test a login. The password is opened by the vault.
#[derive(Clone, Debug)]
pub struct LoginTestJob {
    /// Submission server.
    pub smtp: ServerEndpoint,
    /// For the login.
    pub secret: LoginSecret,
}

//! Logins as Dovecot logs them.

use std::collections::BTreeMap;

use crate::scripted::Protocol;

/// Logins by user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginLog {
    imap: BTreeMap<String, u64>,
    smtp: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
}

impl LoginLog {
    /// Logins that succeeded.
    pub fn accepted(&self, protocol: Protocol, user: &str) -> u64 {
        let counts = match protocol {
            Protocol::Smtp => &self.smtp,
            Protocol::Imap => &self.imap,
        };
        counts.get(user).copied().unwrap_or_default()
    }

    /// Wrong passwords and unknown users, in both protocols together (the authentication process does not log
    /// which it was).
    pub fn refused(&self, user: &str) -> u64 {
        self.refused.get(user).copied().unwrap_or_default()
    }
}

/// Reads lines such as these (Dovecot 2.3.19):
/// ```text
/// imap-login: Info: Login: user=<a@x.test>, method=PLAIN, rip=127.0.0.1, ...
/// submission-login: Info: Login: user=<a@x.test>, method=PLAIN, ...
/// auth-worker(9): Info: conn unix:auth-worker (pid=8,uid=1): auth-worker<1>: dict(a@x.test,127.0.0.1,<id>): Password mismatch
/// auth-worker(9): Info: conn unix:auth-worker (pid=8,uid=1): auth-worker<3>: dict(b@x.test,127.0.0.1,<id>): unknown user
/// ```
pub(super) fn parse(text: &str) -> LoginLog {
    let mut log = LoginLog::default();
    for line in text.lines() {
        let refusal = ["Password mismatch", "unknown user"].iter().any(|words| line.contains(words));
        if let Some(user) = between(line, "Info: Login: user=<", ">") {
            let counts = if line.contains("submission-login:") { &mut log.smtp } else { &mut log.imap };
            *counts.entry(user).or_default() += 1;
        } else if refusal && let Some(user) = between(line, ": dict(", ",") {
            *log.refused.entry(user).or_default() += 1;
        }
    }
    log
}

fn between(line: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = line.split_once(before)?;
    Some(rest.split_once(after)?.0.to_string())
}

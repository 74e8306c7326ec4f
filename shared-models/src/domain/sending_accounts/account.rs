//! Sending accounts: a tenant's own SMTP accounts. Pure; no I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::core::HostError;
use crate::domain::sending_accounts::standing::Standing;
use crate::domain::{LoginSecret, Password, Security, SendingAccountId, ServerEndpoint, Timestamp, WorkspaceId};

/// The tenant's word for the security of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum SmtpProtocol {
    Tls,
    Ssl,
    Starttls,
    /// Encrypted when the server offers it.
    None,
}

impl SmtpProtocol {
    /// Every variant, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Tls, Self::Ssl, Self::Starttls, Self::None];

    /// The word that rows of the database hold.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Ssl => "ssl",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }

    /// The reverse of [`Self::as_str`]; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == word)
    }

    /// `tls`, `ssl` and `starttls` all mean that everything is encrypted. The port decides in which way
    /// ([`ServerEndpoint::tls_plan`]), not the word: mail programs disagree on the meaning of "SSL" and "TLS", and
    /// people copy their settings. `none` uses encryption if the server offers it. Without it a password is sent only
    /// if the operator allows that.
    pub fn security(self) -> Security {
        match self {
            Self::Tls | Self::Ssl | Self::Starttls => Security::Required,
            Self::None => Security::Opportunistic,
        }
    }
}

/// The cap of one window: a random number of mails between the two. A fixed cap has both alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// From 1.
    pub min: i64,
    /// From `min` upwards.
    pub max: i64,
}

/// The caps of all windows; `None` for no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Quotas {
    pub per_second: Option<Quota>,
    pub per_minute: Option<Quota>,
    pub per_hour: Option<Quota>,
    pub per_day: Option<Quota>,
}

/// A change of caps. A window that is `None` keeps its cap, one that is `Some(None)` loses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct QuotasChange {
    pub per_second: Option<Option<Quota>>,
    pub per_minute: Option<Option<Quota>>,
    pub per_hour: Option<Option<Quota>>,
    pub per_day: Option<Option<Quota>>,
}

impl QuotasChange {
    /// The caps after the change.
    pub fn applied_to(self, before: Quotas) -> Quotas {
        Quotas {
            per_second: self.per_second.unwrap_or(before.per_second),
            per_minute: self.per_minute.unwrap_or(before.per_minute),
            per_hour: self.per_hour.unwrap_or(before.per_hour),
            per_day: self.per_day.unwrap_or(before.per_day),
        }
    }
}

/// The sender of mails that go through an account and do not name one themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Sender {
    pub from_email: Option<String>,
    pub from_name: Option<String>,
    pub reply_to_email: Option<String>,
    pub reply_to_name: Option<String>,
}

/// A sending account as read from the store. It holds no password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct SendingAccount {
    pub id: SendingAccountId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// Submission server; its security follows from `protocol`.
    pub smtp: ServerEndpoint,
    pub protocol: SmtpProtocol,
    pub username: String,
    pub standing: Standing,
    pub sender: Sender,
    pub quotas: Quotas,
    /// Share of the workspace's mails in percent, 0-100.
    pub percentage: i32,
    /// Host name of counted links.
    pub tracking_domain: Option<String>,
    /// Values for templates, by their names.
    pub variables: BTreeMap<String, String>,
    /// The last test in which the server was asked.
    pub last_tested_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl SendingAccount {
    /// True if nothing that was known about the login of `before` holds for this one. Another way to the same server
    /// (with TLS or without) does not make a refused password valid.
    pub fn is_other_login(&self, before: &Self, has_other_password: bool, was_refused: bool) -> bool {
        let has_other_server = (self.smtp.host(), self.smtp.port()) != (before.smtp.host(), before.smtp.port());
        let has_other_way = self.smtp.security() != before.smtp.security();
        has_other_password || has_other_server || self.username != before.username || (has_other_way && !was_refused)
    }
}

/// A sending account to be added.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewSendingAccount {
    pub name: String,
    /// Submission server; its security follows from `protocol`.
    pub smtp: ServerEndpoint,
    pub protocol: SmtpProtocol,
    pub secret: LoginSecret,
    pub sender: Sender,
    pub quotas: Quotas,
    /// Share of the workspace's mails in percent, 0-100.
    pub percentage: i32,
    /// Host name of counted links.
    pub tracking_domain: Option<String>,
    /// Values for templates, by their names.
    pub variables: BTreeMap<String, String>,
}

/// A change to a sending account; `None` leaves a member as it is, `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct SendingAccountChange {
    pub name: Option<String>,
    /// A host as [`ServerEndpoint::host`] returns it.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub protocol: Option<SmtpProtocol>,
    pub username: Option<String>,
    pub password: Option<Password>,
    pub from_email: Option<Option<String>>,
    pub from_name: Option<Option<String>>,
    pub reply_to_email: Option<Option<String>>,
    pub reply_to_name: Option<Option<String>>,
    pub quotas: QuotasChange,
    pub percentage: Option<i32>,
    pub tracking_domain: Option<Option<String>>,
    /// Replaces all earlier values.
    pub variables: Option<BTreeMap<String, String>>,
}

impl SendingAccountChange {
    /// The account after the change, except for its password, its standing and the time of the change.
    ///
    /// # Errors
    /// `HostError` for a host that [`ServerEndpoint::parse`] would refuse.
    pub fn applied_to(self, before: SendingAccount) -> Result<SendingAccount, HostError> {
        let protocol = self.protocol.unwrap_or(before.protocol);
        let host = self.host.unwrap_or_else(|| before.smtp.host().to_owned());
        let port = self.port.unwrap_or(before.smtp.port());
        Ok(SendingAccount {
            name: self.name.unwrap_or(before.name),
            smtp: ServerEndpoint::parse(&host, port, protocol.security())?,
            protocol,
            username: self.username.unwrap_or(before.username),
            sender: Sender {
                from_email: self.from_email.unwrap_or(before.sender.from_email),
                from_name: self.from_name.unwrap_or(before.sender.from_name),
                reply_to_email: self.reply_to_email.unwrap_or(before.sender.reply_to_email),
                reply_to_name: self.reply_to_name.unwrap_or(before.sender.reply_to_name),
            },
            quotas: self.quotas.applied_to(before.quotas),
            percentage: self.percentage.unwrap_or(before.percentage),
            tracking_domain: self.tracking_domain.unwrap_or(before.tracking_domain),
            variables: self.variables.unwrap_or(before.variables),
            ..before
        })
    }
}

/// The sending accounts that a workspace has and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct SendingAccountLimit {
    pub usage: i64,
    /// From 1.
    pub max_allowed: i64,
}

impl SendingAccountLimit {
    /// The limit under a plan that sets none.
    const UNLIMITED: i64 = 10_000;

    /// A plan allows as many sending accounts as mailboxes, and always one.
    pub fn new(usage: i64, max_mailboxes: Option<i64>) -> Self {
        Self { usage, max_allowed: max_mailboxes.unwrap_or(Self::UNLIMITED).clamp(1, Self::UNLIMITED) }
    }

    /// The usage from which a higher limit can be requested: 80 %, rounded up.
    pub fn threshold(self) -> i64 {
        (self.max_allowed * 4 + 4) / 5
    }

    /// True from [`Self::threshold`] on.
    pub fn is_near(self) -> bool {
        self.usage >= self.threshold()
    }

    /// True if no further account can be added.
    pub fn is_reached(self) -> bool {
        self.usage >= self.max_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_near_from_four_fifths_on() {
        for (max, threshold) in [(1, 1), (2, 2), (4, 4), (5, 4), (10, 8), (11, 9), (100, 80)] {
            let limit = |usage| SendingAccountLimit::new(usage, Some(max));
            assert_eq!(limit(0).threshold(), threshold, "{max}");
            assert!(limit(threshold).is_near() && !limit(threshold - 1).is_near());
            assert!(limit(max).is_reached() && !limit(max - 1).is_reached());
        }
        assert_eq!(SendingAccountLimit::new(0, None).max_allowed, 10_000);
        assert_eq!(SendingAccountLimit::new(0, Some(0)).max_allowed, 1);
    }

    #[test]
    fn a_change_leaves_other_windows_alone() {
        let quota = |n| Some(Quota { min: n, max: n });
        let before = Quotas { per_second: quota(1), per_minute: quota(2), per_hour: None, per_day: quota(4) };
        let change = QuotasChange { per_second: Some(None), per_hour: Some(quota(3)), ..QuotasChange::default() };
        let after = Quotas { per_second: None, per_minute: quota(2), per_hour: quota(3), per_day: quota(4) };
        assert_eq!(change.applied_to(before), after);
        assert_eq!(QuotasChange::default().applied_to(before), before);
    }
}

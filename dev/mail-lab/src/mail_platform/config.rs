//! The values for the templates of `deploy/mail-platform`, which are filled in by the script beside them.

use std::path::{Path, PathBuf};

use super::{DOVEADM_KEY, MailPlatformPorts};
use crate::error::LabError;
use crate::process::{RunAs, run};

pub(super) struct Values {
    pub(super) ports: MailPlatformPorts,
    pub(super) database_url: String,
    /// Where mail to the world goes.
    pub(super) relay_port: u16,
    /// There is one to be asked.
    pub(super) gateway: bool,
}

/// The folder of the templates.
pub(super) fn templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/mail-platform")
}

impl Values {
    /// Writes the configuration of both servers into `dir/config`.
    pub(super) fn render(&self, dir: &Path, user: &RunAs) -> Result<(), LabError> {
        let below = |name: &str| dir.join(name).display().to_string();
        let ports = &self.ports;
        let (policy, milter) = if self.gateway {
            let policy = format!("check_policy_service inet:127.0.0.1:{},", ports.policy);
            (policy, format!("inet:127.0.0.1:{}", ports.milter))
        } else {
            (String::new(), String::new())
        };
        let values = [
            ("RUN", below("run")),
            ("CONFIG", below("config")),
            ("MAIL", below("mail")),
            ("QUEUE", below("queue")),
            ("POSTFIX_LOG", below("run/log")),
            ("CERTIFICATE", below("server.crt")),
            ("CERTIFICATE_KEY", below("server.key")),
            ("HOSTNAME", "mail.example.test".to_owned()),
            ("LISTEN", "127.0.0.1".to_owned()),
            ("INTERFACES", "127.0.0.1".to_owned()),
            ("DOVEADM_LISTEN", "127.0.0.1".to_owned()),
            ("DOVEADM_KEY", DOVEADM_KEY.to_owned()),
            ("DATABASE_URL", self.database_url.clone()),
            ("DNS_FILTER", String::new()),
            ("RELAYHOST", format!("[127.0.0.1]:{}", self.relay_port)),
            ("POLICY", policy),
            ("MILTER", milter),
            ("FAILURE_DELAY", "0".to_owned()),
            ("PENALTY_MODE", "0".to_owned()),
            ("MAIL_USER", user.name.clone()),
            ("MAIL_GROUP", user.group_name()?),
            ("MAIL_UID", user.uid.to_string()),
            ("MAIL_GID", user.gid.to_string()),
            ("MX_PORT", ports.mx.to_string()),
            ("IMAPS_PORT", ports.imaps.to_string()),
            ("SUBMISSION_PORT", ports.submission.to_string()),
            ("SUBMISSIONS_PORT", ports.submissions.to_string()),
            ("DOVEADM_PORT", ports.doveadm.to_string()),
            ("LMTP_PORT", ports.lmtp.to_string()),
            ("RELAY_PORT", ports.relay.to_string()),
            ("QUOTA_PORT", ports.quota.to_string()),
            ("AUTH_PORT", ports.auth.to_string()),
        ];
        let mut command = vec!["env".to_owned()];
        command.extend(values.map(|(name, value)| format!("{name}={value}")));
        command.extend([templates().join("render").display().to_string(), below("config")]);
        run("filling in the templates of deploy/mail-platform", &command).map(drop)
    }
}

//! Dovecot's configuration: everything as one plain user, in one folder.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use super::DovecotPorts;
use crate::error::{IoContext, LabError};
use crate::process::RunAs;

/// `@...@` are filled in by [`write`]. Dovecot wants inner braces on lines of their own.
///
/// Stock settings punish failed logins of an address with up to 17 seconds, hence `auth_failure_delay` and the
/// penalty socket without permissions.
const TEMPLATE: &str = "
base_dir = @DIR@/run
state_dir = @DIR@/state
log_path = /dev/stderr
protocols = imap submission
listen = @IP@
default_internal_user = @USER@
default_internal_group = @GROUP@
default_login_user = @USER@
first_valid_uid = 1
mail_location = maildir:~/Maildir
ssl = yes
ssl_cert = <@DIR@/server.crt
ssl_key = <@DIR@/server.key
auth_mechanisms = plain login
auth_verbose = yes
auth_failure_delay = 0
hostname = mail.example.test
submission_relay_host = 127.0.0.1
submission_relay_port = @RELAY@
mail_max_userip_connections = 1000
passdb {
  driver = dict
  args = @DIR@/dict.conf
}
userdb {
  driver = static
  args = uid=@UID@ gid=@GID@ home=@DIR@/mail/%d/%n
}
service imap-login {
  chroot =
  service_count = 0
  process_min_avail = 2
  client_limit = 4000
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = @IMAPS@
    ssl = yes
  }
}
service submission-login {
  chroot =
  service_count = 0
  process_min_avail = 2
  client_limit = 4000
  inet_listener submission {
    port = @SUBMISSION@
  }
  inet_listener submissions {
    port = @SUBMISSIONS@
    ssl = yes
  }
}
service imap {
  service_count = 1000
  process_limit = 4000
}
service submission {
  service_count = 1000
  process_limit = 4000
}
service auth {
  client_limit = 20000
}
service anvil {
  chroot =
  client_limit = 20000
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
  client_limit = 20000
}
";

const DICT: &str = "
uri = fs:posix:prefix=@DIR@/users/
default_pass_scheme = PLAIN
key pass {
  key = %u
  format = json
}
passdb_objects = pass
";

pub(super) fn write(
    dir: &Path,
    user: &RunAs,
    ip: IpAddr,
    ports: DovecotPorts,
    relay_port: u16,
) -> Result<(), LabError> {
    let values = [
        ("@DIR@", dir.display().to_string()),
        ("@IP@", ip.to_string()),
        ("@USER@", user.name.clone()),
        ("@GROUP@", user.group_name()?),
        ("@UID@", user.uid.to_string()),
        ("@GID@", user.gid.to_string()),
        ("@RELAY@", relay_port.to_string()),
        ("@IMAP@", ports.imap.to_string()),
        ("@IMAPS@", ports.imaps.to_string()),
        ("@SUBMISSION@", ports.submission.to_string()),
        ("@SUBMISSIONS@", ports.submissions.to_string()),
    ];
    let filled = |template: &str| {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        values.iter().fold(template.to_string(), fill)
    };
    fs::write(dir.join("dovecot.conf"), filled(TEMPLATE)).doing("writing dovecot.conf")?;
    fs::write(dir.join("dict.conf"), filled(DICT)).doing("writing dict.conf")
}

//! Response bodies about mailboxes and their keys.

use serde::Serialize;
use service_runtime::settings::MailPlatformSettings;
use shared_models::domain::hosted::{Availability, HostedMailbox, IssuedKey, ProvisionedMailbox, SendScope};
use utoipa::ToSchema;

use crate::sendmux::ids;

/// A mailbox.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMailbox)]
pub(in crate::sendmux) struct Mailbox {
    id: String,
    email: String,
    #[schema(required)]
    display_name: Option<String>,
    #[schema(required)]
    quota_bytes: Option<i64>,
    #[schema(required)]
    send_scope: Option<Scope>,
    #[schema(pattern = "^(active|suspended|deleted)$")]
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Through which sending accounts it may send.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxSendScope)]
struct Scope {
    #[schema(pattern = "^(all|providers|group)$")]
    r#type: &'static str,
    provider_public_ids: Vec<String>,
    group_public_ids: Vec<String>,
}

/// A new mailbox. The secret is returned only here, in three views of the same.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProvisionedMailbox)]
pub(in crate::sendmux) struct Provisioned<'a> {
    mailbox: Mailbox,
    #[schema(required)]
    api_key: Option<ApiKey<'a>>,
    #[schema(required)]
    imap_smtp_credentials: Option<ImapSmtpCredentials<'a>>,
    #[schema(required)]
    credential: Option<Credential<'a>>,
    /// Always `null`: a mailbox without a key is not provisioned.
    #[schema(required)]
    warning: Option<String>,
}

/// A new key. The secret is returned only here, in three views of the same: it is the password of IMAP and SMTP.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxIssuedKey)]
pub(in crate::sendmux) struct Key<'a> {
    #[schema(required)]
    api_key: Option<ApiKey<'a>>,
    #[schema(required)]
    imap_smtp_credentials: Option<ImapSmtpCredentials<'a>>,
    #[schema(required)]
    credential: Option<Credential<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMailboxApiKey)]
struct ApiKey<'a> {
    public_id: String,
    key: &'a str,
    key_prefix: &'a str,
    key_suffix: &'a str,
}

/// IMAP in implicit TLS, submission with STARTTLS.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxImapSmtpCredentials)]
struct ImapSmtpCredentials<'a> {
    server: &'a str,
    imap_port: u16,
    smtp_port: u16,
    username: &'a str,
    password: &'a str,
}

/// Both of them in one.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMailboxCredential)]
struct Credential<'a> {
    public_id: String,
    secret: &'a str,
    key_prefix: &'a str,
    key_suffix: &'a str,
    server: &'a str,
    imap_port: u16,
    smtp_port: u16,
    username: &'a str,
}

/// Availability of an address for a new mailbox.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxAvailability)]
pub(in crate::sendmux) struct Available {
    email: String,
    available: bool,
    #[schema(pattern = "^(available|invalid_email|domain_not_available|taken|reserved|cleanup_pending)$")]
    reason: &'static str,
}

impl From<&HostedMailbox> for Mailbox {
    fn from(mailbox: &HostedMailbox) -> Self {
        Self {
            id: ids::mailbox::encode(mailbox.id),
            email: mailbox.email.as_str().to_owned(),
            display_name: mailbox.display_name.clone(),
            quota_bytes: Some(mailbox.quota_bytes),
            send_scope: Some(Scope::from(&mailbox.send_scope)),
            status: mailbox.status.as_str(),
            created_at: mailbox.created_at.to_rfc3339(),
        }
    }
}

impl From<&SendScope> for Scope {
    fn from(scope: &SendScope) -> Self {
        let (r#type, providers) = match scope {
            SendScope::All => ("all", &[][..]),
            SendScope::Providers(ids) => ("providers", &ids[..]),
        };
        let provider_public_ids = providers.iter().map(|id| ids::provider::encode(*id)).collect();
        Self { r#type, provider_public_ids, group_public_ids: vec![] }
    }
}

impl<'a> Provisioned<'a> {
    pub(in crate::sendmux) fn new(made: &'a ProvisionedMailbox, platform: &'a MailPlatformSettings) -> Self {
        let Key { api_key, imap_smtp_credentials, credential } = Key::new(&made.key, platform);
        Self { mailbox: Mailbox::from(&made.mailbox), api_key, imap_smtp_credentials, credential, warning: None }
    }
}

impl<'a> Key<'a> {
    pub(in crate::sendmux) fn new(issued: &'a IssuedKey, platform: &'a MailPlatformSettings) -> Self {
        let public_id = ids::credential::encode(issued.key.id);
        let (key_prefix, key_suffix) = (issued.key.prefix.as_str(), issued.key.suffix.as_str());
        let (text, username) = (issued.text.expose(), issued.username.as_str());
        let (server, imap_port, smtp_port) = (platform.hostname.as_str(), platform.imap_port, platform.smtp_port);
        Self {
            api_key: Some(ApiKey { public_id: public_id.clone(), key: text, key_prefix, key_suffix }),
            imap_smtp_credentials: Some(ImapSmtpCredentials { server, imap_port, smtp_port, username, password: text }),
            credential: Some(Credential {
                public_id,
                secret: text,
                key_prefix,
                key_suffix,
                server,
                imap_port,
                smtp_port,
                username,
            }),
        }
    }
}

impl Available {
    pub(in crate::sendmux) fn new(email: String, availability: Availability) -> Self {
        let reason = match availability {
            Availability::Available => "available",
            Availability::InvalidEmail => "invalid_email",
            Availability::DomainNotAvailable => "domain_not_available",
            Availability::Taken => "taken",
            Availability::Reserved => "reserved",
        };
        Self { email, available: availability == Availability::Available, reason }
    }
}

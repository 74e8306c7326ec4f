//! Permissions of a key, named `namespace.action`, and roles, which stand for many permissions. A key without any
//! may do everything.

/// The permission that a route requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    ProviderRead,
    ProviderCreate,
    ProviderUpdate,
    ProviderDelete,
    DomainRead,
    DomainCreate,
    DomainVerify,
    DomainDelete,
    MailboxRead,
    MailboxCreate,
    MailboxDelete,
    MailboxManage,
    WebhookRead,
    WebhookCreate,
    WebhookUpdate,
    WebhookDelete,
    WebhookManage,
}

/// The role that keys without any permission have.
const FULL: &str = "root:full";
const READONLY: &str = "root:readonly";
const WEBHOOK_ADMIN: &str = "root:webhook_admin";
const PROVIDER_ADMIN: &str = "root:provider_admin";
const ROLES: [&str; 4] = [FULL, READONLY, WEBHOOK_ADMIN, PROVIDER_ADMIN];
/// Stands for all of a namespace, at the end of a name.
const ANY: &str = ".*";

impl Permission {
    pub(super) const ALL: [Self; 17] = [
        Self::ProviderRead,
        Self::ProviderCreate,
        Self::ProviderUpdate,
        Self::ProviderDelete,
        Self::DomainRead,
        Self::DomainCreate,
        Self::DomainVerify,
        Self::DomainDelete,
        Self::MailboxRead,
        Self::MailboxCreate,
        Self::MailboxDelete,
        Self::MailboxManage,
        Self::WebhookRead,
        Self::WebhookCreate,
        Self::WebhookUpdate,
        Self::WebhookDelete,
        Self::WebhookManage,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ProviderRead => "provider.read",
            Self::ProviderCreate => "provider.create",
            Self::ProviderUpdate => "provider.update",
            Self::ProviderDelete => "provider.delete",
            Self::DomainRead => "domain.read",
            Self::DomainCreate => "domain.create",
            Self::DomainVerify => "domain.verify",
            Self::DomainDelete => "domain.delete",
            Self::MailboxRead => "mailbox.admin.read",
            Self::MailboxCreate => "mailbox.admin.create",
            Self::MailboxDelete => "mailbox.admin.delete",
            Self::MailboxManage => "mailbox.admin.manage",
            Self::WebhookRead => "webhook.read",
            Self::WebhookCreate => "webhook.create",
            Self::WebhookUpdate => "webhook.update",
            Self::WebhookDelete => "webhook.delete",
            Self::WebhookManage => "webhook.manage",
        }
    }

    /// True if a key with these permissions and roles has this permission.
    pub(super) fn is_among(self, granted: &[String]) -> bool {
        let covers = |grant: &String| match grant.as_str() {
            FULL => true,
            READONLY => self.name().ends_with(".read"),
            WEBHOOK_ADMIN => self.is_of("webhook"),
            // Routing and logs, which belong to it too, have no route here.
            PROVIDER_ADMIN => self.is_of("provider") || self.is_of("domain"),
            name => name.strip_suffix(ANY).map_or(name == self.name(), |namespace| self.is_of(namespace)),
        };
        granted.is_empty() || granted.iter().any(covers)
    }

    fn is_of(self, namespace: &str) -> bool {
        self.name().strip_prefix(namespace).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// The names of everything that a key with these permissions and roles may do.
pub(super) fn effective(granted: &[String]) -> Vec<&'static str> {
    Permission::ALL.into_iter().filter(|permission| permission.is_among(granted)).map(Permission::name).collect()
}

/// Checks that a new key can be given these permissions and roles.
///
/// # Errors
/// Plain text that names those that it cannot be given.
pub(super) fn check_names(names: &[String]) -> Result<(), String> {
    let known = |name: &str| match name.strip_suffix(ANY) {
        Some(namespace) => Permission::ALL.into_iter().any(|permission| permission.is_of(namespace)),
        None => ROLES.contains(&name) || Permission::ALL.into_iter().any(|permission| permission.name() == name),
    };
    let unknown: Vec<String> = names.iter().filter(|name| !known(name)).map(|name| format!("\"{name}\"")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = ROLES.into_iter().chain(Permission::ALL.map(Permission::name)).collect();
    Err(format!(
        "no permission or role of a sendmux-root key: {}; there are {}, and a namespace with .* behind it",
        unknown.join(", "),
        all.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::Permission as P;
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn who_may_do_what() {
        let providers = [P::ProviderRead, P::ProviderCreate, P::ProviderUpdate, P::ProviderDelete];
        let domains = [P::DomainRead, P::DomainCreate, P::DomainVerify, P::DomainDelete];
        let mailboxes = [P::MailboxRead, P::MailboxCreate, P::MailboxDelete, P::MailboxManage];
        let webhooks = [P::WebhookRead, P::WebhookCreate, P::WebhookUpdate, P::WebhookDelete, P::WebhookManage];
        for (granted, may) in [
            (&[][..], &P::ALL[..]),
            (&["root:full"], &P::ALL),
            (&["root:readonly"], &[P::ProviderRead, P::DomainRead, P::MailboxRead, P::WebhookRead]),
            (&["root:webhook_admin"], &webhooks),
            (&["root:provider_admin"], &[providers, domains].concat()),
            (&["provider.*"], &providers),
            (&["domain.*"], &domains),
            (&["mailbox.admin.*"], &mailboxes),
            (&["mailbox.*"], &mailboxes),
            (&["webhook.*"], &webhooks),
            (&["domain.verify"], &[P::DomainVerify]),
            (&["domain.verify", "provider.read"], &[P::ProviderRead, P::DomainVerify]),
            (
                &["root:readonly", "webhook.manage"],
                &[P::ProviderRead, P::DomainRead, P::MailboxRead, P::WebhookRead, P::WebhookManage],
            ),
            // None of these is given to a new key; what is stored may be of another version.
            (&["*"], &[]),
            (&[".*"], &[]),
            (&["prov.*"], &[]),
            (&["provider"], &[]),
            (&["provider.rea"], &[]),
            (&["PROVIDER.READ"], &[]),
            (&["root:*"], &[]),
            (&["logs.read"], &[]),
        ] {
            let granted = owned(granted);
            let found: Vec<P> = P::ALL.into_iter().filter(|permission| permission.is_among(&granted)).collect();
            assert_eq!(found, may, "{granted:?}");
        }
    }

    #[test]
    fn each_permission_by_itself_opens_itself() {
        for permission in P::ALL {
            assert_eq!(effective(&owned(&[permission.name()])), [permission.name()]);
        }
        assert_eq!(effective(&[]).len(), P::ALL.len());
    }

    #[test]
    fn a_new_key_gets_known_names_only() {
        assert_eq!(check_names(&[]), Ok(()));
        assert_eq!(check_names(&owned(&ROLES)), Ok(()));
        assert_eq!(check_names(&owned(&P::ALL.map(P::name))), Ok(()));
        let namespaces = ["provider.*", "domain.*", "mailbox.*", "mailbox.admin.*", "webhook.*"];
        assert_eq!(check_names(&owned(&namespaces)), Ok(()));
        for (names, named) in [
            (&["domain.update"][..], &["\"domain.update\""][..]),
            (&["root:full", "root:admin", "domain.read", ""], &["\"root:admin\"", "\"\""]),
            (&["*", ".*", "root:*"], &["\"*\"", "\".*\"", "\"root:*\""]),
            (&["logs.*", "Domain.read", "mailbox.read"], &["\"logs.*\"", "\"Domain.read\"", "\"mailbox.read\""]),
        ] {
            let text = check_names(&owned(names)).err().unwrap_or_default();
            assert!(named.iter().all(|name| text.contains(name)), "{text}");
            assert!(!text.contains("\"root:full\"") && !text.contains("\"domain.read\""), "{text}");
        }
    }
}

//! Scopes of a key, named `resource:action`. A key without scopes may do everything.

/// The scope that a route requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Create,
    Read,
    Delete,
}

/// Covers everything, here and everywhere.
const EVERYTHING: &str = "*";
/// Scope of old keys: creation and deletion. No new key gets it.
const OLD_WRITE: &str = "sender_accounts:write";
/// Everything that a new key can be given. What belongs to campaigns and leads opens nothing here.
const KNOWN: [&str; 16] = [
    "sender_accounts:create",
    "sender_accounts:read",
    "sender_accounts:delete",
    "sender_accounts:all",
    "campaigns:create",
    "campaigns:read",
    "campaigns:update",
    "campaigns:delete",
    "campaigns:pause",
    "campaigns:activate",
    "campaigns:all",
    "leads:create",
    "leads:read",
    "leads:delete",
    "leads:all",
    EVERYTHING,
];

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "sender_accounts:create",
            Self::Read => "sender_accounts:read",
            Self::Delete => "sender_accounts:delete",
        }
    }

    /// True if a key with the scopes `granted` has this one, by its name or through a wider scope.
    pub(super) fn is_among(self, granted: &[String]) -> bool {
        let covers = |scope: &String| match scope.as_str() {
            EVERYTHING | "sender_accounts:all" => true,
            OLD_WRITE => self != Self::Read,
            name => name == self.name(),
        };
        granted.is_empty() || granted.iter().any(covers)
    }
}

/// Checks that a new key can be given these scopes.
///
/// # Errors
/// Plain text that names those that it cannot be given.
pub(super) fn check_names(scopes: &[String]) -> Result<(), String> {
    let unknown: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| !KNOWN.contains(scope)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let hint = if unknown.contains(&OLD_WRITE) {
        "instead of sender_accounts:write there are sender_accounts:create and sender_accounts:delete".to_owned()
    } else {
        format!("there are {}", KNOWN.join(", "))
    };
    let named: Vec<String> = unknown.iter().map(|scope| format!("\"{scope}\"")).collect();
    Err(format!("no scope of a new coldsend key: {}; {hint}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_may_do_what() {
        use Scope::{Create, Delete, Read};
        for (granted, may) in [
            (&[][..], &[Create, Read, Delete][..]),
            (&["*"], &[Create, Read, Delete]),
            (&["sender_accounts:all"], &[Create, Read, Delete]),
            (&["sender_accounts:create"], &[Create]),
            (&["sender_accounts:read"], &[Read]),
            (&["sender_accounts:delete"], &[Delete]),
            (&["sender_accounts:write"], &[Create, Delete]),
            (&["campaigns:all", "leads:all"], &[]),
            (&["campaigns:read", "sender_accounts:read"], &[Read]),
            (&["sender_accounts"], &[]),
            (&["sender_accounts:*"], &[]),
            (&["SENDER_ACCOUNTS:ALL"], &[]),
        ] {
            let granted: Vec<String> = granted.iter().map(|&scope| scope.to_owned()).collect();
            for scope in [Create, Read, Delete] {
                assert_eq!(scope.is_among(&granted), may.contains(&scope), "{granted:?} {scope:?}");
            }
        }
    }

    #[test]
    fn a_new_key_gets_known_scopes_only() {
        let checked = |names: &[&str]| check_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!((checked(&[]), checked(&KNOWN)), (Ok(()), Ok(())));
        for (names, named) in [
            (&["sender_accounts:update"][..], &["\"sender_accounts:update\""][..]),
            (&["*", "nonsense", "leads:read", ""], &["\"nonsense\"", "\"\""]),
            (&["sender_accounts:write"], &["\"sender_accounts:write\"", "sender_accounts:create"]),
            (&["campaigns:write"], &["\"campaigns:write\""]),
            (&["Sender_Accounts:Read"], &["\"Sender_Accounts:Read\""]),
        ] {
            let text = checked(names).unwrap_err();
            assert!(named.iter().all(|name| text.contains(name)), "{text}");
        }
    }
}

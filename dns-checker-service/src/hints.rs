//! Facts about a mailbox that make the check of its domain more exact.

use serde::{Deserialize, Serialize};

/// Facts about the mailbox whose domain is checked; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainHints {
    /// Host that mail is sent through.
    pub smtp_host: Option<String>,
    /// Host that mail is read from.
    pub imap_host: Option<String>,
    /// DKIM selectors in use. Empty means unknown: usual ones are looked up.
    pub selectors: Vec<String>,
}

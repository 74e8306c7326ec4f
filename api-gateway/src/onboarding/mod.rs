//! The use cases, free of HTTP and SQL: who is asking, and what is done for them. Dialects translate
//! to and from here and own no rule of their own.

mod account;
mod admission;
mod authenticate;
mod domains;
mod hosted;
mod idempotency;
mod imports;
mod mailboxes;
mod providers;
mod test_emails;
mod waiting;
mod webhooks;
mod workspaces;

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
pub(crate) use shared_models::store::{DeletedMailbox, Deletion};

use crate::mail_platform::Doveadm;
pub(crate) use admission::Admission;
pub(crate) use authenticate::{Account, Tenant};
pub(crate) use idempotency::{Hold, Turn};
pub(crate) use imports::ImportWatch;
pub(crate) use test_emails::Unsendable;
pub(crate) use workspaces::WorkspaceOverview;

/// The use cases over a store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Onboarding {
    store: Store,
    /// How long an answer waits for a verification.
    patience: Duration,
    /// Cancelled when the process ends: nobody waits any longer.
    ending: CancellationToken,
    /// Knows how full a hosted mailbox is.
    doveadm: Option<Doveadm>,
}

impl Onboarding {
    pub(crate) fn new(store: Store, patience: Duration, ending: CancellationToken) -> Self {
        Self { store, patience, ending, doveadm: None }
    }

    /// The same with a way to Dovecot.
    #[must_use]
    pub(crate) fn with_doveadm(self, doveadm: Option<Doveadm>) -> Self {
        Self { doveadm, ..self }
    }
}

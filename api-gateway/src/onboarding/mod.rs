//! The use cases, free of HTTP and SQL: who is asking, and what is done for them. Dialects translate
//! to and from here and own no rule of their own.

mod account;
mod authenticate;
mod mailboxes;
mod workspaces;

use shared_models::store::Store;

pub(crate) use authenticate::{Account, Tenant};
pub(crate) use workspaces::WorkspaceOverview;

/// The use cases over a store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Onboarding {
    store: Store,
}

impl Onboarding {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

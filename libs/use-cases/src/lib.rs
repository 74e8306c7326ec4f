//! Use cases: the actions of a caller, whoever calls, without HTTP and SQL. Callers such as a dialect of the gateway
//! translate to and from here and own no rule of their own. The modules are those of [`shared_models::domain`].

pub mod hosted;
mod idempotency;
pub mod imports;
pub mod mailboxes;
mod sending_accounts;
mod sending_domains;
pub mod tenancy;
mod waiting;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
pub use shared_models::store::{DeletedMailbox, Deletion};

use hosted::StorageMeter;
pub use idempotency::{Hold, IdempotencyState};
pub use imports::ImportWatch;
pub use mailboxes::{Admission, Unsendable};
pub use tenancy::{Account, Tenant, WorkspaceOverview};

/// The use cases over a store. Cheap to clone.
#[derive(Clone)]
pub struct UseCases {
    store: Store,
    /// Upper bound of the wait for another service, such as for a verification.
    patience: Duration,
    /// Cancelled when the process ends, which ends all waits.
    ending: CancellationToken,
    /// `None` if no mail platform is configured.
    storage: Option<Arc<dyn StorageMeter>>,
}

impl UseCases {
    /// `patience` is the upper bound of a wait for another service; `ending` ends such waits at once.
    pub fn new(store: Store, patience: Duration, ending: CancellationToken) -> Self {
        Self { store, patience, ending, storage: None }
    }

    /// The same with a way to ask the mail platform how full a hosted mailbox is.
    #[must_use]
    pub fn with_storage_meter(self, storage: Option<Arc<dyn StorageMeter>>) -> Self {
        Self { storage, ..self }
    }
}

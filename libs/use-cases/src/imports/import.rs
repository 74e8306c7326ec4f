//! Jobs over many mailboxes: imports and deletions.

use std::time::Duration;

use shared_models::domain::imports::{Import, ImportRow, ImportSource, NewImport};
use shared_models::domain::{CoreError, DeletionId, ImportId, MailboxId};
use shared_models::events::Event;
use shared_models::store::Deletion;

use crate::waiting::EventFeed;
use crate::{Tenant, UseCases};

impl UseCases {
    /// Starts an import; its rows are verified in the background.
    ///
    /// # Errors
    /// `SubscriptionRequired`, `LimitExceeded` when its new rows do not fit the plan.
    pub async fn start_import(&self, tenant: Tenant, new: NewImport) -> Result<Import, CoreError> {
        let import = self.store.create_import(tenant.workspace, tenant.owner, new).await?;
        log::info!("import.id={} accepted with {} rows", import.id, import.total);
        Ok(import)
    }

    /// An import from this source, and its rows in order.
    pub async fn import(
        &self,
        tenant: Tenant,
        source: ImportSource,
        id: ImportId,
    ) -> Result<(Import, Vec<ImportRow>), CoreError> {
        let import = self.store.import(tenant.workspace, source, id).await?;
        let rows = self.store.import_rows(&import).await?;
        Ok((import, rows))
    }

    /// As [`Self::import`], after it finished, at most after `patience`.
    pub async fn finished_import(
        &self,
        tenant: Tenant,
        source: ImportSource,
        id: ImportId,
        patience: Duration,
    ) -> Result<(Import, Vec<ImportRow>), CoreError> {
        let finished = async || {
            let import = self.store.import(tenant.workspace, source, id).await?;
            Ok(import.finished_at.map(|_| ()))
        };
        self.wait_for(self.events(), patience, |event| finishes(event, id), finished).await?;
        self.import(tenant, source, id).await
    }

    /// The progress of an import.
    pub fn watch_import(&self, tenant: Tenant, source: ImportSource, id: ImportId) -> ImportWatch {
        ImportWatch { use_cases: self.clone(), events: self.events(), tenant, source, id, seen: None }
    }

    /// Deletes all of these mailboxes that exist.
    pub async fn delete_mailboxes(&self, tenant: Tenant, ids: Vec<MailboxId>) -> Result<Deletion, CoreError> {
        let deletion = self.store.delete_mailboxes(tenant.workspace, ids).await?;
        let gone = deletion.results.iter().filter(|result| result.email.is_some()).count();
        log::info!("{gone} of {} mailboxes deleted at once", deletion.results.len());
        Ok(deletion)
    }

    /// A deletion by its id, until housekeeping purges it.
    pub async fn deletion(&self, tenant: Tenant, id: DeletionId) -> Result<Deletion, CoreError> {
        self.store.deletion(tenant.workspace, id).await
    }
}

fn finishes(event: &Event, id: ImportId) -> bool {
    matches!(event, Event::ImportFinished(about) if about.import_id == id)
}

/// Returns the state of an import each time that it changed.
pub struct ImportWatch {
    use_cases: UseCases,
    events: EventFeed,
    tenant: Tenant,
    source: ImportSource,
    id: ImportId,
    seen: Option<Import>,
}

impl ImportWatch {
    /// The state of the import: at once for the first call, after a change for later ones. `None` after its end, or
    /// when the process ends.
    pub async fn next(&mut self) -> Result<Option<Import>, CoreError> {
        if self.seen.as_ref().is_some_and(|import| import.finished_at.is_some()) {
            return Ok(None);
        }
        while !self.events.is_over() {
            let import = match self.use_cases.store.import(self.tenant.workspace, self.source, self.id).await {
                Err(CoreError::Unavailable { .. }) if self.seen.is_some() => None,
                result => Some(result?),
            };
            if let Some(import) = import.filter(|import| self.seen.as_ref() != Some(import)) {
                self.seen = Some(import.clone());
                return Ok(Some(import));
            }
            let id = self.id;
            self.events.wait(|event| finishes(event, id), tokio::time::Instant::now() + Duration::from_secs(1)).await;
        }
        Ok(None)
    }
}

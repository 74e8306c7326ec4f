//! How many tries are under way, and who has to wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_models::domain::{WebhookId, WorkspaceId};

/// Tries in flight to one webhook, so that a receiver that does not answer holds up nobody else.
pub(super) const TO_ONE_WEBHOOK: usize = 5;

/// The tries under way in this process.
#[derive(Clone)]
pub(super) struct InFlight {
    /// Those that one workspace may have, so that many receivers that do not answer hold up nobody else, either.
    of_one_workspace: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    workspaces: HashMap<WorkspaceId, usize>,
    webhooks: HashMap<WebhookId, Busy>,
}

#[derive(Default)]
struct Busy {
    tries: usize,
    /// Those that found no place since one became free.
    turned_away: usize,
}

/// One try, until it is dropped.
pub(super) struct Place {
    all: InFlight,
    workspace: WorkspaceId,
    webhook: WebhookId,
}

impl InFlight {
    pub(super) fn new(of_one_workspace: usize) -> Self {
        Self { of_one_workspace, counts: Arc::default() }
    }

    /// A place for one more try, or how many have asked for one in vain before.
    pub(super) fn enter(&self, workspace: WorkspaceId, webhook: WebhookId) -> Result<Place, usize> {
        let mut counts = self.lock();
        let is_full = counts.workspaces.get(&workspace).is_some_and(|count| *count >= self.of_one_workspace);
        let busy = counts.webhooks.entry(webhook).or_default();
        if is_full || busy.tries >= TO_ONE_WEBHOOK {
            busy.turned_away += 1;
            return Err(busy.turned_away - 1);
        }
        busy.tries += 1;
        *counts.workspaces.entry(workspace).or_default() += 1;
        Ok(Place { all: self.clone(), workspace, webhook })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        if let Some(count) = counts.workspaces.get_mut(&self.workspace) {
            *count -= 1;
        }
        counts.workspaces.retain(|_, count| *count > 0);
        if let Some(busy) = counts.webhooks.get_mut(&self.webhook) {
            busy.tries -= 1;
            busy.turned_away = 0;
        }
        let is_full = counts.workspaces.get(&self.workspace).is_some_and(|count| *count >= self.all.of_one_workspace);
        // Webhooks of a full workspace may have none under way, and many that wait.
        counts.webhooks.retain(|_, busy| busy.tries > 0 || (is_full && busy.turned_away > 0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_receiver_takes_no_more_than_its_places() {
        let (all, workspace) = (InFlight::new(100), WorkspaceId::new());
        let (busy, idle) = (WebhookId::new(), WebhookId::new());
        let mut places: Vec<Place> = (0..TO_ONE_WEBHOOK).map(|_| all.enter(workspace, busy).ok().unwrap()).collect();
        for waiting in 0..3 {
            assert_eq!(all.enter(workspace, busy).err(), Some(waiting));
        }
        assert!(all.enter(workspace, idle).is_ok());
        places.pop();
        places.push(all.enter(workspace, busy).ok().unwrap());
        assert_eq!(all.enter(workspace, busy).err(), Some(0), "a place was free meanwhile");
        drop(places);
        assert!(all.lock().webhooks.is_empty() && all.lock().workspaces.is_empty());
    }

    #[test]
    fn one_workspace_takes_no_more_than_its_share() {
        let (all, greedy, modest) = (InFlight::new(3), WorkspaceId::new(), WorkspaceId::new());
        let places: Vec<Place> = (0..3).map(|_| all.enter(greedy, WebhookId::new()).ok().unwrap()).collect();
        let late = WebhookId::new();
        for waiting in 0..3 {
            assert_eq!(all.enter(greedy, late).err(), Some(waiting));
        }
        assert!(all.enter(modest, WebhookId::new()).is_ok());
        drop(places);
        assert!(all.enter(greedy, late).is_ok());
        assert!(all.lock().webhooks.is_empty() && all.lock().workspaces.is_empty());
    }
}

//! Deliveries in flight in this process, and their limits: none of a receiver that hangs, or of a workspace with many
//! such receivers, may keep the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_models::domain::{WebhookId, WorkspaceId};

/// Deliveries in flight to one webhook: a receiver that hangs holds these, and not those of others.
pub(super) const PER_WEBHOOK: usize = 5;

/// Counts deliveries in flight. Clones count together.
#[derive(Clone)]
pub(super) struct InFlight {
    per_workspace: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    workspaces: HashMap<WorkspaceId, usize>,
    webhooks: HashMap<WebhookId, WebhookCount>,
}

#[derive(Default)]
struct WebhookCount {
    in_flight: usize,
    /// Deliveries that found no free slot since one was given back.
    turned_away: usize,
}

/// Room for one delivery, given back on drop.
pub(super) struct Slot {
    all: InFlight,
    workspace: WorkspaceId,
    webhook: WebhookId,
}

impl InFlight {
    pub(super) fn new(per_workspace: usize) -> Self {
        Self { per_workspace, counts: Arc::default() }
    }

    /// Takes a slot without waiting. `Err` is the number of deliveries to this webhook that were turned away before.
    pub(super) fn take(&self, workspace: WorkspaceId, webhook: WebhookId) -> Result<Slot, usize> {
        let mut counts = self.lock();
        let is_full = counts.workspaces.get(&workspace).is_some_and(|count| *count >= self.per_workspace);
        let of_webhook = counts.webhooks.entry(webhook).or_default();
        if is_full || of_webhook.in_flight >= PER_WEBHOOK {
            of_webhook.turned_away += 1;
            return Err(of_webhook.turned_away - 1);
        }
        of_webhook.in_flight += 1;
        *counts.workspaces.entry(workspace).or_default() += 1;
        Ok(Slot { all: self.clone(), workspace, webhook })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.all.lock();
        if let Some(count) = counts.workspaces.get_mut(&self.workspace) {
            *count -= 1;
        }
        counts.workspaces.retain(|_, count| *count > 0);
        if let Some(of_webhook) = counts.webhooks.get_mut(&self.webhook) {
            of_webhook.in_flight -= 1;
            of_webhook.turned_away = 0;
        }
        let is_full = counts.workspaces.get(&self.workspace).is_some_and(|count| *count >= self.all.per_workspace);
        // In a full workspace a webhook may have nothing in flight and many deliveries that were turned away.
        counts.webhooks.retain(|_, count| count.in_flight > 0 || (is_full && count.turned_away > 0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_webhook_takes_no_more_than_its_slots() {
        let (all, workspace) = (InFlight::new(100), WorkspaceId::new());
        let (busy, idle) = (WebhookId::new(), WebhookId::new());
        let mut slots: Vec<Slot> = (0..PER_WEBHOOK).map(|_| all.take(workspace, busy).ok().unwrap()).collect();
        for waiting in 0..3 {
            assert_eq!(all.take(workspace, busy).err(), Some(waiting));
        }
        assert!(all.take(workspace, idle).is_ok());
        slots.pop();
        slots.push(all.take(workspace, busy).ok().unwrap());
        assert_eq!(all.take(workspace, busy).err(), Some(0), "a slot was free meanwhile");
        drop(slots);
        assert!(all.lock().webhooks.is_empty() && all.lock().workspaces.is_empty());
    }

    #[test]
    fn one_workspace_takes_no_more_than_its_share() {
        let (all, greedy, modest) = (InFlight::new(3), WorkspaceId::new(), WorkspaceId::new());
        let slots: Vec<Slot> = (0..3).map(|_| all.take(greedy, WebhookId::new()).ok().unwrap()).collect();
        let late = WebhookId::new();
        for waiting in 0..3 {
            assert_eq!(all.take(greedy, late).err(), Some(waiting));
        }
        assert!(all.take(modest, WebhookId::new()).is_ok());
        drop(slots);
        assert!(all.take(greedy, late).is_ok());
        assert!(all.lock().webhooks.is_empty() && all.lock().workspaces.is_empty());
    }
}

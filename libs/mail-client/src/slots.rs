//! Slots bound the logins in flight, in this process and towards one server, and decide which waiting login is next.
//! Single logins come in the order of their arrival and before those of imports; the workspaces of imports alternate.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_models::domain::WorkspaceId;
use tokio::sync::oneshot;

/// The priority of a login for the next free slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A person waits for this one result.
    Single,
    /// One of many logins of this workspace, such as the rows of an import. Comes after the single ones; workspaces
    /// alternate.
    Bulk(WorkspaceId),
}

/// Single logins that may overtake waiting imports before one login of an import comes next, so that imports do not
/// starve.
const SINGLES_IN_A_ROW: u32 = 4;

/// The limit of this process, and one limit for each server.
pub(crate) struct Slots {
    all: Arc<Queue>,
    per_host: usize,
    hosts: Mutex<HashMap<SocketAddr, Arc<Queue>>>,
}

/// The right to run one login; given back on drop.
pub(crate) struct Slot<'a> {
    _all: Permit,
    _host: Permit,
    // Dropped last: it checks if anybody else still uses the host.
    _entry: HostEntry<'a>,
}

impl Slots {
    /// At most `all` logins in this process and `per_host` towards one address and port; 0 counts as 1.
    pub(crate) fn new(all: usize, per_host: usize) -> Self {
        Self { all: Queue::new(all.max(1)), per_host: per_host.max(1), hosts: Mutex::default() }
    }

    /// Waits for a slot. The permit of the host comes first, so that logins waiting for a slow host do not hold the
    /// permits of all others.
    pub(crate) async fn acquire(&self, host: SocketAddr, urgency: Urgency) -> Slot<'_> {
        let entry = HostEntry::new(self, host);
        let of_host = entry.queue.enter(urgency).await;
        let of_all = self.all.enter(urgency).await;
        Slot { _all: of_all, _host: of_host, _entry: entry }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Queue>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of permits, and the logins that wait for one.
struct Queue(Mutex<Waiting>);

struct Waiting {
    free: usize,
    singles: VecDeque<oneshot::Sender<Permit>>,
    bulk: Rounds,
    singles_in_a_row: u32,
}

/// The waiting logins of imports. Workspaces alternate, so that none gets ahead by starting more imports.
#[derive(Default)]
struct Rounds(VecDeque<(WorkspaceId, VecDeque<oneshot::Sender<Permit>>)>);

impl Rounds {
    fn push(&mut self, workspace: WorkspaceId, waiter: oneshot::Sender<Permit>) {
        match self.0.iter_mut().find(|(of, _)| *of == workspace) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.0.push_back((workspace, VecDeque::from([waiter]))),
        }
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Permit>> {
        let (workspace, mut waiters) = self.0.pop_front()?;
        let next = waiters.pop_front();
        if !waiters.is_empty() {
            self.0.push_back((workspace, waiters));
        }
        next
    }
}

/// One permit, passed to the next waiting login on drop. `None` when it has been passed on.
struct Permit(Option<Arc<Queue>>);

impl Queue {
    fn new(permits: usize) -> Arc<Self> {
        let (singles, bulk) = (VecDeque::new(), Rounds::default());
        Arc::new(Self(Mutex::new(Waiting { free: permits, singles, bulk, singles_in_a_row: 0 })))
    }

    async fn enter(self: &Arc<Self>, urgency: Urgency) -> Permit {
        let permit = {
            let mut waiting = self.lock();
            if waiting.free > 0 {
                waiting.free -= 1;
                return Permit(Some(self.clone()));
            }
            let (waiter, permit) = oneshot::channel();
            match urgency {
                Urgency::Single => waiting.singles.push_back(waiter),
                Urgency::Bulk(workspace) => waiting.bulk.push(workspace, waiter),
            }
            permit
        };
        // A sender is dropped only together with the queue, and then there is nothing left to limit.
        permit.await.unwrap_or(Permit(None))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        let import_is_due = self.singles_in_a_row >= SINGLES_IN_A_ROW && !self.bulk.0.is_empty();
        if !import_is_due && let Some(single) = self.singles.pop_front() {
            self.singles_in_a_row += 1;
            return Some(single);
        }
        self.singles_in_a_row = 0;
        self.bulk.pop()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else { return };
        let mut waiting = queue.lock();
        while let Some(next) = waiting.next() {
            match next.send(Permit(Some(queue.clone()))) {
                Ok(()) => return,
                // It gave up waiting. The permit is emptied first, because its drop takes the lock held here.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
        waiting.free += 1;
    }
}

/// A user of the queue of a host; the last one removes it from the map.
struct HostEntry<'a> {
    slots: &'a Slots,
    host: SocketAddr,
    queue: Arc<Queue>,
}

impl<'a> HostEntry<'a> {
    fn new(slots: &'a Slots, host: SocketAddr) -> Self {
        let queue = Arc::clone(slots.hosts().entry(host).or_insert_with(|| Queue::new(slots.per_host)));
        Self { slots, host, queue }
    }
}

impl Drop for HostEntry<'_> {
    fn drop(&mut self) {
        let mut hosts = self.slots.hosts();
        // Two references are the map's and this one; a new user would need the lock held here.
        if Arc::strong_count(&self.queue) <= 2 {
            hosts.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::Urgency::{Bulk, Single};
    use super::*;

    fn host(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn a_busy_host_holds_up_only_itself() {
        let slots = Slots::new(2, 1);
        let first = slots.acquire(host(1), Single).await;
        let moment = Duration::from_millis(20);
        assert!(timeout(moment, slots.acquire(host(1), Single)).await.is_err());
        assert!(timeout(moment, slots.acquire(host(2), Single)).await.is_ok());
        drop(first);
        assert!(timeout(moment, slots.acquire(host(1), Single)).await.is_ok());
    }

    #[tokio::test]
    async fn idle_hosts_are_forgotten() {
        let slots = Slots::new(10, 1);
        for port in 1..100 {
            let _slot = slots.acquire(host(port), Single).await;
            // A waiting login that gives up leaves nothing behind either.
            let given_up = timeout(Duration::ZERO, slots.acquire(host(port), Bulk(WorkspaceId::new()))).await;
            assert!(given_up.is_err());
        }
        assert!(slots.hosts().is_empty());
        assert_eq!(slots.all.lock().free, 10);
    }

    #[tokio::test]
    async fn single_logins_come_first_and_imports_do_not_starve() {
        let slots = Slots::new(100, 1);
        let order = Mutex::new(Vec::new());
        let first = slots.acquire(host(1), Single).await;
        let wait = async |urgency, name: String| {
            let _slot = slots.acquire(host(1), urgency).await;
            order.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        };
        let workspace = WorkspaceId::new();
        let bulk = (0..3).map(|n| wait(Bulk(workspace), format!("b{n}")));
        let singles = (0..6).map(|n| wait(Single, format!("s{n}")));
        let open = async { drop(first) };
        // Polled in this order: all wait before the permit is free.
        tokio::join!(futures_util::future::join_all(bulk), futures_util::future::join_all(singles), open);
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(order, ["s0", "s1", "s2", "s3", "b0", "s4", "s5", "b1", "b2"]);
    }

    #[tokio::test]
    async fn workspaces_alternate() {
        let slots = Slots::new(100, 1);
        let order = Mutex::new(Vec::new());
        let first = slots.acquire(host(1), Single).await;
        let (large, small) = (WorkspaceId::new(), WorkspaceId::new());
        let wait = async |workspace, name: String| {
            let _slot = slots.acquire(host(1), Bulk(workspace)).await;
            order.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        };
        let many = (0..5).map(|n| wait(large, format!("l{n}")));
        let few = (0..2).map(|n| wait(small, format!("s{n}")));
        let open = async { drop(first) };
        tokio::join!(futures_util::future::join_all(many), futures_util::future::join_all(few), open);
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(order, ["l0", "s0", "l1", "s1", "l2", "l3", "l4"]);
    }
}

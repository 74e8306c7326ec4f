//! How many logins run at once, in all and towards one server, and who is next when there are more.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_models::domain::WorkspaceId;
use tokio::sync::oneshot;

/// Who waits for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody who added one mailbox.
    Single,
    /// A workspace that imports many. Goes behind the single ones, and workspaces take turns.
    Bulk(WorkspaceId),
}

/// After so many single logins in a row one of an import is let in, so that imports do not starve.
const SINGLES_IN_A_ROW: u32 = 4;

/// The two limits.
pub(crate) struct Slots {
    all: Arc<Line>,
    per_host: usize,
    hosts: Mutex<HashMap<SocketAddr, Arc<Line>>>,
}

/// The right to run one login; given back on drop.
pub(crate) struct Slot<'a> {
    _all: Place,
    _host: Place,
    // Dropped last: it looks whether anybody else still uses the host.
    _entry: HostEntry<'a>,
}

impl Slots {
    /// `all` logins in this process, `per_host` towards one address and port; 0 counts as 1.
    pub(crate) fn new(all: usize, per_host: usize) -> Self {
        Self { all: Line::new(all.max(1)), per_host: per_host.max(1), hosts: Mutex::default() }
    }

    /// Waits for a slot. The one of the host comes first, so that the queue of a slow host does not
    /// occupy the slots of all others.
    pub(crate) async fn acquire(&self, host: SocketAddr, urgency: Urgency) -> Slot<'_> {
        let entry = HostEntry::new(self, host);
        let host_place = entry.line.enter(urgency).await;
        let place = self.all.enter(urgency).await;
        Slot { _all: place, _host: host_place, _entry: entry }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Line>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number of places, and those who wait for one: single ones in the order of their arrival, before those
/// of imports.
struct Line(Mutex<Waiting>);

struct Waiting {
    free: usize,
    singles: VecDeque<oneshot::Sender<Place>>,
    bulk: Rounds,
    singles_in_a_row: u32,
}

/// Those of imports: workspaces take turns, so that nobody gets ahead by making more imports.
#[derive(Default)]
struct Rounds(VecDeque<(WorkspaceId, VecDeque<oneshot::Sender<Place>>)>);

impl Rounds {
    fn push(&mut self, workspace: WorkspaceId, turn: oneshot::Sender<Place>) {
        match self.0.iter_mut().find(|(of, _)| *of == workspace) {
            Some((_, line)) => line.push_back(turn),
            None => self.0.push_back((workspace, VecDeque::from([turn]))),
        }
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Place>> {
        let (workspace, mut line) = self.0.pop_front()?;
        let turn = line.pop_front();
        if !line.is_empty() {
            self.0.push_back((workspace, line));
        }
        turn
    }
}

/// One place; handed to the next in line on drop.
struct Place(Option<Arc<Line>>);

impl Line {
    fn new(places: usize) -> Arc<Self> {
        let (singles, bulk) = (VecDeque::new(), Rounds::default());
        Arc::new(Self(Mutex::new(Waiting { free: places, singles, bulk, singles_in_a_row: 0 })))
    }

    async fn enter(self: &Arc<Self>, urgency: Urgency) -> Place {
        let turn = {
            let mut waiting = self.lock();
            if waiting.free > 0 {
                waiting.free -= 1;
                return Place(Some(self.clone()));
            }
            let (turn, my_turn) = oneshot::channel();
            match urgency {
                Urgency::Single => waiting.singles.push_back(turn),
                Urgency::Bulk(workspace) => waiting.bulk.push(workspace, turn),
            }
            my_turn
        };
        // A sender is dropped with the whole line only, and then nobody counts any more.
        turn.await.unwrap_or(Place(None))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let singles_have_had_theirs = self.singles_in_a_row >= SINGLES_IN_A_ROW && !self.bulk.0.is_empty();
        if !singles_have_had_theirs && let Some(single) = self.singles.pop_front() {
            self.singles_in_a_row += 1;
            return Some(single);
        }
        self.singles_in_a_row = 0;
        self.bulk.pop()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(line) = self.0.take() else { return };
        let mut waiting = line.lock();
        while let Some(next) = waiting.next() {
            match next.send(Place(Some(line.clone()))) {
                Ok(()) => return,
                // Gave up waiting. Taken apart, or its drop would come back to this lock.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
        waiting.free += 1;
    }
}

/// A user of a host's line; the last one removes it from the map.
struct HostEntry<'a> {
    slots: &'a Slots,
    host: SocketAddr,
    line: Arc<Line>,
}

impl<'a> HostEntry<'a> {
    fn new(slots: &'a Slots, host: SocketAddr) -> Self {
        let line = Arc::clone(slots.hosts().entry(host).or_insert_with(|| Line::new(slots.per_host)));
        Self { slots, host, line }
    }
}

impl Drop for HostEntry<'_> {
    fn drop(&mut self) {
        let mut hosts = self.slots.hosts();
        // Two references: the map's and this one's. New users need the lock held here.
        if Arc::strong_count(&self.line) <= 2 {
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
            // A waiter that gives up leaves nothing behind either.
            let given_up = timeout(Duration::ZERO, slots.acquire(host(port), Bulk(WorkspaceId::new()))).await;
            assert!(given_up.is_err());
        }
        assert!(slots.hosts().is_empty());
        assert_eq!(slots.all.lock().free, 10);
    }

    #[tokio::test]
    async fn single_ones_go_first_and_imports_do_not_starve() {
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
        // Polled in this order: all stand in line before the place is free.
        tokio::join!(futures_util::future::join_all(bulk), futures_util::future::join_all(singles), open);
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(order, ["s0", "s1", "s2", "s3", "b0", "s4", "s5", "b1", "b2"]);
    }

    #[tokio::test]
    async fn workspaces_take_turns() {
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

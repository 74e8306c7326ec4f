//! How many logins run at once, in all and towards one server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The two limits. Waiters are served in the order of their arrival.
pub(crate) struct Slots {
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
}

/// The right to run one login; given back on drop.
pub(crate) struct Slot<'a> {
    _all: Option<OwnedSemaphorePermit>,
    _host: Option<OwnedSemaphorePermit>,
    // Dropped last: it looks whether anybody else still uses the host.
    _entry: HostEntry<'a>,
}

impl Slots {
    /// `all` logins in this process, `per_host` towards one address and port; 0 counts as 1.
    pub(crate) fn new(all: usize, per_host: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all.clamp(1, Semaphore::MAX_PERMITS))),
            per_host: per_host.clamp(1, Semaphore::MAX_PERMITS),
            hosts: Mutex::default(),
        }
    }

    /// Waits for a slot. The one of the host comes first, so that the queue of a slow host does not
    /// occupy the slots of all others.
    pub(crate) async fn acquire(&self, host: SocketAddr) -> Slot<'_> {
        let entry = HostEntry::new(self, host);
        // The semaphores are never closed, so a permit is always given.
        let host_permit = Arc::clone(&entry.semaphore).acquire_owned().await.ok();
        let permit = Arc::clone(&self.all).acquire_owned().await.ok();
        Slot { _all: permit, _host: host_permit, _entry: entry }
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<Semaphore>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user of a host's semaphore; the last one removes it from the map.
struct HostEntry<'a> {
    slots: &'a Slots,
    host: SocketAddr,
    semaphore: Arc<Semaphore>,
}

impl<'a> HostEntry<'a> {
    fn new(slots: &'a Slots, host: SocketAddr) -> Self {
        let semaphore =
            Arc::clone(slots.hosts().entry(host).or_insert_with(|| Arc::new(Semaphore::new(slots.per_host))));
        Self { slots, host, semaphore }
    }
}

impl Drop for HostEntry<'_> {
    fn drop(&mut self) {
        let mut hosts = self.slots.hosts();
        // Two references: the map's and this one's. New users need the lock held here.
        if Arc::strong_count(&self.semaphore) <= 2 {
            hosts.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn host(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn a_busy_host_holds_up_only_itself() {
        let slots = Slots::new(2, 1);
        let first = slots.acquire(host(1)).await;
        let moment = Duration::from_millis(20);
        assert!(timeout(moment, slots.acquire(host(1))).await.is_err());
        assert!(timeout(moment, slots.acquire(host(2))).await.is_ok());
        drop(first);
        assert!(timeout(moment, slots.acquire(host(1))).await.is_ok());
    }

    #[tokio::test]
    async fn idle_hosts_are_forgotten() {
        let slots = Slots::new(10, 1);
        for port in 1..100 {
            let _slot = slots.acquire(host(port)).await;
            // A waiter that gives up leaves nothing behind either.
            let given_up = timeout(Duration::ZERO, slots.acquire(host(port))).await;
            assert!(given_up.is_err());
        }
        assert!(slots.hosts().is_empty());
        assert_eq!(slots.all.available_permits(), 10);
    }
}

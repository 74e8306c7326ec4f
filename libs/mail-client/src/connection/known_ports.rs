//! Ports on which an earlier login found STARTTLS although their number does not imply it. A shortcut only: each
//! login checks it again.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries; unusual ports are rare, so all are dropped when this number is reached.
const CAPACITY: usize = 1024;

#[derive(Default)]
pub(crate) struct KnownPorts(Mutex<HashSet<SocketAddr>>);

impl KnownPorts {
    pub(crate) fn expects_starttls(&self, port: SocketAddr) -> bool {
        self.entries().contains(&port)
    }

    pub(crate) fn remember_starttls(&self, port: SocketAddr) {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(port);
    }

    pub(crate) fn forget(&self, port: SocketAddr) {
        self.entries().remove(&port);
    }

    fn entries(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

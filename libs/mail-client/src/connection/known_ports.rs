//! Ports of which an earlier login has learned that they want STARTTLS although their number does
//! not say so. Only a shortcut: what it says is checked again by each login.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Unusual ports are rare; a full memory is simply begun anew.
const CAPACITY: usize = 1024;

/// The memory of one process.
#[derive(Default)]
pub(crate) struct KnownPorts(Mutex<HashSet<SocketAddr>>);

impl KnownPorts {
    /// True when STARTTLS worked there.
    pub(crate) fn expects_starttls(&self, port: SocketAddr) -> bool {
        self.entries().contains(&port)
    }

    /// STARTTLS worked there.
    pub(crate) fn remember_starttls(&self, port: SocketAddr) {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY {
            entries.clear();
        }
        entries.insert(port);
    }

    /// STARTTLS no longer works there.
    pub(crate) fn forget(&self, port: SocketAddr) {
        self.entries().remove(&port);
    }

    fn entries(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

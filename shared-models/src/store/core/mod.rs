//! The parts that every table relies on: connections, transactions, events, the queue, secrets, leases.

pub(crate) mod append;
pub(crate) mod backend;
pub(crate) mod blocking;
pub(crate) mod claims;
pub(crate) mod dead_letters;
pub(crate) mod error;
pub(crate) mod housekeeping;
pub(crate) mod idempotency;
pub(crate) mod merging;
pub(crate) mod migrations;
pub(crate) mod outbox;
pub mod queue;
pub(crate) mod settled;
pub mod vault;
pub(crate) mod wakeups;

pub(crate) mod idempotency;
pub(crate) mod leases;
pub(crate) mod migrations;
pub(crate) mod outbox;
pub(crate) mod queue;
pub(crate) mod races;
pub(crate) mod vault;

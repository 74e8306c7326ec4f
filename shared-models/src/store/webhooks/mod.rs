//! Webhooks, their secrets, the deliveries that are due and the log of those that were attempted.

pub(crate) mod dispatches;
pub(crate) mod log;
pub(crate) mod rows;
pub(crate) mod secrets;
pub(crate) mod webhook;

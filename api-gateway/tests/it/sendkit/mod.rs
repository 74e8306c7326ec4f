//! The SendKit dialect.

mod bodies;
mod connection_test;
mod creation;
mod detail;
mod failures;
mod fields;
mod filters;
mod health;
mod imports;
mod listing;
mod rate_limits;
pub(crate) mod settled;
mod tenancy;
mod webhooks;

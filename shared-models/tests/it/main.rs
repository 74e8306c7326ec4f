//! The contract of the store: one list of promises, kept on SQLite and on PostgreSQL alike.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod home;
mod imports;
mod tenant;

mod api_keys;
mod changes;
mod creation;
mod deletions;
mod dns_checks;
mod domain_checks;
mod domains;
mod hosted;
mod hosted_access;
mod idempotency;
mod leases;
mod listing;
mod migrations;
mod outbox;
mod owners;
mod provider_tests;
mod providers;
mod queue;
mod races;
mod results;
mod tag_filters;
mod test_emails;
mod vault;
mod verifications;
mod webhook_dispatches;
mod webhook_secrets;
mod webhooks;
mod workspaces;

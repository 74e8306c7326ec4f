//! The contract of the store: one list of promises, kept on SQLite and on PostgreSQL alike. The folders are those of
//! the store; `support` holds what the tests share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod support;

mod core;
mod diagnosis;
mod hosted;
mod imports;
mod mailboxes;
mod sending_accounts;
mod sending_domains;
mod tenancy;
mod webhooks;

//! Mailboxes, and what every list has.

pub(super) mod health;
pub(super) mod query;
pub(super) mod requests;
pub(super) mod responses;
pub(super) mod schemas;
mod words;

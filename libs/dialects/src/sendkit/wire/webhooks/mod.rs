//! Webhooks. What is posted to them is in `webhook_words`.

pub(super) mod requests;
pub(super) mod responses;
pub(super) mod schemas;

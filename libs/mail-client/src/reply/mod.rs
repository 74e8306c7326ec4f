//! Replies of servers: what they mean, and what of them may be kept.

pub(crate) mod classify;
pub(crate) mod redact;
pub(crate) mod rules;

//! Replies of servers: the failures that they mean, and the parts of them that may be kept.

pub(crate) mod classify;
pub(crate) mod redact;
pub(crate) mod response;
pub(crate) mod rules;

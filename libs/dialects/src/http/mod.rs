//! What all dialects need from HTTP and none of them owns: bounded bodies and uploads, forgiving field types,
//! query strings, limits on the requests.

pub(crate) mod body;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod rate_limit;
pub(crate) mod upload;

//! What all dialects need from HTTP and none of them owns: bounded bodies, forgiving field types,
//! query strings, metrics of the requests.

pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod metrics;
pub(crate) mod query;

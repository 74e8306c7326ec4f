//! What all dialects need from HTTP and none of them owns: bounded bodies, forgiving field types,
//! probes, the OpenAPI document.

pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod probes;
pub(crate) mod query;

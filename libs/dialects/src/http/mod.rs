//! Parts of HTTP that all dialects share: bounded bodies and uploads, the reader of JSON fields, query strings, rate
//! limits. No dialect's words are here.

pub(crate) mod body;
pub(crate) mod json;
pub(crate) mod query;
pub mod rate_limit;
pub(crate) mod upload;

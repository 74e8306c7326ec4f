//! Domains that a workspace sends for, their checks, keys and sender filters.

pub(crate) mod checks;
pub(crate) mod dkim_keys;
pub(crate) mod domain;
pub(crate) mod filters;
pub(crate) mod rows;

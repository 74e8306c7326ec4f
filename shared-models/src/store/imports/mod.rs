//! Imports of many mailboxes: the job and its rows.

pub(crate) mod import;
pub(crate) mod rows;
pub(crate) mod stored;

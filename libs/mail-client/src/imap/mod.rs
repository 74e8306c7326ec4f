//! The IMAP leg.

pub(crate) mod session;

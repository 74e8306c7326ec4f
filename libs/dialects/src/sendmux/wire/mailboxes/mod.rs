//! Mailboxes of the mail platform.

pub(in crate::sendmux) mod requests;
pub(in crate::sendmux) mod responses;

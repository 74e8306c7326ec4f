//! Sending accounts, which this dialect calls providers.

pub(in crate::sendmux) mod requests;
pub(in crate::sendmux) mod responses;
pub(in crate::sendmux) mod schemas;

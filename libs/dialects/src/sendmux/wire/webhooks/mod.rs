//! Webhooks.

pub(in crate::sendmux) mod requests;
pub(in crate::sendmux) mod responses;
pub(in crate::sendmux) mod schemas;

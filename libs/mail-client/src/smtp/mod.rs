//! The SMTP leg.

pub(crate) mod session;
pub(crate) mod submit;

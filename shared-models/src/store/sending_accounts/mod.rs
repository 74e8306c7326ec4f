//! A tenant's SMTP accounts for sending, their limits and login tests.

pub(crate) mod account;
pub(crate) mod limits;
pub(crate) mod login_tests;
pub(crate) mod rows;

//! The consumers over a real store, against servers that behave and misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod account_tests;
mod support;
mod test_messages;

//! The prober against servers that behave, misbehave and attack.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hostile;
mod limits;
mod network;
mod sending;
mod sign_in;
mod support;
mod tls;

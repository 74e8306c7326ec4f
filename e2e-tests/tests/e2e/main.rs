//! The journeys of real users against the real programs and real servers, one module each.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod bad_input;
mod command_line;
mod crashes;
mod dovecot;
mod names;
mod races;
mod refusals;
mod retries;
mod secrecy;
mod survival;

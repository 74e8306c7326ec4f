//! The DNS checker from outside: rules by scenario, limits, consumers, and a real name server.

#![allow(clippy::unwrap_used)]

mod consumers;
mod finding_codes;
mod limits;
mod live;
mod scenarios;
mod verification;

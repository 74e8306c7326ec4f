//! The DNS checker from outside: rules by scenario, limits, and real servers.

#![allow(clippy::unwrap_used)]

mod consumer;
mod finding_codes;
mod limits;
mod live;
mod scenarios;
mod verification;
mod verify_domain;

//! The contracts between broker and runner, and between runner and consumers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod amqp;
#[macro_use]
mod bench;
mod worker;

mod delivery;
mod embedded;
mod faults;
mod rabbitmq;
mod running;
mod stopping;

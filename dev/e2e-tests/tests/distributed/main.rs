//! The journeys against separate services over PostgreSQL and RabbitMQ.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod copies;
#[path = "../journeys/mod.rs"]
mod journeys;

mod chaos;
mod mail_platform;
mod outages;
mod poison;
mod python;
mod sendmux_client;

use e2e_tests::Setup;

/// One process of each service.
fn setup() -> Setup {
    Setup::distributed()
}

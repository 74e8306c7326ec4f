//! The journeys against the embedded default, and promises that only it makes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod data_directory;
#[path = "../journeys/mod.rs"]
mod journeys;
mod operator;

use e2e_tests::Setup;

/// One process with everything in it.
fn setup() -> Setup {
    Setup::embedded()
}

//! Configuration, events, probes and orderly end of a service. Knows no mail protocol; of the other services it knows
//! their sections of the settings, as plain values, so that every binary refuses an unknown key.
//!
//! It depends on `shared-models` for the event envelope and for the table behind the embedded
//! broker: a trait between the two would have one implementation.

pub mod bus;
pub mod database;
pub mod egress;
pub mod insist;
pub mod metrics;
pub mod network;
pub mod ops;
pub mod resolver;
pub mod runner;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod telemetry;

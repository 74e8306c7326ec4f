//! How a service is configured, fed with events and stopped. Knows no mailbox and no mail protocol.
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

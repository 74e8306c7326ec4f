//! The gateway on the wire: every answer is held against the document that the gateway itself serves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod document;
mod webhooks;
mod world;

mod coldsend;
mod fourth_dialect;
mod metrics;
mod probes;
mod routes;
mod sendkit;
mod sendmux;

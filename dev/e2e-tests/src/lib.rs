//! The harness of the end-to-end journeys in `tests/journeys`: starts the real system, speaks its public
//! API, and ends it in every way that systems end. It looks into the system's database only for secrets
//! that have no business there, and for facts that no API returns.
//!
//! | need | use |
//! |---|---|
//! | the running system; kill, restart, stop, read its log | [`Setup`], [`Deployment`] |
//! | requests that a kill breaks off | [`Deployment::break_off`] |
//! | an owner with a plan, a workspace and a key | [`Deployment::tenant`], [`Tenant`] |
//! | the SendKit dialect | [`Client`], [`Reply`], [`mailbox`] |
//! | the Sendmux dialect, and a verified domain in it | [`Deployment::sendmux`], [`Client::verified_domain`] |
//! | a customer's server for webhooks | [`Receiver`] |
//! | the command line | [`Deployment::admin`], [`Deployment::run`] |
//! | rows of the database, when no API returns them | [`Deployment::count`] |
//! | to wait for something | [`eventually`], nowhere else |
//! | mail servers and DNS | the crate `mail-lab` |
//!
//! A journey knows nothing of processes: which programs make up a deployment is decided by the test
//! binary (`tests/embedded`, `tests/distributed`), which runs all of them. The programs are those of this
//! workspace, or, with the environment variable `MAILMOOR_E2E_PROGRAMS=FOLDER`, ready-made ones.
#![allow(missing_docs, reason = "for developers only: an item is documented where its name does not say it all")]
// A harness reports by panicking: the test fails, at the line that asked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backing;
mod binaries;
mod client;
mod coldsend;
mod database;
mod deployment;
mod program;
mod receiver;
mod sendmux;
mod setup;
mod storm;
mod tenant;
mod upload;
mod wait;

pub use client::{Client, Reply, mailbox};
pub use deployment::Deployment;
pub use program::Ended;
pub use receiver::{Answer, Post, Receiver};
pub use setup::{SERVICES, Setup};
pub use tenant::{Plan, Tenant};
pub use wait::{LIMIT, eventually};

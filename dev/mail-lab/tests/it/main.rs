//! Each server of the laboratory is started and used for real.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, missing_docs)]

mod client;
mod dns;
mod dovecot;
mod mail_platform;
mod net;
mod postgres;
mod process;
mod rabbitmq;
mod scripted;
mod scripted_faults;

//! The journeys of real users against the real programs and real servers, one module each. Both test
//! binaries run all of them: `crate::setup` decides which programs make up the system.

mod access;
mod bad_input;
mod coldsend;
mod command_line;
mod crashes;
mod dovecot;
mod imports;
mod names;
mod races;
mod refusals;
mod repetitions;
mod retries;
mod secrecy;
mod sending_accounts;
mod survival;
mod webhooks;

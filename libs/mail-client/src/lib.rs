//! A client of mail servers: signs in over SMTP submission (RFC 6409) and IMAP (RFC 9051), explains why a login failed, and
//! hands over messages.
//!
//! [`Prober`] is the entrance. It takes values and returns reports: a [`LegReport`] for a login, a [`Delivery`] for a
//! message. It knows neither the store nor the events; what a report means for a mailbox is for its caller to decide.
//!
//! | module | purpose |
//! |---|---|
//! | `prober` | one leg from start to report: limits, deadlines, addresses |
//! | `attempt` | TLS or STARTTLS, and what is tried when the first does not work |
//! | `session` | the steps that SMTP and IMAP have in common, as a trait |
//! | `smtp`, `imap` | the two protocols |
//! | `connection` | TCP, TLS, and lines with deadlines and limits |
//! | `reply` | the table of what servers answer, and the removal of secrets from it |
//! | `failure`, `report` | from a failure to a finding with a remedy |
//!
//! [`LegReport`]: shared_models::domain::diagnosis::LegReport
//! [`Delivery`]: shared_models::domain::mailboxes::Delivery

mod attempt;
mod connection;
mod error;
mod failure;
mod greeting;
mod imap;
mod outgoing;
mod prober;
mod reply;
mod report;
mod session;
mod slots;
mod smtp;
mod text;

pub use error::ProberError;
pub use outgoing::OutgoingMessage;
pub use prober::{ProbeSettings, Prober};
pub use report::without_promise;
pub use slots::Urgency;

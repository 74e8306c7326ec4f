//! Logins to mail servers and the handing over of messages: [`Prober`] makes them and returns reports. It knows
//! neither the store nor the events; what a report means for a mailbox is decided by its caller.

mod connection;
mod failure;
mod greeting;
mod imap;
mod outgoing;
mod prober;
mod provider;
mod reply;
mod session;
mod slots;
mod smtp;

pub use outgoing::OutgoingMessage;
pub use prober::{ProbeSettings, Prober, ProberError};
pub use slots::Urgency;
pub use smtp::submit::without_promise;

//! Webhooks of a tenant, and what every dialect's posts have in common.

pub mod signature;
pub mod target;
mod webhook;
mod words;

pub use words::{Announcement, WebhookWords};

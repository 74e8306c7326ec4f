//! Webhooks of a tenant, and the parts that the posts of all dialects share.

pub mod signature;
pub mod target;
mod webhook;
mod words;

pub use words::{Announcement, WebhookWords};

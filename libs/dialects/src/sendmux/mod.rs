//! The Sendmux dialect, `/api/v1`: snake_case JSON in `{"ok":...}` envelopes, prefixed ids, entity tags,
//! requests that can be repeated.

mod auth;
mod conditional;
mod context;
mod document;
mod errors;
mod handlers;
mod idempotency;
mod ids;
mod permissions;
mod routes;
mod webhook_words;
mod wire;

pub(crate) use document::document;
pub(crate) use permissions::check_names;
pub(crate) use routes::configure;
pub(crate) use webhook_words::Words;

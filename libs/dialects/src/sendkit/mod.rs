//! The SendKit dialect, `/v1`: camelCase JSON, `{"success":...}` envelopes, 24-digit ids.

mod auth;
mod document;
mod errors;
mod handlers;
mod routes;
mod webhook_words;
mod wire;

pub(crate) use document::Doc;
pub(crate) use routes::configure;
pub(crate) use webhook_words::Words;

//! The ColdSend dialect, `/api/public/v1`: flat snake_case JSON, UUIDs, errors as `detail`.

mod auth;
mod document;
mod errors;
mod handlers;
mod ids;
mod routes;
mod scopes;
mod wire;

pub(crate) use document::Doc;
pub(crate) use routes::configure;
pub(crate) use scopes::check_names;

//! The wire dialects: REST contracts over one set of use cases. A dialect is a folder and one line in [`DIALECTS`];
//! this is the only file that names all of them. One dialect never imports another.

mod app;
mod coldsend;
mod dialect;
mod document;
pub mod http;
mod sendkit;
mod sendmux;

pub use app::App;
pub use dialect::{Dialect, ForeignKey, LimitSetting, check_scopes, key_kinds, name_of, webhook_words};
pub use document::openapi;

/// All dialects that Mailmoor speaks.
pub static DIALECTS: &[&Dialect] = &[&sendkit::DIALECT, &coldsend::DIALECT, &sendmux::DIALECT];

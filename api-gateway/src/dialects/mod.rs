//! The wire dialects. This is the only file that names all of them; one never imports another.

pub(crate) mod sendkit;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

/// Mounts every dialect under its own prefix.
pub(crate) fn configure(services: &mut ServiceConfig) {
    sendkit::configure(services);
}

/// The document of all dialects together.
pub(crate) fn openapi() -> Document {
    let mut document = sendkit::Doc::openapi();
    document.info.title = "Mailmoor".to_owned();
    document
}

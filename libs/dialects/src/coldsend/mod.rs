//! The ColdSend dialect, `/api/public/v1`: flat snake_case JSON, UUIDs, errors as `detail`.

mod auth;
mod document;
mod errors;
mod handlers;
mod ids;
mod routes;
mod scopes;
mod wire;

use std::time::Duration;

use shared_models::domain::imports::ImportSource;

use crate::{Dialect, LimitSetting};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "coldsend",
    prefix: "/api/public/v1",
    mount: routes::mount,
    document: document::document,
    keys: &[auth::KEY],
    check_scopes: |_, scopes| scopes::check_names(scopes),
    limits: &[
        LimitSetting { setting: "coldsend_per_minute", default: 100, window: Duration::from_secs(60) },
        LimitSetting { setting: "coldsend_per_hour", default: 1_000, window: Duration::from_secs(3_600) },
    ],
    webhook_words: None,
    import_source: Some(IMPORTS),
};

const IMPORTS: ImportSource = ImportSource("bulk");

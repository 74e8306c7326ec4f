//! The SendKit dialect, `/v1`: camelCase JSON, `{"success":...}` envelopes, 24-digit ids.

mod auth;
mod document;
mod errors;
mod handlers;
mod routes;
mod webhook_words;
mod wire;

use std::time::Duration;

use shared_models::domain::imports::ImportSource;

use crate::{Dialect, LimitSetting};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "sendkit",
    prefix: "/v1",
    mount: routes::mount,
    document: document::document,
    keys: &[auth::WORKSPACE_KEY, auth::PLATFORM_KEY],
    check_scopes: auth::check_scopes,
    limits: &[LimitSetting { setting: "sendkit_per_minute", default: 300, window: Duration::from_secs(60) }],
    webhook_words: Some(&webhook_words::Words),
    import_source: Some(IMPORTS),
};

const IMPORTS: ImportSource = ImportSource("csv");

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

use std::time::Duration;

use crate::{Dialect, LimitSetting};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "sendmux",
    prefix: "/api/v1",
    mount: routes::mount,
    document: document::document,
    keys: &[auth::TEAM_KEY, auth::MAILBOX_KEY],
    check_scopes: |_, scopes| permissions::check_names(scopes),
    limits: &[LimitSetting { setting: "sendmux_per_minute", default: 600, window: Duration::from_secs(60) }],
    webhook_words: Some(&webhook_words::Words),
    import_source: None,
};

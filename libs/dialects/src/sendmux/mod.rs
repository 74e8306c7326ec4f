//! The Sendmux dialect, `/api/v1`: snake_case JSON in `{"ok":...}` envelopes, prefixed ids, entity tags,
//! requests that can be repeated.

mod answer;
mod auth;
mod body;
mod conditional;
mod context;
mod document;
mod domains;
mod error;
mod filters;
mod idempotency;
mod ids;
mod lists;
mod mailboxes;
mod me;
mod permissions;
mod providers;
mod webhooks;

use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, route, scope};
use actix_web::{HttpRequest, Route};

use error::SendmuxError;

use crate::App;
use crate::http::rate_limit;

pub(crate) use document::document;
pub(crate) use permissions::check_names;
pub(crate) use webhooks::Words;

/// The route table. Each part mounts its own routes.
pub(crate) fn configure(services: &mut ServiceConfig) {
    services.service(
        scope(answer::PREFIX)
            .configure(me::configure)
            .configure(domains::configure)
            .configure(mailboxes::configure)
            .configure(providers::configure)
            .configure(webhooks::configure)
            .default_service(route().to(async |request: HttpRequest, app: Data<App>| {
                refuse(&request, &app, SendmuxError::UnknownPath).await
            }))
            // Inside, for it replaces answers.
            .wrap(from_fn(context::dressed))
            .wrap(from_fn(rate_limit::announced)),
    );
}

/// Answers the methods that a path does not take; `allowed` is what it does take, as in `Allow`.
fn only(allowed: &'static str) -> Route {
    route().to(move |request: HttpRequest, app: Data<App>| async move {
        refuse(&request, &app, SendmuxError::MethodNotAllowed(allowed)).await
    })
}

/// Answers what no route takes. Who has no key is told that first, as everywhere.
async fn refuse(request: &HttpRequest, app: &App, error: SendmuxError) -> Result<(), SendmuxError> {
    auth::any_caller(request, app).await?;
    Err(error)
}

//! `/v1/mailboxes/import`.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, LOCATION};
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, Stream};
use shared_models::domain::imports::{Import, ImportRow};
use shared_models::domain::{CoreError, ImportId};

use crate::App;
use crate::http::upload::read_upload;
use crate::sendkit::IMPORTS;
use crate::sendkit::auth;
use crate::sendkit::errors::{ErrorEnvelope, SendkitError};
use crate::sendkit::wire::{ImportBody, ImportDetail, ImportForm, ImportProgress, Success, failed_rows, new_import};
use use_cases::ImportWatch;
use use_cases::imports::csv::TEMPLATE;

/// Longer than any import takes whose servers answer; after that the caller has to come again.
const LONGEST_ANSWER: Duration = Duration::from_secs(15 * 60);
/// Between signs of life to somebody who watches, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
const IMPORT_ID: HeaderName = HeaderName::from_static("x-import-id");
const PREFER: &str = "prefer";
const PREFERENCE_APPLIED: (&str, &str) = ("preference-applied", "respond-async");

/// Add up to 500 mailboxes from a CSV file. Answers when all rows are settled; with
/// `Prefer: respond-async` (RFC 7240) at once. The import goes on in any case.
#[utoipa::path(post, operation_id = "sendkitImportMailboxes", path = "/v1/mailboxes/import/smtp", tag = "SendKit imports",
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    params(("Prefer" = Option<String>, Header, description = "`respond-async`: answer at once")),
    responses(
        (status = 200, body = Success<ImportBody>, headers(("X-Import-Id" = String))),
        (status = 202, body = Success<ImportProgress>, headers(("X-Import-Id" = String), ("Location" = String))),
        (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope),
    ))]
pub(in crate::sendkit) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let upload = read_upload(&request, payload, "file").await?;
    let import = app.use_cases.start_import(tenant, new_import(upload)?).await?;
    if wants_no_wait(&request) {
        return Ok(accepted(&import, &[PREFERENCE_APPLIED]));
    }
    let (import, rows) = app.use_cases.finished_import(tenant, IMPORTS, import.id, LONGEST_ANSWER).await?;
    if import.finished_at.is_none() {
        return Ok(accepted(&import, &[]));
    }
    let body = Success::new(ImportBody::new(&import, &rows));
    Ok(HttpResponse::Ok().insert_header((IMPORT_ID, import.id.to_string())).json(body))
}

/// RFC 7240: preferences are comma separated, in any number of headers, in any case.
fn wants_no_wait(request: &HttpRequest) -> bool {
    let headers = request.headers().get_all(PREFER).filter_map(|value| value.to_str().ok());
    headers
        .flat_map(|value| value.split(','))
        .any(|wish| wish.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("respond-async")))
}

fn accepted(import: &Import, further: &[(&'static str, &'static str)]) -> HttpResponse {
    let mut answer = HttpResponse::Accepted();
    for header in further {
        answer.insert_header(*header);
    }
    answer
        .insert_header((IMPORT_ID, import.id.to_string()))
        .insert_header((LOCATION, format!("/v1/mailboxes/import/{}", import.id)))
        .json(Success::new(ImportProgress::from(import)))
}

/// How far an import is, and the rows that failed.
#[utoipa::path(get, operation_id = "sendkitGetImport", path = "/v1/mailboxes/import/{importId}", tag = "SendKit imports", params(("importId" = String, Path)), responses(
    (status = 200, body = Success<ImportDetail>, headers(("X-Import-Id" = String))), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let (import, rows) = find(&request, &id, &app).await?;
    let body = Success::new(ImportDetail::new(&import, &rows));
    Ok(HttpResponse::Ok().insert_header((IMPORT_ID, import.id.to_string())).json(body))
}

/// Watch an import (Server-Sent Events): `progress` each time that it is further, at last `finished`.
#[utoipa::path(get, operation_id = "sendkitWatchImport", path = "/v1/mailboxes/import/{importId}/events", tag = "SendKit imports", params(("importId" = String, Path)), responses(
    (status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn watch(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let tenant = auth::tenant(&request, &app).await?;
    let id = import_id(&id)?;
    // Before the stream begins, while there is still a way to say that there is none.
    app.use_cases.import(tenant, IMPORTS, id).await?;
    let watch = app.use_cases.watch_import(tenant, IMPORTS, id);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // For nginx, which collects answers otherwise.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events(watch)))
}

fn events(watch: ImportWatch) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(watch, async |mut watch| {
        let text = match tokio::time::timeout(HEARTBEAT, watch.next()).await {
            Err(_) => ": still running\n\n".to_owned(),
            Ok(Ok(Some(import))) => event(&import),
            // Its end, or the import is gone; whoever connects again learns which.
            Ok(Ok(None) | Err(_)) => return None,
        };
        Some((Ok(Bytes::from(text)), watch))
    })
}

/// In the form of the HTML standard, section 9.2.6. JSON has no line breaks.
fn event(import: &Import) -> String {
    let progress = ImportProgress::from(import);
    let name = if import.finished_at.is_some() { "finished" } else { "progress" };
    let data = serde_json::to_string(&progress).unwrap_or_default();
    format!("event: {name}\nid: {}\ndata: {data}\n\n", import.processed())
}

/// The failed rows so far as a CSV file without passwords, to be put right and uploaded again.
#[utoipa::path(get, operation_id = "sendkitGetFailedRows", path = "/v1/mailboxes/import/{importId}/failed.csv", tag = "SendKit imports", params(("importId" = String, Path)), responses(
    (status = 200, body = String, content_type = "text/csv"), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn failed(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendkitError> {
    let (import, rows) = find(&request, &id, &app).await?;
    Ok(csv(&format!("failed-{}.csv", import.id), failed_rows(&rows)?))
}

/// A CSV file to start from.
#[utoipa::path(get, operation_id = "sendkitGetImportTemplate", path = "/v1/mailboxes/import/template.csv", tag = "SendKit imports", responses(
    (status = 200, body = String, content_type = "text/csv"), (status = 400, body = ErrorEnvelope), (status = 403, body = ErrorEnvelope),
))]
pub(in crate::sendkit) async fn template(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendkitError> {
    auth::account(&request, &app).await?;
    Ok(csv("mailboxes.csv", TEMPLATE.to_owned()))
}

fn csv(name: &str, text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(text)
}

async fn find(request: &HttpRequest, id: &str, app: &App) -> Result<(Import, Vec<ImportRow>), SendkitError> {
    let tenant = auth::tenant(request, app).await?;
    Ok(app.use_cases.import(tenant, IMPORTS, import_id(id)?).await?)
}

/// A malformed id is as unknown as any other.
fn import_id(path: &str) -> Result<ImportId, CoreError> {
    path.parse().map_err(|_| CoreError::NotFound("import"))
}

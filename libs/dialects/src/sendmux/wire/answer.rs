//! Successes: `{"ok":true,"data":...,"meta":{"request_id"}}`, lists with `pagination`. What answers a POST
//! that can be repeated is a [`crate::sendmux::idempotency::Reply`].

use actix_web::http::StatusCode;
use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::meta::Meta;
use crate::sendmux::conditional;
use crate::sendmux::context::request_id;

/// Prefix of all paths of this dialect.
pub(in crate::sendmux) const PREFIX: &str = "/api/v1";

/// A success.
#[derive(Serialize, ToSchema)]
pub(in crate::sendmux) struct SendmuxOk<T: ToSchema> {
    /// Always true.
    ok: bool,
    data: T,
    meta: Meta,
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(in crate::sendmux) struct SendmuxPage<T: ToSchema> {
    /// Always true.
    ok: bool,
    data: Vec<T>,
    pagination: Pagination,
    meta: Meta,
}

/// Continuation of the list.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxPagination)]
struct Pagination {
    has_more: bool,
    /// The query parameter `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Confirmation of a deletion.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxDeleted)]
pub(in crate::sendmux) struct Deleted {
    id: String,
    /// Always true.
    deleted: bool,
}

/// 200.
pub(in crate::sendmux) fn ok<T: Serialize + ToSchema>(request: &HttpRequest, data: T) -> HttpResponse {
    HttpResponse::Ok().json(envelope(request, data))
}

/// 200 with one page of a list; `next_cursor` where it goes on.
pub(in crate::sendmux) fn page<T: Serialize + ToSchema>(
    request: &HttpRequest,
    items: Vec<T>,
    next_cursor: Option<String>,
) -> HttpResponse {
    let pagination = Pagination { has_more: next_cursor.is_some(), next_cursor };
    HttpResponse::Ok().json(SendmuxPage { ok: true, data: items, pagination, meta: meta(request) })
}

/// 200 for a deletion.
pub(in crate::sendmux) fn deleted(request: &HttpRequest, public_id: String) -> HttpResponse {
    ok(request, Deleted { id: public_id, deleted: true })
}

/// The GET of a single resource: 200 with its `ETag`, or 304 where `If-None-Match` names that.
pub(in crate::sendmux) fn tagged<T: Serialize + ToSchema>(request: &HttpRequest, data: T) -> HttpResponse {
    let tag = conditional::etag(&data);
    if conditional::is_known(request, &tag) {
        return HttpResponse::build(StatusCode::NOT_MODIFIED).insert_header((ETAG, tag)).finish();
    }
    HttpResponse::Ok().insert_header((ETAG, tag)).json(envelope(request, data))
}

/// 200 after a PATCH or PUT, with the `ETag` of what is there now.
pub(in crate::sendmux) fn changed<T: Serialize + ToSchema>(request: &HttpRequest, data: T) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, conditional::etag(&data))).json(envelope(request, data))
}

fn envelope<T: ToSchema>(request: &HttpRequest, data: T) -> SendmuxOk<T> {
    SendmuxOk { ok: true, data, meta: meta(request) }
}

fn meta(request: &HttpRequest) -> Meta {
    Meta::new(&request_id(request))
}

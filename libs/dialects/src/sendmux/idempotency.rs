//! `Idempotency-Key`: a POST that carries one is carried out once in 24 hours, and answered in the same
//! way whenever it is repeated.
//!
//! A handler chooses one of two functions. [`once`] is for work that may be done twice without harm, should the
//! process die between doing and answering (suspend, activate, ...). [`once_in_transaction`] is for everything that
//! creates something, above all secrets. There the answer is stored in the transaction that creates.

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use shared_models::domain::CoreError;
use shared_models::store::{PendingAnswer, RepeatableRequest, StoredAnswer};
use zeroize::Zeroizing;

use super::auth::Caller;
use super::context;
use super::errors::SendmuxError;
use crate::App;
use use_cases::{Hold, IdempotencyState};

const HEADER: &str = "Idempotency-Key";
/// Most characters of a key.
const MAX_KEY: usize = 255;

const OTHER_CONTENT: &str = "This Idempotency-Key was used with another request";
const UNDER_WAY: &str = "The first request with this Idempotency-Key is still being processed";

/// The answer to a POST that succeeded, without what is said about the request.
pub(super) struct Reply {
    status: StatusCode,
    location: Option<String>,
    /// JSON. May contain secrets.
    data: Zeroizing<String>,
}

impl Reply {
    /// 200.
    ///
    /// # Errors
    /// `Internal` when `data` cannot be serialised.
    pub(super) fn ok(data: impl Serialize) -> Result<Self, CoreError> {
        let data = serde_json::to_string(&data).map(Zeroizing::new);
        let data = data.map_err(|e| CoreError::Internal(format!("an answer cannot be serialised: {e}")))?;
        Ok(Self { status: StatusCode::OK, location: None, data })
    }

    /// 201. `location` is the whole path of the new object, `/api/v1/...`.
    ///
    /// # Errors
    /// As [`Self::ok`].
    pub(super) fn created(location: String, data: impl Serialize) -> Result<Self, CoreError> {
        Ok(Self { status: StatusCode::CREATED, location: Some(location), ..Self::ok(data)? })
    }

    fn into_stored(self, request_id: &str) -> StoredAnswer {
        let Self { status, location, data } = self;
        // The id is letters, digits and underscores.
        let body = format!(r#"{{"ok":true,"data":{},"meta":{{"request_id":"{request_id}"}}}}"#, *data);
        let request_id = request_id.to_owned();
        StoredAnswer { status: status.as_u16(), location, request_id, body: Zeroizing::new(body) }
    }
}

/// Carries out what a key, if there is one, was not used for yet. `endpoint` is method and template of
/// the route, `path_parameters` what stands in the place of the parameters.
///
/// To be called when only the state of things can still be against it: what does not exist is answered
/// with 404 before.
///
/// # Errors
/// 409 `idempotency_conflict`; what `work` fails with, after which the key is as good as unused.
pub(super) async fn once(
    request: &HttpRequest,
    app: &App,
    caller: &Caller,
    endpoint: &'static str,
    path_parameters: &str,
    raw_body: &[u8],
    work: impl AsyncFnOnce() -> Result<Reply, SendmuxError>,
) -> Result<HttpResponse, SendmuxError> {
    let mut hold = match begin(request, app, caller, endpoint, path_parameters, raw_body).await? {
        Go::Replay(answer) => return Ok(answer),
        Go::Ahead(hold) => hold,
    };
    let done = match &mut hold {
        Some(hold) => hold.during(work()).await?,
        None => work().await?,
    };
    Ok(finish(hold, done.into_stored(&context::request_id(request))).await)
}

/// As [`once`], with certainty. `work` passes its [`PendingAnswer`] to the store's function for the operation. In the
/// same transaction this function stores the answer that `render` makes. The result of `work` must be what `render`
/// was given there.
///
/// # Errors
/// As [`once`].
#[allow(clippy::too_many_arguments, reason = "what `once` takes, and how to answer")]
pub(super) async fn once_in_transaction<T: 'static>(
    request: &HttpRequest,
    app: &App,
    caller: &Caller,
    endpoint: &'static str,
    path_parameters: &str,
    raw_body: &[u8],
    render: impl Fn(&T) -> Result<Reply, CoreError> + Clone + Send + Sync + 'static,
    work: impl AsyncFnOnce(PendingAnswer<T>) -> Result<T, SendmuxError>,
) -> Result<HttpResponse, SendmuxError> {
    let mut hold = match begin(request, app, caller, endpoint, path_parameters, raw_body).await? {
        Go::Replay(answer) => return Ok(answer),
        Go::Ahead(hold) => hold,
    };
    let id = context::request_id(request);
    let render = move |done: &T| Ok::<_, CoreError>(render(done)?.into_stored(&id));
    let done = match &mut hold {
        Some(hold) => {
            let pending = hold.pending(render.clone());
            hold.during(work(pending)).await?
        }
        None => work(PendingAnswer::not_kept()).await?,
    };
    Ok(finish(hold, render(&done)?).await)
}

/// The decision on a request.
enum Go {
    /// It was carried out before.
    Replay(HttpResponse),
    /// Carry it out. There is something to hold if it has a key.
    Ahead(Option<Hold>),
}

async fn begin(
    request: &HttpRequest,
    app: &App,
    caller: &Caller,
    endpoint: &'static str,
    path_parameters: &str,
    raw_body: &[u8],
) -> Result<Go, SendmuxError> {
    let Some(key) = key_of(request)? else { return Ok(Go::Ahead(None)) };
    // Ids contain no zero byte, so that it is clear where they end.
    let content = Zeroizing::new([path_parameters.as_bytes(), b"\0", raw_body].concat());
    let repeatable = RepeatableRequest { workspace: caller.tenant.workspace, endpoint, key, content };
    match app.use_cases.begin_once(repeatable).await? {
        IdempotencyState::Fresh(hold) => Ok(Go::Ahead(Some(hold))),
        IdempotencyState::Answered(answer) => {
            context::answer_as(request, &answer.request_id);
            Ok(Go::Replay(respond(&answer)))
        }
        IdempotencyState::Held => Err(SendmuxError::Idempotency(UNDER_WAY)),
        IdempotencyState::OtherContent => Err(SendmuxError::Idempotency(OTHER_CONTENT)),
    }
}

async fn finish(hold: Option<Hold>, answer: StoredAnswer) -> HttpResponse {
    let response = respond(&answer);
    if let Some(hold) = hold {
        hold.answer(answer).await;
    }
    response
}

fn respond(answer: &StoredAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if let Some(location) = &answer.location {
        response.insert_header((LOCATION, location.as_str()));
    }
    response.insert_header(ContentType::json()).body(answer.body.as_str().to_owned())
}

/// The key of a request; an empty one is none.
///
/// # Errors
/// 400 for one that is too long or no text.
pub(super) fn key_of(request: &HttpRequest) -> Result<Option<String>, SendmuxError> {
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let bad = |code, message: String| SendmuxError::invalid_field(HEADER, code, message);
    let key =
        std::str::from_utf8(value.as_bytes()).map_err(|_| bad("invalid_string", "must be a text".to_owned()))?.trim();
    if key.chars().count() > MAX_KEY {
        return Err(bad("too_big", format!("must have at most {MAX_KEY} characters")));
    }
    Ok(Some(key.to_owned()).filter(|key| !key.is_empty()))
}

//! How ColdSend reads request bodies.

use actix_web::HttpRequest;
use actix_web::web::Payload;

use super::faults::{BODY, FieldFault};
use crate::coldsend::errors::ColdsendError;
use crate::http::body::{BodyError, MAX_JSON, read_json};
use crate::http::json::{self, FromBody, Integers, Json, Limits, Path, Problem, Style, check, read_object};

/// Objects are open. `null` is no value of any member. Integers and flags may come as texts, as pydantic 1 allows.
/// `5.5`, which it would truncate, and `true`, which it would read as 1, are no integers here.
#[derive(Debug)]
pub(in crate::coldsend) struct Coldsend;

pub(in crate::coldsend) type Faults = json::Faults<Coldsend>;
pub(in crate::coldsend) type Field<'f, 'b> = json::Field<'f, 'b, Coldsend>;
pub(in crate::coldsend) type Members<'m, 'b> = json::Members<'m, 'b, Coldsend>;

impl Style for Coldsend {
    type Fault = FieldFault;
    type Error = ColdsendError;
    const LIMITS: Limits = Limits { bytes: MAX_JSON, members: 1_000 };
    const ROOT: Option<Path<'static>> = Some(BODY);
    const OPEN: bool = true;
    const NULL_IS_ABSENT: bool = false;
    const INTEGERS: Integers = Integers::WholeOrDigits;
    const REFUSES_NUL: bool = false;

    fn fault(at: &Path<'_>, problem: Problem) -> FieldFault {
        FieldFault::new(at, problem)
    }

    fn refuse(faults: Vec<FieldFault>) -> ColdsendError {
        ColdsendError::Invalid(faults)
    }
}

/// Reads a body as `T`; `None` only if there are faults. Paths and queries have faults as well, so the caller settles.
///
/// # Errors
/// The body cannot be read at all: 413 above the limit of the route, 422 for malformed JSON.
pub(in crate::coldsend) async fn read_body<T: FromBody<Coldsend>>(
    request: &HttpRequest,
    payload: Payload,
    faults: &mut Faults,
) -> Result<Option<T>, ColdsendError> {
    let bytes = match read_json(request, payload, T::LIMITS.bytes).await {
        Ok(bytes) => bytes,
        // A body that is not declared as JSON is a text, and no text is an object.
        Err(BodyError::NotJsonType) => {
            faults.note(&BODY, Problem::NotObject);
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let body = if bytes.is_empty() { None } else { Some(check(&bytes, T::LIMITS).map_err(BodyError::from)?) };
    Ok(match body.filter(|body| !body.is_null()) {
        Some(body) if body.is_object() => read_object(body, faults),
        other => {
            faults.note(&BODY, other.map_or(Problem::Missing, |_: Json<'_>| Problem::NotObject));
            None
        }
    })
}

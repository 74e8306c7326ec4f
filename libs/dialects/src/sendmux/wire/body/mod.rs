//! How Sendmux reads request bodies, and its words for what is wrong with them.

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};

use crate::http::body::{self, BodyError};
use crate::http::json::{self, FromBody, Integers, Limits, Path, Problem, Style, check, read_object};
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::idempotency;

/// Largest body in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Objects are closed, and `null` is no value of any member that is not nullable.
pub(in crate::sendmux) struct Sendmux;

pub(in crate::sendmux) type Field<'f, 'b> = json::Field<'f, 'b, Sendmux>;
pub(in crate::sendmux) type Members<'m, 'b> = json::Members<'m, 'b, Sendmux>;

impl Style for Sendmux {
    type Fault = FieldFault;
    type Error = SendmuxError;
    const LIMITS: Limits = Limits { bytes: MAX_BODY, members: 1_000 };
    const ROOT: Option<Path<'static>> = None;
    const OPEN: bool = false;
    const NULL_IS_ABSENT: bool = false;
    const INTEGERS: Integers = Integers::Whole;
    const REFUSES_NUL: bool = true;

    fn fault(at: &Path<'_>, problem: Problem) -> FieldFault {
        let (code, message) = words(problem);
        FieldFault::new(at.to_string(), code, message)
    }

    fn refuse(faults: Vec<FieldFault>) -> SendmuxError {
        SendmuxError::invalid(faults)
    }
}

/// A validator's word, and the sentence that follows the name of the field.
fn words(problem: Problem) -> (&'static str, String) {
    let (code, message) = match problem {
        Problem::Missing => ("invalid_type", "is required"),
        Problem::Null => ("invalid_type", "must not be null"),
        Problem::Unknown => ("unrecognized_keys", "is not known here"),
        Problem::NotText => ("invalid_type", "must be a string"),
        Problem::NotNumber => ("invalid_type", "must be a number"),
        Problem::NotInteger => ("invalid_type", "must be a whole number"),
        Problem::NotFlag => ("invalid_type", "must be true or false"),
        Problem::NotList => ("invalid_type", "must be a list"),
        Problem::NotObject => ("invalid_type", "must be an object"),
        Problem::NotPort => ("invalid_type", "must be a whole number from 1 to 65535"),
        Problem::NotAny(types) => return ("invalid_type", format!("must be {types}")),
        Problem::NotUuid => ("invalid_string", "must be a UUID"),
        Problem::NotEmail => ("invalid_string", "must be an email address"),
        Problem::NotOneOf(words) => return ("invalid_enum_value", format!("must be one of {}", words.join(", "))),
        Problem::Empty => return words(Problem::TooShort(1)),
        Problem::TooShort(least) => return ("too_small", format!("must have at least {least} character(s)")),
        Problem::TooLong(most) => return ("too_big", format!("must have at most {most} characters")),
        Problem::TooManyBytes(most) => return ("too_big", format!("must have at most {most} bytes")),
        Problem::Below(least, _) => return ("too_small", format!("must be at least {least}")),
        Problem::Above(_, most) => return ("too_big", format!("must be at most {most}")),
        Problem::TooFew(least) => return ("too_small", format!("must have at least {least} item(s)")),
        Problem::TooMany(most) => return ("too_big", format!("must have at most {most} items")),
        Problem::Nul => ("invalid_string", "must not contain the character U+0000"),
        Problem::Controls => ("invalid_string", "must not contain control characters"),
        Problem::Form(message) => return ("invalid_string", message),
        Problem::NoRoom(message) => ("too_big", message),
    };
    (code, message.to_owned())
}

/// Reads the bytes of a body.
///
/// # Errors
/// 413 above 1 MiB; 400 for a body that does not arrive.
pub(in crate::sendmux) async fn raw(payload: Payload) -> Result<Bytes, SendmuxError> {
    Ok(body::read_bytes(payload, MAX_BODY).await?.freeze())
}

/// As [`raw`], on a route that takes an `Idempotency-Key`. The key is checked as well, since headers are judged before
/// anything is looked up.
///
/// # Errors
/// As [`raw`]; 400 for a key of more than 255 characters.
pub(in crate::sendmux) async fn repeatable(request: &HttpRequest, payload: Payload) -> Result<Bytes, SendmuxError> {
    let bytes = raw(payload).await?;
    idempotency::key_of(request)?;
    Ok(bytes)
}

/// Reads a body as `T`. Where it is needed for [`idempotency::once`] as well: [`repeatable`], then [`parse`].
///
/// # Errors
/// As [`raw`] and [`parse`].
pub(in crate::sendmux) async fn read<T: FromBody<Sendmux>>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, SendmuxError> {
    let bytes = raw(payload).await?;
    parse(request, &bytes)
}

/// Parses the bytes of a body as `T`.
///
/// # Errors
/// 400 that names every bad member.
pub(in crate::sendmux) fn parse<T: FromBody<Sendmux>>(request: &HttpRequest, bytes: &[u8]) -> Result<T, SendmuxError> {
    body::check_type(request)?;
    let body = check(bytes, T::LIMITS).map_err(BodyError::from)?;
    if !body.is_object() {
        return Err(BodyError::NotAnObject.into());
    }
    let mut faults = json::Faults::default();
    let value = read_object(body, &mut faults);
    faults.settle(value)
}

/// For routes without a body: nothing, or an object without members. Some clients send `null`.
///
/// # Errors
/// 400 for anything else.
pub(in crate::sendmux) fn nothing(request: &HttpRequest, bytes: &[u8]) -> Result<(), SendmuxError> {
    struct Nothing;
    impl FromBody<Sendmux> for Nothing {
        fn read(_: &mut Members<'_, '_>) -> Option<Self> {
            Some(Self)
        }
    }
    match bytes.trim_ascii() {
        b"" | b"null" => Ok(()),
        _ => parse::<Nothing>(request, bytes).map(|_| ()),
    }
}

#[cfg(test)]
mod tests;

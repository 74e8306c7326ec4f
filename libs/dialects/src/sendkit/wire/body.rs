//! How SendKit reads request bodies, and its words for what is wrong with them.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use shared_models::domain::{CoreError, FieldError};

use crate::http::body::{BodyError, MAX_JSON, check_type, read_bytes, read_json};
use crate::http::json::{self, FromBody, Integers, Limits, Path, Problem, Style, check, read_object};
use crate::sendkit::errors::SendkitError;

/// Objects are open, and `null` stands for a member that is left out.
pub(in crate::sendkit) struct Sendkit;

pub(in crate::sendkit) type Faults = json::Faults<Sendkit>;
pub(in crate::sendkit) type Field<'f, 'b> = json::Field<'f, 'b, Sendkit>;
pub(in crate::sendkit) type Members<'m, 'b> = json::Members<'m, 'b, Sendkit>;

impl Style for Sendkit {
    type Fault = FieldError;
    type Error = CoreError;
    const LIMITS: Limits = Limits { bytes: MAX_JSON, members: 1_000 };
    const ROOT: Option<Path<'static>> = None;
    const OPEN: bool = true;
    const NULL_IS_ABSENT: bool = true;
    const INTEGERS: Integers = Integers::Plain;
    const REFUSES_NUL: bool = false;

    fn fault(at: &Path<'_>, problem: Problem) -> FieldError {
        FieldError::new(at.to_string(), sentence(problem))
    }

    fn refuse(faults: Vec<FieldError>) -> CoreError {
        CoreError::Invalid(faults)
    }
}

/// The sentence follows the name of the field.
fn sentence(problem: Problem) -> String {
    match problem {
        Problem::Missing | Problem::Null => "is required".to_owned(),
        Problem::Unknown => "is not known here".to_owned(),
        Problem::NotText => "must be a string".to_owned(),
        Problem::NotNumber => "must be a number".to_owned(),
        Problem::NotInteger => "must be an integer".to_owned(),
        Problem::NotFlag => "must be true or false".to_owned(),
        // SendKit has no other lists.
        Problem::NotList => "must be a list of strings".to_owned(),
        Problem::NotObject => "must be an object".to_owned(),
        Problem::NotUuid => "must be a UUID".to_owned(),
        Problem::NotEmail => "must be an email address".to_owned(),
        Problem::NotPort => "must be an integer from 1 to 65535".to_owned(),
        Problem::NotAny(types) => format!("must be {types}"),
        Problem::NotOneOf(words) => format!("must be one of {}", words.join(", ")),
        Problem::Empty => "must not be empty".to_owned(),
        Problem::TooShort(least) => format!("must have at least {least} characters"),
        Problem::TooLong(most) => format!("must have at most {most} characters"),
        Problem::TooManyBytes(most) => format!("must have at most {most} bytes"),
        Problem::Below(from, to) | Problem::Above(from, to) => format!("must be from {from} to {to}"),
        Problem::TooFew(least) => format!("must have at least {least} entries"),
        Problem::TooMany(most) => format!("must have at most {most} entries"),
        Problem::Nul => "must not contain NUL characters".to_owned(),
        Problem::Controls => "must not contain line breaks or other control characters".to_owned(),
        Problem::Form(sentence) => sentence,
        Problem::NoRoom(sentence) => sentence.to_owned(),
    }
}

/// Reads a body that has to be there.
///
/// # Errors
/// 400 that names every bad field; 413 and 415.
pub(in crate::sendkit) async fn read_body<T: FromBody<Sendkit>>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, SendkitError> {
    let bytes = read_bytes(payload, T::LIMITS.bytes).await?;
    check_type(request)?;
    parse(&bytes)
}

/// As [`read_body`], where no body says as much as an empty object.
///
/// # Errors
/// As [`read_body`].
pub(in crate::sendkit) async fn read_optional_body<T: FromBody<Sendkit>>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, SendkitError> {
    let bytes = read_json(request, payload, T::LIMITS.bytes).await?;
    parse(if bytes.is_empty() { b"{}" } else { &bytes })
}

fn parse<T: FromBody<Sendkit>>(bytes: &[u8]) -> Result<T, SendkitError> {
    let body = check(bytes, T::LIMITS).map_err(BodyError::from)?;
    if !body.is_object() {
        return Err(BodyError::NotAnObject.into());
    }
    let mut faults = Faults::default();
    let value = read_object(body, &mut faults);
    Ok(faults.settle(value)?)
}

/// Checks a text that gets into commands for a mail server or into the header of a mail. It may have at most `most`
/// characters, and no control character, such as CR or LF.
pub(in crate::sendkit) fn line_problems(text: &str, most: usize) -> Vec<Problem> {
    let too_long = (text.chars().count() > most).then_some(Problem::TooLong(most));
    let controls = text.chars().any(char::is_control).then_some(Problem::Controls);
    too_long.into_iter().chain(controls).collect()
}

/// Notes the [`line_problems`] of a text that was read from this member.
pub(in crate::sendkit) fn check_line(members: &mut Members<'_, '_>, name: &str, text: &str, most: usize) {
    for problem in line_problems(text, most) {
        members.fault(name, problem);
    }
}

/// A list of texts, which one bad item spoils as a whole.
pub(in crate::sendkit) fn texts(field: &mut Field<'_, '_>, most: usize) -> Option<Vec<String>> {
    let items = field.list(0..=most, |item| Some(item.json()?.text().map(String::from)))?;
    match items.into_iter().collect() {
        Some(texts) => Some(texts),
        None => field.refuse(Problem::NotList),
    }
}

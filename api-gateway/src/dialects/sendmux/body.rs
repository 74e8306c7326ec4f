//! Request bodies: closed JSON objects, of which every bad member is named, in the order in which they
//! are read; members that nobody read come last.

use std::ops::RangeInclusive;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::{Bytes, Payload};
use serde_json::{Map, Value};

use super::error::{FieldFault, SendmuxError};
use super::idempotency;
use crate::http::body::{self, BodyError};
use crate::http::fields::Field;

/// Largest body in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// A request body that is read out of its members.
pub(super) trait FromBody: Sized {
    /// What is wrong is noted in `members`; the value counts only if nothing is.
    fn read(members: &mut Members<'_>) -> Option<Self>;
}

/// Reads a body as it is sent. What `Idempotency-Key` says is checked as well: headers are judged before
/// everything that is looked up.
///
/// # Errors
/// 413 above 1 MiB; 400 for a body that does not arrive, and for a key of more than 255 characters.
pub(super) async fn raw(request: &HttpRequest, payload: Payload) -> Result<Bytes, SendmuxError> {
    let bytes = body::read_bytes(payload, MAX_BODY).await?;
    if request.method() == Method::POST {
        idempotency::key_of(request)?;
    }
    Ok(bytes.freeze())
}

/// Reads a body as `T`. Where it is needed for [`idempotency::once`] as well: [`raw`], then [`parse`].
///
/// # Errors
/// As [`raw`] and [`parse`].
pub(super) async fn read<T: FromBody>(request: &HttpRequest, payload: Payload) -> Result<T, SendmuxError> {
    let bytes = raw(request, payload).await?;
    parse(request, &bytes)
}

/// What [`raw`] read as `T`.
///
/// # Errors
/// 400 that names every bad member.
pub(super) fn parse<T: FromBody>(request: &HttpRequest, bytes: &[u8]) -> Result<T, SendmuxError> {
    body::check_type(request)?;
    let Value::Object(object) = body::parse(bytes)? else { return Err(BodyError::NotAnObject.into()) };
    let mut faults = vec![];
    let mut members = Members { object, at: String::new(), faults: &mut faults };
    let value = T::read(&mut members);
    members.close();
    match value {
        Some(value) if faults.is_empty() => Ok(value),
        _ => Err(SendmuxError::invalid(faults)),
    }
}

/// For routes without a body: nothing, or an object without members.
///
/// # Errors
/// 400 for anything else.
pub(super) fn nothing(request: &HttpRequest, bytes: &[u8]) -> Result<(), SendmuxError> {
    struct Nothing;
    impl FromBody for Nothing {
        fn read(_: &mut Members<'_>) -> Option<Self> {
            Some(Self)
        }
    }
    if bytes.is_empty() { Ok(()) } else { parse::<Nothing>(request, bytes).map(|_| ()) }
}

/// The members of an object, taken out one by one.
pub(super) struct Members<'f> {
    object: Map<String, Value>,
    /// Dot path of the object with a dot behind it; empty for the body itself.
    at: String,
    faults: &'f mut Vec<FieldFault>,
}

impl Members<'_> {
    /// Notes what is wrong with a member. For rules of a type that the methods below do not know.
    pub(super) fn fault(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        self.faults.push(FieldFault::new(format!("{}{name}", self.at), code, message));
    }

    /// Takes a member out, whatever it is.
    pub(super) fn take(&mut self, name: &str) -> Field<Value> {
        match self.object.remove(name) {
            None => Field::Absent,
            Some(Value::Null) => Field::Null,
            Some(value) => Field::Valid(value),
        }
    }

    /// A text of so many characters.
    pub(super) fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> Field<String> {
        let text = match self.typed(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        }) {
            Field::Valid(text) => text,
            other => return other,
        };
        let count = text.chars().count();
        if count < *length.start() {
            return self.wrong(name, "too_small", format!("must have at least {} character(s)", length.start()));
        }
        if count > *length.end() {
            return self.wrong(name, "too_big", format!("must have at most {} characters", length.end()));
        }
        Field::Valid(text)
    }

    /// A whole number within limits.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Field<i64> {
        let number = match self.typed(name, "must be a whole number", whole) {
            Field::Valid(number) => number,
            Field::Absent => return Field::Absent,
            Field::Null => return Field::Null,
            Field::Wrong(why) => return Field::Wrong(why),
        };
        if number < i128::from(*range.start()) {
            return self.wrong(name, "too_small", format!("must be at least {}", range.start()));
        }
        match i64::try_from(number) {
            Ok(number) if range.contains(&number) => Field::Valid(number),
            _ => self.wrong(name, "too_big", format!("must be at most {}", range.end())),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Field<bool> {
        self.typed(name, "must be true or false", |value| value.as_bool())
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Field<T> {
        let text = match self.typed(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        }) {
            Field::Valid(text) => text,
            Field::Absent => return Field::Absent,
            Field::Null => return Field::Null,
            Field::Wrong(why) => return Field::Wrong(why),
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Field::Valid(*value),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(name, "invalid_enum_value", format!("must be one of {}", words.join(", ")))
            }
        }
    }

    /// An object within this one, closed like it.
    pub(super) fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Members<'_>) -> Option<T>) -> Field<T> {
        let object = self.typed(name, "must be an object", |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        });
        match object {
            Field::Valid(object) => self.below(name, object, read),
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Wrong(why) => Field::Wrong(why),
        }
    }

    /// A list; each item is read by its path, such as `rules.0`, and its value.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Self, &str, Value) -> Option<T>,
    ) -> Field<Vec<T>> {
        let items = match self.typed(name, "must be a list", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        }) {
            Field::Valid(items) => items,
            Field::Absent => return Field::Absent,
            Field::Null => return Field::Null,
            Field::Wrong(why) => return Field::Wrong(why),
        };
        let mut all = Some(Vec::with_capacity(items.len()));
        for (index, item) in items.into_iter().enumerate() {
            match (read(self, &format!("{name}.{index}"), item), &mut all) {
                (Some(item), Some(all)) => all.push(item),
                _ => all = None,
            }
        }
        all.map_or(Field::Wrong("bad items"), Field::Valid)
    }

    /// The object at `path`, such as an item of [`Self::list`].
    pub(super) fn object_at<T>(
        &mut self,
        path: &str,
        value: Value,
        read: impl FnOnce(&mut Members<'_>) -> Option<T>,
    ) -> Option<T> {
        match value {
            Value::Object(object) => match self.below(path, object, read) {
                Field::Valid(value) => Some(value),
                _ => None,
            },
            _ => {
                self.fault(path, "invalid_type", "must be an object");
                None
            }
        }
    }

    /// The value of a member that has to be there.
    pub(super) fn required<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if let Field::Absent = field {
            self.fault(name, "invalid_type", "is required");
        }
        self.optional(name, field)
    }

    /// The value of a member that may be left out, but not be `null`.
    pub(super) fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Valid(value) => Some(value),
            Field::Null => {
                self.fault(name, "invalid_type", "must not be null");
                None
            }
            // The latter is noted already.
            Field::Absent | Field::Wrong(_) => None,
        }
    }

    fn typed<T>(&mut self, name: &str, otherwise: &'static str, read: impl FnOnce(Value) -> Option<T>) -> Field<T> {
        match self.take(name) {
            Field::Valid(value) => match read(value) {
                Some(value) => Field::Valid(value),
                None => self.wrong(name, "invalid_type", otherwise),
            },
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Wrong(why) => Field::Wrong(why),
        }
    }

    fn below<T>(
        &mut self,
        path: &str,
        object: Map<String, Value>,
        read: impl FnOnce(&mut Members<'_>) -> Option<T>,
    ) -> Field<T> {
        let mut members = Members { object, at: format!("{}{path}.", self.at), faults: self.faults };
        let value = read(&mut members);
        members.close();
        value.map_or(Field::Wrong("bad members"), Field::Valid)
    }

    fn wrong<T>(&mut self, name: &str, code: &'static str, message: impl Into<String>) -> Field<T> {
        self.fault(name, code, message);
        Field::Wrong("noted")
    }

    /// Notes the members that nobody took.
    fn close(self) {
        for name in self.object.keys() {
            self.faults.push(FieldFault::new(format!("{}{name}", self.at), "unrecognized_keys", "is not known here"));
        }
    }
}

/// A JSON number without a fraction; `5.0` is one. One that is larger than all limits saturates.
fn whole(value: Value) -> Option<i128> {
    let Value::Number(number) = value else { return None };
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(number), ..) => Some(number.into()),
        (_, Some(number), _) => Some(number.into()),
        (_, _, Some(number)) if number.fract() == 0.0 => Some(number as i128),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

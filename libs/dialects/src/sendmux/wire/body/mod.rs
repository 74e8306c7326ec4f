//! Request bodies: closed JSON objects, of which every bad member is named, in the order in which they
//! are read; members that nobody read come last.

use std::ops::RangeInclusive;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};
use serde_json::{Map, Value};

use crate::http::body::{self, BodyError};
use crate::http::fields::Field;
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::idempotency;

/// In a [`Field::Wrong`] of this dialect: what is wrong stands among the faults.
const TOLD: &str = "told already";
/// Largest body in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// A request body that is read out of its members.
pub(in crate::sendmux) trait FromBody: Sized {
    /// What is wrong is noted in `members`; the value counts only if nothing is.
    fn read(members: &mut Members<'_>) -> Option<Self>;
}

/// Reads a body as it is sent.
///
/// # Errors
/// 413 above 1 MiB; 400 for a body that does not arrive.
pub(in crate::sendmux) async fn raw(payload: Payload) -> Result<Bytes, SendmuxError> {
    Ok(body::read_bytes(payload, MAX_BODY).await?.freeze())
}

/// As [`raw`], on a route that takes an `Idempotency-Key`. What that says is checked as well: headers are
/// judged before everything that is looked up.
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
pub(in crate::sendmux) async fn read<T: FromBody>(request: &HttpRequest, payload: Payload) -> Result<T, SendmuxError> {
    let bytes = raw(payload).await?;
    parse(request, &bytes)
}

/// What was read as `T`.
///
/// # Errors
/// 400 that names every bad member.
pub(in crate::sendmux) fn parse<T: FromBody>(request: &HttpRequest, bytes: &[u8]) -> Result<T, SendmuxError> {
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

/// For routes without a body: nothing, or an object without members. Some clients send `null`.
///
/// # Errors
/// 400 for anything else.
pub(in crate::sendmux) fn nothing(request: &HttpRequest, bytes: &[u8]) -> Result<(), SendmuxError> {
    struct Nothing;
    impl FromBody for Nothing {
        fn read(_: &mut Members<'_>) -> Option<Self> {
            Some(Self)
        }
    }
    match bytes.trim_ascii() {
        b"" | b"null" => Ok(()),
        _ => parse::<Nothing>(request, bytes).map(|_| ()),
    }
}

/// The members of an object, taken out one by one.
pub(in crate::sendmux) struct Members<'f> {
    object: Map<String, Value>,
    /// Dot path of the object with a dot behind it; empty for the body itself.
    at: String,
    faults: &'f mut Vec<FieldFault>,
}

impl Members<'_> {
    /// Notes what is wrong with a member. For rules of a type that the methods below do not know.
    pub(in crate::sendmux) fn fault(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        self.faults.push(FieldFault::new(format!("{}{name}", self.at), code, message));
    }

    /// Takes a member out, whatever it is.
    pub(in crate::sendmux) fn take(&mut self, name: &str) -> Field<Value> {
        match self.object.remove(name) {
            None => Field::Absent,
            Some(Value::Null) => Field::Null,
            Some(value) => Field::Valid(value),
        }
    }

    /// A text of so many characters.
    pub(in crate::sendmux) fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> Field<String> {
        self.any_text(name).and_then(|text| {
            // PostgreSQL keeps none.
            if text.contains('\0') {
                return self.wrong(name, "invalid_string", "must not contain the character U+0000");
            }
            let count = text.chars().count();
            if count < *length.start() {
                return self.wrong(name, "too_small", format!("must have at least {} character(s)", length.start()));
            }
            if count > *length.end() {
                return self.wrong(name, "too_big", format!("must have at most {} characters", length.end()));
            }
            Field::Valid(text)
        })
    }

    fn any_text(&mut self, name: &str) -> Field<String> {
        self.typed(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A whole number within limits.
    pub(in crate::sendmux) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Field<i64> {
        self.typed(name, "must be a whole number", whole).and_then(|number| {
            if number < i128::from(*range.start()) {
                return self.wrong(name, "too_small", format!("must be at least {}", range.start()));
            }
            match i64::try_from(number) {
                Ok(number) if range.contains(&number) => Field::Valid(number),
                _ => self.wrong(name, "too_big", format!("must be at most {}", range.end())),
            }
        })
    }

    /// `true` or `false`.
    pub(in crate::sendmux) fn flag(&mut self, name: &str) -> Field<bool> {
        self.typed(name, "must be true or false", |value| value.as_bool())
    }

    /// One of a few words.
    pub(in crate::sendmux) fn choice<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Field<T> {
        self.any_text(name).and_then(|text| match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Field::Valid(*value),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(name, "invalid_enum_value", format!("must be one of {}", words.join(", ")))
            }
        })
    }

    /// An object within this one, closed like it.
    pub(in crate::sendmux) fn object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Members<'_>) -> Option<T>,
    ) -> Field<T> {
        let object = self.typed(name, "must be an object", |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        });
        object.and_then(|object| self.below(name, object, read))
    }

    /// A list; each item is read by its path, such as `rules.0`, and its value.
    pub(in crate::sendmux) fn list<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Self, &str, Value) -> Option<T>,
    ) -> Field<Vec<T>> {
        let items = self.typed(name, "must be a list", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        items.and_then(|items| {
            let mut all = Some(Vec::with_capacity(items.len()));
            for (index, item) in items.into_iter().enumerate() {
                match (read(self, &format!("{name}.{index}"), item), &mut all) {
                    (Some(item), Some(all)) => all.push(item),
                    _ => all = None,
                }
            }
            all.map_or(Field::Wrong(TOLD), Field::Valid)
        })
    }

    /// The object at `path`, such as an item of [`Self::list`].
    pub(in crate::sendmux) fn object_at<T>(
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
    pub(in crate::sendmux) fn required<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if let Field::Absent = field {
            self.fault(name, "invalid_type", "is required");
        }
        self.optional(name, field)
    }

    /// The value of a member that may be left out, but not be `null`.
    pub(in crate::sendmux) fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
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
        self.take(name).and_then(|value| match read(value) {
            Some(value) => Field::Valid(value),
            None => self.wrong(name, "invalid_type", otherwise),
        })
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
        value.map_or(Field::Wrong(TOLD), Field::Valid)
    }

    fn wrong<T>(&mut self, name: &str, code: &'static str, message: impl Into<String>) -> Field<T> {
        self.fault(name, code, message);
        Field::Wrong(TOLD)
    }

    /// Notes the members that nobody took.
    fn close(self) {
        for name in self.object.keys() {
            self.faults.push(FieldFault::new(format!("{}{name}", self.at), "unrecognized_keys", "is not known here"));
        }
    }
}

/// A JSON number without a fraction; `5.0` is one. One that is larger than all limits saturates.
pub(in crate::sendmux) fn whole(value: Value) -> Option<i128> {
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

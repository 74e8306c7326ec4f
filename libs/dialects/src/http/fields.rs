//! Members of a JSON body that remember what was wrong with them instead of failing the whole body,
//! so that an answer can name every bad field, in the order of the schema.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use shared_models::domain::FieldError;

/// One member of a request body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Field<T> {
    /// Not there.
    #[default]
    Absent,
    /// There as `null`.
    Null,
    /// There and of the right type.
    Valid(T),
    /// There and not usable; says what is expected, unless that was told already.
    Wrong(&'static str),
}

impl<T> Field<T> {
    /// What `read` makes of a value that is there.
    pub(crate) fn and_then<U>(self, read: impl FnOnce(T) -> Field<U>) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Null => Field::Null,
            Self::Valid(value) => read(value),
            Self::Wrong(why) => Field::Wrong(why),
        }
    }
}

impl<'de, T: FromJson> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            value => T::from_json(value).map_or(Self::Wrong(T::EXPECTED), Self::Valid),
        })
    }
}

/// A type that a member can have.
pub(crate) trait FromJson: Sized {
    /// Ends the sentence "<field> must be ...".
    const EXPECTED: &'static str;
    fn from_json(value: Value) -> Option<Self>;
}

impl FromJson for String {
    const EXPECTED: &'static str = "a string";
    fn from_json(value: Value) -> Option<Self> {
        if let Value::String(text) = value { Some(text) } else { None }
    }
}

impl FromJson for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_json(value: Value) -> Option<Self> {
        value.as_bool()
    }
}

/// A TCP port: an integer or a string of digits, 1-65535.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Port(pub(crate) u16);

impl FromJson for Port {
    const EXPECTED: &'static str = "an integer from 1 to 65535";
    fn from_json(value: Value) -> Option<Self> {
        let port = match &value {
            Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            number => u16::try_from(number.as_u64()?).ok()?,
        };
        (port != 0).then_some(Self(port))
    }
}

impl FromJson for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_json(value: Value) -> Option<Self> {
        value.as_f64()
    }
}

impl FromJson for Vec<String> {
    const EXPECTED: &'static str = "a list of strings";
    fn from_json(value: Value) -> Option<Self> {
        let Value::Array(items) = value else { return None };
        items.into_iter().map(String::from_json).collect()
    }
}

/// A nested object of fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned> FromJson for Object<T> {
    const EXPECTED: &'static str = "an object";
    fn from_json(value: Value) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        serde_json::from_value(value).ok().map(Self)
    }
}

/// Collects what is wrong while a body is turned into domain values.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// Notes a bad field.
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// The value of an optional member, for which `null` is as good as absence.
    pub(crate) fn optional<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent | Field::Null => None,
            Field::Valid(value) => Some(value),
            Field::Wrong(expected) => {
                self.add(name, format!("must be {expected}"));
                None
            }
        }
    }

    /// The value of a member that has to be there.
    pub(crate) fn required<T>(&mut self, name: &str, field: Field<T>) -> Option<T> {
        if matches!(field, Field::Absent | Field::Null) {
            self.add(name, "is required");
        }
        self.optional(name, field)
    }

    /// Parses a value, noting why it cannot be.
    pub(crate) fn parsed<T, E: std::fmt::Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(name, error.to_string())).ok()
    }

    /// What was found, if anything.
    pub(crate) fn into_result(self) -> Result<(), shared_models::domain::CoreError> {
        if self.0.is_empty() { Ok(()) } else { Err(shared_models::domain::CoreError::Invalid(self.0)) }
    }
}

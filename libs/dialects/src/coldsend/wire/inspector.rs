//! Reads the members of an object, noting every bad one in the order in which they are read.

use std::ops::RangeInclusive;

use serde_json::Value;
use shared_models::domain::{EmailAddress, Security, ServerEndpoint};
use uuid::Uuid;

use super::faults::{Faults, Problem, Step};
use crate::http::fields::{Field, FromJson};

/// A member's type, and what is said of one that has another.
pub(super) trait Typed: FromJson {
    const OTHERWISE: Problem;
}

impl Typed for String {
    const OTHERWISE: Problem = Problem::NotText;
}

/// A whole number of any size, or its digits as a string. `5.0` is one; `5.5`, which pydantic would
/// cut off, and `true`, which it would take for 1, are none.
#[derive(Clone, Copy)]
pub(super) struct Integer(pub(super) i128);

impl FromJson for Integer {
    const EXPECTED: &'static str = "an integer";
    fn from_json(value: Value) -> Option<Self> {
        let number = match value {
            // More digits than fit are more than every limit.
            Value::String(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().unwrap_or(i128::MAX)
            }
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), ..) => number.into(),
                (_, Some(number), _) => number.into(),
                // Saturates.
                (_, _, Some(number)) if number.fract() == 0.0 => number as i128,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self(number))
    }
}

impl Typed for Integer {
    const OTHERWISE: Problem = Problem::NotInteger;
}

/// `true`, `false`, or one of these words as a string, whatever the case.
#[derive(Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

impl FromJson for Flag {
    const EXPECTED: &'static str = "a boolean";
    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self(flag)),
            Value::String(word) => [true, false]
                .into_iter()
                .find(|flag| word.eq_ignore_ascii_case(if *flag { "true" } else { "false" }))
                .map(Self),
            _ => None,
        }
    }
}

impl Typed for Flag {
    const OTHERWISE: Problem = Problem::NotFlag;
}

/// A list whose items are looked at one by one.
pub(super) struct List(pub(super) Vec<Value>);

impl FromJson for List {
    const EXPECTED: &'static str = "a list";
    fn from_json(value: Value) -> Option<Self> {
        if let Value::Array(items) = value { Some(Self(items)) } else { None }
    }
}

impl Typed for List {
    const OTHERWISE: Problem = Problem::NotList;
}

/// Looks at one object of a request.
pub(in crate::coldsend) struct Inspector<'f> {
    faults: &'f mut Faults,
    at: Vec<Step>,
}

impl<'f> Inspector<'f> {
    /// The members of what is at `at`.
    pub(in crate::coldsend) fn new(faults: &'f mut Faults, at: &[Step]) -> Self {
        Self { faults, at: at.to_vec() }
    }

    /// The same below a member of a list.
    pub(super) fn item(&mut self, list: &'static str, index: usize) -> Inspector<'_> {
        let below = [Step::Name(list), Step::Index(index)];
        Inspector { at: self.at.iter().cloned().chain(below).collect(), faults: self.faults }
    }

    pub(super) fn fault(&mut self, name: &'static str, problem: Problem) {
        let mut loc = self.at.clone();
        loc.push(Step::Name(name));
        self.faults.add(loc, &problem);
    }

    /// A fault of the whole object.
    pub(super) fn fault_here(&mut self, problem: Problem) {
        self.faults.add(self.at.clone(), &problem);
    }

    pub(super) fn required<T: Typed>(&mut self, name: &'static str, field: Field<T>) -> Option<T> {
        if let Field::Absent = field {
            self.fault(name, Problem::Missing);
        }
        self.optional(name, field)
    }

    /// What may be left out, but not be `null`.
    pub(super) fn optional<T: Typed>(&mut self, name: &'static str, field: Field<T>) -> Option<T> {
        match field {
            Field::Absent => None,
            Field::Valid(value) => Some(value),
            Field::Null => {
                self.fault(name, Problem::Null);
                None
            }
            Field::Wrong(_) => {
                self.fault(name, T::OTHERWISE);
                None
            }
        }
    }

    /// A text whose length in Unicode characters, as received, is within the limits.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        field: Field<String>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = self.required(name, field)?;
        let characters = text.chars().count();
        if characters < *length.start() {
            self.fault(name, Problem::TooShort(*length.start()));
            return None;
        }
        if characters > *length.end() {
            self.fault(name, Problem::TooLong(*length.end()));
            return None;
        }
        Some(text)
    }

    /// A text without CR, LF, NUL and the like: it may get into the commands for a mail server.
    pub(super) fn line(
        &mut self,
        name: &'static str,
        field: Field<String>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = self.text(name, field, length)?;
        if text.chars().any(char::is_control) {
            self.fault(name, Problem::Other("must not contain line breaks or other control characters".to_owned()));
            return None;
        }
        Some(text)
    }

    /// An address: trimmed, as it was given, and as it is stored.
    pub(super) fn email(&mut self, name: &'static str, field: Field<String>) -> Option<(String, EmailAddress)> {
        let text = self.text(name, field, 5..=255)?;
        let address = EmailAddress::parse(&text).ok().filter(|_| !text.chars().any(char::is_control));
        if address.is_none() {
            self.fault(name, Problem::NotEmail);
        }
        Some((text.trim().to_owned(), address?))
    }

    /// A server's name, as it is stored.
    pub(super) fn host(&mut self, name: &'static str, field: Field<String>) -> Option<String> {
        let text = self.line(name, field, 1..=255)?;
        if text.trim().is_empty() {
            self.fault(name, Problem::TooShort(1));
            return None;
        }
        // Port and security do not matter to the name.
        match ServerEndpoint::parse(text.trim(), 1, Security::Required) {
            Ok(endpoint) => Some(endpoint.host().to_owned()),
            Err(error) => {
                self.fault(name, Problem::Other(error.to_string()));
                None
            }
        }
    }

    /// A number within the limits.
    pub(super) fn within<N: TryFrom<i128>>(
        &mut self,
        name: &'static str,
        Integer(number): Integer,
        limits: RangeInclusive<i64>,
    ) -> Option<N> {
        if number < i128::from(*limits.start()) {
            self.fault(name, Problem::Below(*limits.start()));
            return None;
        }
        if number > i128::from(*limits.end()) {
            self.fault(name, Problem::Above(*limits.end()));
            return None;
        }
        N::try_from(number).ok()
    }

    /// A UUID in any of its spellings.
    pub(in crate::coldsend) fn uuid(&mut self, name: &'static str, text: &str) -> Option<Uuid> {
        let uuid = Uuid::parse_str(text).ok();
        if uuid.is_none() {
            self.fault(name, Problem::NotUuid);
        }
        uuid
    }
}

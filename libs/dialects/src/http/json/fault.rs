//! Faults of a request, and the style in which a dialect answers them.

use std::fmt::Display;

use shared_models::domain::CoreError;

use super::check::Limits;
use super::path::Path;

/// Most faults that one answer lists. A body that is all faults would otherwise get an answer many times its size.
const MAX_FAULTS: usize = 2_000;

/// The fault of a value. Lengths of texts count Unicode characters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Problem {
    Missing,
    Null,
    /// A member that the schema does not have, where objects are closed.
    Unknown,
    NotText,
    NotNumber,
    NotInteger,
    NotFlag,
    NotList,
    NotObject,
    NotUuid,
    NotEmail,
    /// No TCP port, be it for its type or for its range.
    NotPort,
    /// None of the types that are allowed here; ends the sentence "must be ...".
    NotAny(&'static str),
    /// The words that are allowed.
    NotOneOf(Vec<&'static str>),
    Empty,
    TooShort(usize),
    TooLong(usize),
    TooManyBytes(usize),
    /// Less than the first of these limits, which both belong to the range.
    Below(i64, i64),
    /// More than the second.
    Above(i64, i64),
    /// Items of a list.
    TooFew(usize),
    TooMany(usize),
    /// U+0000.
    Nul,
    /// A line break or another control character.
    Controls,
    /// The right type in the wrong form. The sentence goes on after the name of the field.
    Form(String),
    /// More than there is room for. The sentence goes on after the name of the field.
    NoRoom(&'static str),
}

impl From<&str> for Problem {
    fn from(sentence: &str) -> Self {
        Self::Form(sentence.to_owned())
    }
}

impl From<String> for Problem {
    fn from(sentence: String) -> Self {
        Self::Form(sentence)
    }
}

/// The forms of an integer that a dialect accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integers {
    /// Without a fraction, and within `i64`.
    Plain,
    /// `5.0` as well. Beyond the range of 128 bits they saturate.
    Whole,
    /// Decimal digits in a text as well.
    WholeOrDigits,
}

/// How a dialect reads, and how it words faults.
pub(crate) trait Style: Sized {
    /// One fault, as it is answered.
    type Fault;
    /// The answer that lists them.
    type Error: From<CoreError>;
    /// Bounds of a body; a [`super::FromBody`] may have others.
    const LIMITS: Limits;
    /// The first step of the path of every member of a body.
    const ROOT: Option<Path<'static>>;
    /// Members that the schema does not have are ignored instead of refused.
    const OPEN: bool;
    /// `null` stands for nothing where a member may be left out, and is missing where it may not.
    const NULL_IS_ABSENT: bool;
    const INTEGERS: Integers;
    /// Texts with U+0000, which PostgreSQL does not store, are refused whatever else they may contain.
    const REFUSES_NUL: bool;

    fn fault(at: &Path<'_>, problem: Problem) -> Self::Fault;

    /// `faults` is not empty.
    fn refuse(faults: Vec<Self::Fault>) -> Self::Error;
}

/// The faults of a request, in the order in which they were found. Those beyond the first [`MAX_FAULTS`] are dropped.
pub(crate) struct Faults<S: Style>(Vec<S::Fault>);

impl<S: Style> Default for Faults<S> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<S: Style> Faults<S> {
    pub(crate) fn note(&mut self, at: &Path<'_>, problem: impl Into<Problem>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(S::fault(at, problem.into()));
        }
    }

    /// A fault of what the request names at its top, such as a query parameter.
    pub(crate) fn add(&mut self, name: &str, problem: impl Into<Problem>) {
        self.note(&Path::root(name), problem);
    }

    /// The value, or a fault with the text of the error.
    pub(crate) fn parsed<T, E: Display>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(name, error.to_string())).ok()
    }

    /// `value`, if there are no faults. It may be `None` only if there are some.
    ///
    /// # Errors
    /// All faults, in the words of the dialect.
    pub(crate) fn settle<T>(self, value: Option<T>) -> Result<T, S::Error> {
        match value {
            _ if !self.0.is_empty() => Err(S::refuse(self.0)),
            Some(value) => Ok(value),
            None => Err(CoreError::Internal("a request without faults is incomplete".to_owned()).into()),
        }
    }
}

//! The first pass over a body: its syntax and its bounds.

use std::fmt::{self, Formatter};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::value::Json;

/// Bounds of the body of one route. The depth is the same for all: `serde_json` refuses the 128th level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Size of the body.
    pub(crate) bytes: usize,
    /// Members of any one object, repeated ones included. Lists are bounded where they are read.
    pub(crate) members: usize,
}

/// The reason why a body is not read. The texts quote nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("The request body is not valid JSON: {text}")]
    Malformed {
        /// Names line and column.
        text: String,
        /// Where reading stopped, in characters from the beginning.
        offset: usize,
    },
    #[error("The request body has an object with more than {0} members")]
    TooManyMembers(usize),
}

/// Checks the syntax of a whole body and counts the members of its objects. Allocates only to decode a text that
/// contains escapes, and frees that again.
///
/// # Errors
/// The first fault of the syntax; nesting of 128 levels is one. [`JsonError::TooManyMembers`] if it comes earlier.
pub(crate) fn check(bytes: &[u8], limits: Limits) -> Result<Json<'_>, JsonError> {
    let mut counter = Counter { most: limits.members, exceeded: false };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let checked = counter.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match checked.and_then(|()| Json::of(bytes)) {
        Ok(json) => Ok(json),
        Err(_) if counter.exceeded => Err(JsonError::TooManyMembers(limits.members)),
        Err(error) => Err(malformed(bytes, &error)),
    }
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> JsonError {
    let lines = bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1));
    let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
    let read = if error.is_eof() { bytes } else { bytes.get(..offset).unwrap_or(bytes) };
    // Bytes that are no UTF-8 count as one character for each broken sequence.
    let characters =
        read.utf8_chunks().map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty()));
    JsonError::Malformed { text: error.to_string(), offset: characters.sum() }
}

/// Visits every value and keeps none. Texts and numbers are parsed all the same: `IgnoredAny` would let pass lone
/// surrogates and numbers beyond the range of `f64`.
struct Counter {
    most: usize,
    exceeded: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Counter {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Counter {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut left = self.most;
        while members.next_key::<IgnoredAny>()?.is_some() {
            let Some(less) = left.checked_sub(1) else {
                self.exceeded = true;
                return Err(A::Error::custom("too many members"));
            };
            left = less;
            members.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}

//! One value and its place in the request: a member of an object, or an item of a list.

use std::ops::RangeInclusive;

use uuid::Uuid;

use super::fault::{Faults, Integers, Problem, Style};
use super::path::{Path, Step};
use super::value::Json;

/// A value that may be absent. Each method reads it as one type and returns `None` if it is absent. A value that is
/// not of that type, or outside the limits, is noted among the faults and returned as `None`.
pub(crate) struct Field<'f, 'b, S: Style> {
    pub(super) at: Path<'f>,
    pub(super) json: Option<Json<'b>>,
    pub(super) faults: &'f mut Faults<S>,
}

/// The items of a list whose largest length is a rule for later, and no part of the schema.
#[derive(Debug, PartialEq)]
pub(crate) enum Listed<T> {
    Items(Vec<T>),
    /// None of them was read.
    TooMany,
}

impl<'f, 'b, S: Style> Field<'f, 'b, S> {
    pub(super) fn new(at: Path<'f>, json: Option<Json<'b>>, faults: &'f mut Faults<S>) -> Self {
        Self { at, json, faults }
    }

    /// The value as it was sent.
    pub(crate) fn json(&self) -> Option<Json<'b>> {
        self.json
    }

    /// Makes the value count as absent.
    pub(super) fn forget(&mut self) {
        self.json = None;
    }

    /// Notes a fault. The value counts as absent afterwards, so that it has no other.
    pub(crate) fn refuse<T>(&mut self, problem: impl Into<Problem>) -> Option<T> {
        self.faults.note(&self.at, problem);
        self.json = None;
        None
    }

    /// Refuses `null`.
    pub(crate) fn not_null(mut self) -> Self {
        if self.json.is_some_and(Json::is_null) {
            self.refuse::<()>(Problem::Null);
        }
        self
    }

    fn typed<T>(&mut self, otherwise: Problem, read: impl FnOnce(Json<'b>) -> Option<T>) -> Option<T> {
        let value = read(self.json?);
        if value.is_none() { self.refuse(otherwise) } else { value }
    }

    /// A text with any content.
    pub(crate) fn any_text(&mut self) -> Option<String> {
        self.typed(Problem::NotText, Json::text).map(String::from)
    }

    /// A text of so many characters. U+0000 is refused where the dialect says so.
    pub(crate) fn text(&mut self, length: RangeInclusive<usize>) -> Option<String> {
        self.sized_text(length, S::REFUSES_NUL)
    }

    /// A text of so many characters, with any content.
    pub(crate) fn raw_text(&mut self, length: RangeInclusive<usize>) -> Option<String> {
        self.sized_text(length, false)
    }

    fn sized_text(&mut self, length: RangeInclusive<usize>, refuses_nul: bool) -> Option<String> {
        let text = self.typed(Problem::NotText, Json::text)?;
        if refuses_nul && text.contains('\0') {
            return self.refuse(Problem::Nul);
        }
        let characters = text.chars().count();
        if characters < *length.start() {
            return self.refuse(Problem::TooShort(*length.start()));
        }
        if characters > *length.end() {
            return self.refuse(Problem::TooLong(*length.end()));
        }
        Some(text.into_owned())
    }

    /// A text without line breaks and other control characters: it may get into the commands for a mail server.
    pub(crate) fn line(&mut self, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.text(length)?;
        if text.chars().any(char::is_control) { self.refuse(Problem::Controls) } else { Some(text) }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.typed(Problem::NotText, Json::text)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.refuse(Problem::NotOneOf(words.iter().map(|(word, _)| *word).collect()))
        } else {
            found
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.typed(Problem::NotFlag, Json::flag)
    }

    /// `true`, `false`, or one of these words as a text, whatever the case.
    pub(crate) fn flag_or_word(&mut self) -> Option<bool> {
        self.typed(Problem::NotFlag, |json| json.flag().or_else(|| flag_word(&json.text()?)))
    }

    /// A number of any kind.
    pub(crate) fn number(&mut self) -> Option<f64> {
        self.typed(Problem::NotNumber, |json| json.number()?.as_f64())
    }

    /// An integer within a range.
    pub(crate) fn integer<N: TryFrom<i128> + Into<i64> + Copy>(&mut self, range: RangeInclusive<N>) -> Option<N> {
        self.integer_or(Problem::NotInteger, range)
    }

    /// An integer within a range, where other types are allowed beside it.
    pub(crate) fn integer_or<N: TryFrom<i128> + Into<i64> + Copy>(
        &mut self,
        otherwise: Problem,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let number = self.typed(otherwise, |json| integer(json, S::INTEGERS))?;
        within(number, range).map_or_else(|problem| self.refuse(problem), Some)
    }

    /// A TCP port other than 0: an integer, or its digits as a text.
    pub(crate) fn port(&mut self) -> Option<u16> {
        self.typed(Problem::NotPort, |json| {
            let port = match json.text() {
                Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
                Some(_) => return None,
                None => u16::try_from(json.number()?.as_u64()?).ok()?,
            };
            (port != 0).then_some(port)
        })
    }

    /// A UUID in any of its spellings.
    pub(crate) fn uuid(&mut self) -> Option<Uuid> {
        self.typed(Problem::NotUuid, |json| Uuid::parse_str(&json.text()?).ok())
    }

    /// A list of so many items. Each is read whatever becomes of the others.
    pub(crate) fn list<T>(
        &mut self,
        length: RangeInclusive<usize>,
        read: impl FnMut(Field<'_, 'b, S>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.at_least(*length.start(), *length.end(), read)? {
            Listed::Items(items) => Some(items),
            Listed::TooMany => self.refuse(Problem::TooMany(*length.end())),
        }
    }

    /// A list of any length. With more than `most` items none is read, and the caller has to refuse it.
    pub(crate) fn list_up_to<T>(
        &mut self,
        most: usize,
        read: impl FnMut(Field<'_, 'b, S>) -> Option<T>,
    ) -> Option<Listed<T>> {
        self.at_least(0, most, read)
    }

    fn at_least<T>(
        &mut self,
        least: usize,
        most: usize,
        mut read: impl FnMut(Field<'_, 'b, S>) -> Option<T>,
    ) -> Option<Listed<T>> {
        let Some(items) = self.typed(Problem::NotList, |json| json.items(most))? else { return Some(Listed::TooMany) };
        if items.len() < least {
            return self.refuse(Problem::TooFew(least));
        }
        let mut all = Some(Vec::with_capacity(items.len()));
        for (index, json) in items.into_iter().enumerate() {
            let at = Path::below(Some(&self.at), Step::Index(index));
            match (read(Field::new(at, Some(json), self.faults)), &mut all) {
                (Some(item), Some(all)) => all.push(item),
                _ => all = None,
            }
        }
        all.map(Listed::Items)
    }
}

/// A number within a range.
///
/// # Errors
/// The limit that it misses.
pub(crate) fn within<N: TryFrom<i128> + Into<i64> + Copy>(
    number: i128,
    range: RangeInclusive<N>,
) -> Result<N, Problem> {
    let (from, to) = ((*range.start()).into(), (*range.end()).into());
    if number < from.into() {
        return Err(Problem::Below(from, to));
    }
    // A number up to `to` is an `N`, as `to` is one.
    if number > to.into() {
        Err(Problem::Above(from, to))
    } else {
        N::try_from(number).map_err(|_| Problem::Above(from, to))
    }
}

fn flag_word(word: &str) -> Option<bool> {
    match word {
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn integer(json: Json<'_>, accepted: Integers) -> Option<i128> {
    let Some(number) = json.number() else {
        let digits = json.text().filter(|_| accepted == Integers::WholeOrDigits)?;
        let digits = Some(digits).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))?;
        // More digits than fit are more than every limit.
        return Some(digits.parse().unwrap_or(i128::MAX));
    };
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(number), ..) => Some(number.into()),
        _ if accepted == Integers::Plain => None,
        (_, Some(number), _) => Some(number.into()),
        // The conversion saturates.
        (_, _, Some(number)) if number.fract() == 0.0 => Some(number as i128),
        _ => None,
    }
}

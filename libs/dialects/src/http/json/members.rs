//! The members of an object.

use std::borrow::Cow;

use super::check::Limits;
use super::fault::{Faults, Problem, Style};
use super::field::Field;
use super::path::{Path, Step};
use super::value::Json;

/// A value that is read out of the members of a request body.
pub(crate) trait FromBody<S: Style>: Sized {
    const LIMITS: Limits = S::LIMITS;

    /// Reads the members in the order of the schema, which is the order of the faults. `None` only if there are
    /// faults; the value counts only if there are none.
    fn read(members: &mut Members<'_, '_, S>) -> Option<Self>;
}

/// Reads a whole body; `None` if it is no object, or if there are faults.
pub(crate) fn read_object<T: FromBody<S>, S: Style>(body: Json<'_>, faults: &mut Faults<S>) -> Option<T> {
    let root = S::ROOT;
    Members::of(body, root.as_ref(), faults)?.closed(T::read)
}

/// The members of an object that were not read yet. Of repeated members the last one counts.
pub(crate) struct Members<'m, 'b, S: Style> {
    at: Option<&'m Path<'m>>,
    left: Vec<(Cow<'b, str>, Json<'b>)>,
    faults: &'m mut Faults<S>,
}

impl<'m, 'b, S: Style> Members<'m, 'b, S> {
    /// `None` if it is no object.
    pub(super) fn of(object: Json<'b>, at: Option<&'m Path<'m>>, faults: &'m mut Faults<S>) -> Option<Self> {
        Some(Self { at, left: object.members()?, faults })
    }

    /// Reads the members and refuses those that are left, by name, where objects are closed.
    pub(super) fn closed<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let value = read(&mut self);
        if !S::OPEN {
            for (name, _) in self.sorted() {
                self.fault(&name, Problem::Unknown);
            }
        }
        value
    }

    /// A member that has to be there.
    pub(crate) fn required<'f>(&'f mut self, name: &'f str) -> Field<'f, 'b, S> {
        let mut field = self.any(name);
        if field.json().is_none_or(|json| S::NULL_IS_ABSENT && json.is_null()) {
            field.refuse::<()>(Problem::Missing);
        }
        field.not_null()
    }

    /// A member that may be left out.
    pub(crate) fn optional<'f>(&'f mut self, name: &'f str) -> Field<'f, 'b, S> {
        let mut field = self.any(name);
        if S::NULL_IS_ABSENT && field.json().is_some_and(Json::is_null) {
            field.forget();
        }
        field.not_null()
    }

    /// A member that may be left out, and may be `null`, which has a meaning of its own: `Some(None)`.
    pub(crate) fn nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Field<'_, 'b, S>) -> Option<T>,
    ) -> Option<Option<T>> {
        let mut field = self.any(name);
        if field.json().is_some_and(Json::is_null) {
            return Some(None);
        }
        read(&mut field).map(Some)
    }

    /// Takes a member out, which may be absent or `null`.
    fn any<'f>(&'f mut self, name: &'f str) -> Field<'f, 'b, S> {
        let json = self.left.iter().rev().find(|(given, _)| given == name).map(|(_, json)| *json);
        self.left.retain(|(given, _)| given != name);
        Field::new(Path::below(self.at, Step::Name(name)), json, self.faults)
    }

    /// Reads all members that are left as entries of a map, in the order of their names.
    pub(crate) fn entries<T>(
        &mut self,
        mut read: impl FnMut(&mut Field<'_, 'b, S>) -> Option<T>,
    ) -> Option<Vec<(String, T)>> {
        let mut entries = Some(vec![]);
        for (name, json) in self.sorted() {
            let mut field = Field::new(Path::below(self.at, Step::Name(&name)), Some(json), self.faults);
            match (read(&mut field), &mut entries) {
                (Some(value), Some(entries)) => entries.push((name.into_owned(), value)),
                _ => entries = None,
            }
        }
        entries
    }

    /// Takes out all members that are left.
    fn sorted(&mut self) -> Vec<(Cow<'b, str>, Json<'b>)> {
        let mut left = std::mem::take(&mut self.left);
        // The sort is stable, so the last one of each name comes first and is kept.
        left.reverse();
        left.sort_by(|(a, _), (b, _)| a.cmp(b));
        left.dedup_by(|(later, _), (kept, _)| later == kept);
        left
    }

    /// Notes what is wrong with a member that was read.
    pub(crate) fn fault(&mut self, name: &str, problem: impl Into<Problem>) {
        self.faults.note(&Path::below(self.at, Step::Name(name)), problem);
    }
}

/// Here and not beside the other types, so that a field does not have to know its members.
impl<'b, S: Style> Field<'_, 'b, S> {
    /// An object within this one.
    pub(crate) fn object<T>(&mut self, read: impl FnOnce(&mut Members<'_, 'b, S>) -> Option<T>) -> Option<T> {
        let json = self.json?;
        match Members::of(json, Some(&self.at), self.faults) {
            Some(members) => members.closed(|members| read(members)),
            None => self.refuse(Problem::NotObject),
        }
    }
}

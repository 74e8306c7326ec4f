//! Handlers: authenticate, read, convert, one use case, convert.

pub(super) mod accounts;
pub(super) mod bulk;

use shared_models::domain::CoreError;
use uuid::Uuid;

use super::errors::ColdsendError;
use super::ids::{self, Identified};
use super::wire::Faults;
use crate::http::json::{Path, Problem, Step};

/// The id in a path, as far as it is a UUID.
struct PathId<I>(Option<I>);

impl<I: Identified> PathId<I> {
    /// Notes what is no UUID; `None` then.
    fn parse(name: &'static str, text: &str, faults: &mut Faults) -> Option<Self> {
        let uuid = Uuid::parse_str(text).ok();
        if uuid.is_none() {
            faults.note(&Path::below(Some(&Path::root("path")), Step::Name(name)), Problem::NotUuid);
        }
        uuid.map(|uuid| Self(ids::from_uuid(uuid)))
    }

    /// A UUID that was never given is as unknown as one that is no more.
    fn known(self, what: &'static str) -> Result<I, ColdsendError> {
        self.0.ok_or_else(|| CoreError::NotFound(what).into())
    }
}

/// Reads the id of a path; for operations that read nothing else.
fn path_id<I: Identified>(name: &'static str, text: &str, what: &'static str) -> Result<I, ColdsendError> {
    let mut faults = Faults::default();
    let id = PathId::parse(name, text, &mut faults);
    faults.settle(id)?.known(what)
}

#![allow(clippy::unwrap_used)]
mod bounds;
mod syntax;
mod values;

use shared_models::domain::CoreError;

use super::{Faults, FromBody, Integers, JsonError, Limits, Members, Path, Problem, Style, check, read_object};

const LIMITS: Limits = Limits { bytes: 4 * 1024 * 1024, members: 1_000 };

/// A fault as dot path and problem.
type Fault = (String, Problem);

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Refused(Vec<Fault>);

impl From<CoreError> for Refused {
    fn from(error: CoreError) -> Self {
        panic!("{error}")
    }
}

macro_rules! style {
    ($name:ident, $open:literal, $null_is_absent:literal, $integers:ident, $root:expr) => {
        struct $name;

        impl Style for $name {
            type Fault = Fault;
            type Error = Refused;
            const LIMITS: Limits = LIMITS;
            const ROOT: Option<Path<'static>> = $root;
            const OPEN: bool = $open;
            const NULL_IS_ABSENT: bool = $null_is_absent;
            const INTEGERS: Integers = Integers::$integers;
            const REFUSES_NUL: bool = !$open;

            fn fault(at: &Path<'_>, problem: Problem) -> Fault {
                (at.to_string(), problem)
            }

            fn refuse(faults: Vec<Fault>) -> Refused {
                Refused(faults)
            }
        }
    };
}

style!(Closed, false, false, Whole, None);
style!(Open, true, true, Plain, None);
style!(Digits, true, false, WholeOrDigits, Some(Path::root("body")));

/// Reads a body as an object with one member of every kind.
#[derive(Debug, PartialEq)]
struct Everything {
    name: Option<String>,
    port: Option<i32>,
    mode: Option<bool>,
    on: Option<Option<bool>>,
    depth: Option<i64>,
    items: Option<Vec<String>>,
}

impl<S: Style> FromBody<S> for Everything {
    fn read(members: &mut Members<'_, '_, S>) -> Option<Self> {
        Some(Self {
            name: members.required("name").text(1..=5),
            port: members.optional("port").integer(1..=65_535),
            mode: members.optional("mode").choice(&[("allow", true), ("deny", false)]),
            on: members.nullable("on", |on| on.flag()),
            depth: members
                .optional("outer")
                .object(|outer| outer.required("inner").object(|inner| inner.required("depth").integer(1..=9))),
            items: members
                .optional("items")
                .list(0..=3, |mut item| item.object(|item| item.required("text").line(1..=3))),
        })
    }
}

fn read<S: Style<Fault = Fault, Error = Refused>>(body: &str) -> Result<Everything, Vec<Fault>> {
    let mut faults = Faults::<S>::default();
    let value = read_object::<Everything, S>(check(body.as_bytes(), LIMITS).unwrap(), &mut faults);
    faults.settle(value).map_err(|Refused(faults)| faults)
}

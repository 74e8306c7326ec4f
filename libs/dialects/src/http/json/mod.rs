//! The reader of JSON request bodies. It collects every fault of a body, and leaves the form of paths and the words to
//! the [`Style`] of a dialect. It knows neither HTTP nor any schema.
//!
//! A body is read in two steps, and no tree of it is built:
//! 1. [`check`] passes over the bytes once and keeps nothing. Syntax, depth and the number of members of every object
//!    are known before anything is allocated for them.
//! 2. [`Members`] and [`Field`] borrow slices of the bytes. Only what a [`FromBody`] keeps is copied, and every list
//!    has a largest length.
//!
//! Both steps together need at most three times the bytes of the body, or a constant for small bodies. The most
//! expensive shape is one text with escapes: its decoding takes a buffer of up to twice its size beside the result.

mod check;
mod fault;
mod field;
mod members;
mod path;
mod value;

pub(crate) use check::{JsonError, Limits, check};
pub(crate) use fault::{Faults, Integers, Problem, Style};
pub(crate) use field::{Field, Listed, within};
pub(crate) use members::{FromBody, Members, read_object};
pub(crate) use path::{Path, Step};
pub(crate) use value::Json;

#[cfg(test)]
mod tests;

//! What is wrong with a field, in the words of pydantic 1, which clients of this API compare with.

use serde::Serialize;
use serde_json::{Map, Value, json};
use shared_models::domain::CoreError;
use utoipa::ToSchema;

use crate::coldsend::errors::ColdsendError;

/// One step of the way to a field.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ColdsendStep)]
#[serde(untagged)]
pub(in crate::coldsend) enum Step {
    Name(&'static str),
    Index(usize),
}

/// One bad field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ColdsendFieldFault)]
pub(in crate::coldsend) struct FieldFault {
    /// The way to the field, beginning with `body`, `path` or `query`.
    loc: Vec<Step>,
    /// For people.
    msg: String,
    /// One of a closed list.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The limit that was missed, or the values allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    ctx: Option<Map<String, Value>>,
}

/// Everything that can be wrong with one.
#[derive(Clone, Debug)]
pub(in crate::coldsend) enum Problem {
    Missing,
    Null,
    NotText,
    NotInteger,
    NotFlag,
    NotList,
    NotObject,
    NotUuid,
    /// Texts count in Unicode characters.
    TooShort(usize),
    TooLong(usize),
    Below(i64),
    Above(i64),
    TooFew(usize),
    TooMany(usize),
    NotEmail,
    NotOneOf(&'static [&'static str]),
    /// With the parser's words.
    NotJson(String),
    /// A rule that pydantic has no word for.
    Other(String),
}

impl Problem {
    fn words(&self) -> (String, &'static str) {
        let (text, kind) = match self {
            Self::Missing => ("field required", "value_error.missing"),
            Self::Null => ("none is not an allowed value", "type_error.none.not_allowed"),
            Self::NotText => ("str type expected", "type_error.str"),
            Self::NotInteger => ("value is not a valid integer", "type_error.integer"),
            Self::NotFlag => ("value could not be parsed to a boolean", "type_error.bool"),
            Self::NotList => ("value is not a valid list", "type_error.list"),
            Self::NotObject => ("value is not a valid dict", "type_error.dict"),
            Self::NotUuid => ("value is not a valid uuid", "type_error.uuid"),
            Self::NotEmail => ("value is not a valid email address", "value_error.email"),
            Self::TooShort(n) => {
                return (format!("ensure this value has at least {n} characters"), "value_error.any_str.min_length");
            }
            Self::TooLong(n) => {
                return (format!("ensure this value has at most {n} characters"), "value_error.any_str.max_length");
            }
            Self::Below(n) => {
                return (format!("ensure this value is greater than or equal to {n}"), "value_error.number.not_ge");
            }
            Self::Above(n) => {
                return (format!("ensure this value is less than or equal to {n}"), "value_error.number.not_le");
            }
            Self::TooFew(n) => {
                return (format!("ensure this value has at least {n} items"), "value_error.list.min_items");
            }
            Self::TooMany(n) => {
                return (format!("ensure this value has at most {n} items"), "value_error.list.max_items");
            }
            Self::NotOneOf(values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                let text = format!("value is not a valid enumeration member; permitted: {}", values.join(", "));
                return (text, "value_error");
            }
            Self::NotJson(text) => (text.as_str(), "value_error.jsondecode"),
            Self::Other(text) => (text.as_str(), "value_error"),
        };
        (text.to_owned(), kind)
    }

    fn context(&self) -> Option<Map<String, Value>> {
        let (name, value) = match self {
            Self::TooShort(n) | Self::TooLong(n) | Self::TooFew(n) | Self::TooMany(n) => ("limit_value", json!(n)),
            Self::Below(n) | Self::Above(n) => ("limit_value", json!(n)),
            Self::NotOneOf(values) => ("enum_values", json!(values)),
            _ => return None,
        };
        Some(Map::from_iter([(name.to_owned(), value)]))
    }
}

impl FieldFault {
    pub(in crate::coldsend) fn new(loc: Vec<Step>, problem: &Problem) -> Self {
        let (msg, kind) = problem.words();
        Self { loc, msg, kind, ctx: problem.context() }
    }
}

/// Collects what is wrong with a request.
#[derive(Debug, Default)]
pub(in crate::coldsend) struct Faults(Vec<FieldFault>);

impl Faults {
    pub(super) fn add(&mut self, loc: Vec<Step>, problem: &Problem) {
        self.0.push(FieldFault::new(loc, problem));
    }

    /// `value`, when nothing was found. It is only missing when something was.
    ///
    /// # Errors
    /// What was found.
    pub(in crate::coldsend) fn settle<T>(self, value: Option<T>) -> Result<T, ColdsendError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            None if self.0.is_empty() => {
                Err(CoreError::Internal("a request without faults is incomplete".to_owned()).into())
            }
            _ => Err(ColdsendError::Invalid(self.0)),
        }
    }
}

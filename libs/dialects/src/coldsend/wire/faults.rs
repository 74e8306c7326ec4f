//! Faults of fields in the words of pydantic 1, which clients of this API compare with.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json;
use crate::http::json::{Path, Problem};

/// The first step to everything in a body.
pub(in crate::coldsend) const BODY: Path<'static> = Path::root("body");

/// One step of the way to a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ColdsendStep)]
#[serde(untagged)]
pub(in crate::coldsend) enum Step {
    Name(String),
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
    ctx: Option<Context>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Context {
    LimitValue(i64),
    EnumValues(Vec<&'static str>),
}

impl Context {
    fn of(problem: &Problem) -> Option<Self> {
        match problem {
            Problem::TooShort(limit)
            | Problem::TooLong(limit)
            | Problem::TooManyBytes(limit)
            | Problem::TooFew(limit)
            | Problem::TooMany(limit) => Some(Self::LimitValue(i64::try_from(*limit).unwrap_or(i64::MAX))),
            Problem::Below(limit, _) | Problem::Above(_, limit) => Some(Self::LimitValue(*limit)),
            Problem::NotOneOf(words) => Some(Self::EnumValues(words.clone())),
            _ => None,
        }
    }
}

impl From<json::Step<'_>> for Step {
    fn from(step: json::Step<'_>) -> Self {
        match step {
            json::Step::Name(name) => Self::Name(name.to_owned()),
            json::Step::Index(index) => Self::Index(index),
        }
    }
}

impl FieldFault {
    pub(in crate::coldsend) fn new(at: &Path<'_>, problem: Problem) -> Self {
        let loc = at.steps().into_iter().map(Step::from).collect();
        let ctx = Context::of(&problem);
        let (msg, kind) = words(problem);
        Self { loc, msg, kind, ctx }
    }

    /// A body that is no JSON, in the parser's words.
    pub(in crate::coldsend) fn no_json(text: String, offset: usize) -> Self {
        let loc = vec![Step::Name("body".to_owned()), Step::Index(offset)];
        Self { loc, msg: text, kind: "value_error.jsondecode", ctx: None }
    }
}

/// `msg` and `type`.
fn words(problem: Problem) -> (String, &'static str) {
    let (text, kind) = match problem {
        Problem::Missing => ("field required", "value_error.missing"),
        Problem::Null => ("none is not an allowed value", "type_error.none.not_allowed"),
        Problem::Unknown => ("extra fields not permitted", "value_error.extra"),
        Problem::NotText => ("str type expected", "type_error.str"),
        Problem::NotNumber => ("value is not a valid float", "type_error.float"),
        Problem::NotInteger | Problem::NotPort => ("value is not a valid integer", "type_error.integer"),
        Problem::NotFlag => ("value could not be parsed to a boolean", "type_error.bool"),
        Problem::NotList => ("value is not a valid list", "type_error.list"),
        Problem::NotObject => ("value is not a valid dict", "type_error.dict"),
        Problem::NotUuid => ("value is not a valid uuid", "type_error.uuid"),
        Problem::NotEmail => ("value is not a valid email address", "value_error.email"),
        Problem::NotAny(types) => return (format!("must be {types}"), "type_error"),
        Problem::NotOneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            let text = format!("value is not a valid enumeration member; permitted: {}", words.join(", "));
            return (text, "value_error");
        }
        Problem::Empty => return words(Problem::TooShort(1)),
        Problem::TooShort(n) => {
            return (format!("ensure this value has at least {n} characters"), "value_error.any_str.min_length");
        }
        Problem::TooLong(n) => {
            return (format!("ensure this value has at most {n} characters"), "value_error.any_str.max_length");
        }
        Problem::TooManyBytes(n) => {
            return (format!("ensure this value has at most {n} bytes"), "value_error.any_str.max_length");
        }
        Problem::Below(n, _) => {
            return (format!("ensure this value is greater than or equal to {n}"), "value_error.number.not_ge");
        }
        Problem::Above(_, n) => {
            return (format!("ensure this value is less than or equal to {n}"), "value_error.number.not_le");
        }
        Problem::TooFew(n) => {
            return (format!("ensure this value has at least {n} items"), "value_error.list.min_items");
        }
        Problem::TooMany(n) => {
            return (format!("ensure this value has at most {n} items"), "value_error.list.max_items");
        }
        // pydantic has no words for the others.
        Problem::Nul | Problem::Controls => ("must not contain line breaks or other control characters", "value_error"),
        Problem::Form(text) => return (text, "value_error"),
        Problem::NoRoom(text) => (text, "value_error"),
    };
    (text.to_owned(), kind)
}

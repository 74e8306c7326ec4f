//! The served OpenAPI document, used as the judge of every answer.

use std::collections::BTreeMap;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A wire dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sendkit,
    Coldsend,
    Sendmux,
}

impl Dialect {
    pub(crate) const ALL: [Self; 3] = [Self::Sendkit, Self::Coldsend, Self::Sendmux];

    /// Common prefix of its paths.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Sendkit => "/v1",
            Self::Coldsend => "/api/public/v1",
            Self::Sendmux => "/api/v1",
        }
    }

    /// The schema of a failure in words.
    fn failure(self) -> &'static str {
        match self {
            Self::Sendkit => "ErrorEnvelope",
            Self::Coldsend => "ColdsendFailure",
            Self::Sendmux => "SendmuxError",
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        let found = Self::ALL.into_iter().find(|dialect| path.starts_with(dialect.prefix()));
        found.unwrap_or_else(|| panic!("{path} belongs to no dialect"))
    }
}

/// The operations of the served OpenAPI document, with validators of their answers.
pub(crate) struct Document {
    operations: Vec<Operation>,
    /// The failures of paths and methods that the document cannot know.
    failures: Vec<(Dialect, Validator)>,
}

pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With `{parameters}`.
    pub(crate) path: String,
    /// By status; `None` = a text, or nothing.
    answers: BTreeMap<u16, Option<Validator>>,
}

impl Document {
    pub(crate) fn read(document: &Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0");
        let mut operations = vec![];
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let answers = operation["responses"].as_object().unwrap().iter().map(|(status, response)| {
                    let Some(content) = response["content"].as_object() else {
                        return (status.parse().unwrap(), None);
                    };
                    // Files and streams are no JSON.
                    if content.keys().any(|kind| kind.starts_with("text/")) {
                        return (status.parse().unwrap(), None);
                    }
                    let schema = &content["application/json"]["schema"];
                    assert!(schema.is_object(), "{method} {path} {status} has no JSON schema");
                    (status.parse().unwrap(), Some(strict(document, schema)))
                });
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                operations.push(Operation { method, path: path.clone(), answers: answers.collect() });
            }
        }
        let failures = Dialect::ALL.map(|dialect| {
            let schema = format!("#/components/schemas/{}", dialect.failure());
            (dialect, strict(document, &json!({"$ref": schema})))
        });
        Self { operations, failures: failures.into() }
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub(crate) fn operations_of(&self, dialect: Dialect) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(move |operation| Dialect::of(&operation.path) == dialect)
    }

    /// The documented operation that serves a request: of the paths that fit, the one with the fewest
    /// parameters decides.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Option<&Operation> {
        let fitting = || self.operations.iter().filter(|o| fits(&o.path, path));
        let best = fitting().map(|o| &o.path).min_by_key(|template| template.matches('{').count())?;
        fitting().find(|o| o.path == *best && o.method == *method)
    }

    /// The dialect's failure in words, for what has no operation.
    pub(crate) fn check_failure(&self, path: &str, body: &Value) {
        let dialect = Dialect::of(path);
        let (_, failure) = self.failures.iter().find(|(of, _)| *of == dialect).unwrap();
        check(failure, body);
    }
}

impl Operation {
    pub(crate) fn check(&self, status: u16, body: &Value) {
        let Some(Some(validator)) = self.answers.get(&status) else {
            panic!("{} {} does not document {status}: {body}", self.method, self.path)
        };
        check(validator, body);
    }

    /// True if the document allows this body for this status.
    pub(crate) fn allows(&self, status: u16, body: &Value) -> bool {
        matches!(self.answers.get(&status), Some(Some(validator)) if validator.is_valid(body))
    }

    /// True if this status is documented without a JSON schema, as files and streams are.
    pub(crate) fn answers_text(&self, status: u16) -> bool {
        matches!(self.answers.get(&status), Some(None))
    }
}

fn check(validator: &Validator, body: &Value) {
    let faults: Vec<String> = validator.iter_errors(body).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{body:#}");
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(part, actual)| part == actual || (part.starts_with('{') && !actual.is_empty()))
}

/// A validator that refuses members which the document does not name.
fn strict(document: &Value, schema: &Value) -> Validator {
    jsonschema::draft202012::new(&closed(document, schema, false)).unwrap()
}

/// The schema with all references resolved and all objects closed. The parts of an `allOf` stay
/// open: together they are closed by the whole.
fn closed(document: &Value, schema: &Value, part_of_whole: bool) -> Value {
    let Some(members) = schema.as_object() else { return schema.clone() };
    if let Some(reference) = members.get("$ref") {
        let target = document.pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap();
        return closed(document, target, part_of_whole);
    }
    let mut out = Map::new();
    for (keyword, value) in members {
        let value = match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.iter().map(|(name, schema)| (name.clone(), closed(document, schema, false))).collect()
            }
            ("allOf", Value::Array(parts)) => parts.iter().map(|part| closed(document, part, true)).collect(),
            ("oneOf" | "anyOf", Value::Array(parts)) => {
                parts.iter().map(|part| closed(document, part, part_of_whole)).collect()
            }
            ("items" | "additionalProperties", schema) => closed(document, schema, false),
            (_, value) => value.clone(),
        };
        out.insert(keyword.clone(), value);
    }
    if !part_of_whole && (out.contains_key("properties") || out.contains_key("allOf")) {
        out.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(out)
}

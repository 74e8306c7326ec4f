//! Query strings. As with bodies, every bad parameter is named.

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use super::json::{Faults, Problem, Style};

/// The parameters of a request. Of repeated ones the last counts; empty ones count as absent.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string());
        Self(pairs.map(Query::into_inner).unwrap_or_default())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A comma-separated list.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.text(name).map_or(vec![], |text| text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
    }

    pub(crate) fn flag<S: Style>(&self, name: &str, faults: &mut Faults<S>) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                faults.add(name, Problem::NotFlag);
                None
            }
        }
    }

    pub(crate) fn number<T: FromStr, S: Style>(&self, name: &str, faults: &mut Faults<S>) -> Option<T> {
        // Without a digit it is "NaN" or "inf", which Rust reads as numbers.
        let text = Some(self.text(name)?).filter(|text| text.bytes().any(|b| b.is_ascii_digit()));
        let parsed = text.and_then(|text| text.parse().ok());
        if parsed.is_none() {
            faults.add(name, Problem::NotNumber);
        }
        parsed
    }
}

//! Pages of lists, newest first. A cursor is the id of the last item of the page before, encoded
//! so that it fits no other list.

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::ids::{self, PublicId};

/// Items of a page of most lists.
pub(in crate::sendmux) const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sendmux) struct PageRequest<I> {
    /// At most so many.
    pub(in crate::sendmux) limit: i64,
    /// Only what comes after this one.
    pub(in crate::sendmux) after: Option<I>,
}

/// The query parameters of a request. Of repeated ones the last counts.
pub(in crate::sendmux) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(in crate::sendmux) fn of(request: &HttpRequest) -> Self {
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string());
        Self(pairs.map(Query::into_inner).unwrap_or_default())
    }

    /// As it was given, also when it is empty.
    pub(in crate::sendmux) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// One of a few words.
    pub(in crate::sendmux) fn choice<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
        faults: &mut Vec<FieldFault>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            faults.push(FieldFault::new(name, "invalid_enum_value", format!("must be one of {}", words.join(", "))));
        }
        found.map(|(_, value)| *value)
    }

    /// The page that `limit` and `cursor` name.
    pub(in crate::sendmux) fn page<I: PublicId>(
        &self,
        default_limit: i64,
        faults: &mut Vec<FieldFault>,
    ) -> PageRequest<I> {
        let limit = self.text("limit").map_or(Some(default_limit), |text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits {
                faults.push(FieldFault::new("limit", "invalid_type", "must be a whole number"));
                return None;
            }
            let limit = text.parse().unwrap_or(i64::MAX);
            let code = if limit < 1 { "too_small" } else { "too_big" };
            if !(1..=MAX_LIMIT).contains(&limit) {
                faults.push(FieldFault::new("limit", code, format!("must be from 1 to {MAX_LIMIT}")));
            }
            Some(limit)
        });
        let after = self.text("cursor").and_then(|text| {
            let id = text.strip_prefix(CURSOR).and_then(ids::decode);
            if id.is_none() {
                faults.push(FieldFault::new("cursor", "invalid_string", "is not a cursor of this list"));
            }
            id
        });
        PageRequest { limit: limit.unwrap_or(default_limit), after }
    }
}

const CURSOR: &str = "after_";

/// The cursor of the page after the one that ends with this item.
pub(in crate::sendmux) fn cursor<I: PublicId>(last: I) -> String {
    format!("{CURSOR}{}", ids::encode(last))
}

/// The page that a request without other parameters asks for.
///
/// # Errors
/// 400 that names `limit` or `cursor`.
pub(in crate::sendmux) fn page_request<I: PublicId>(request: &HttpRequest) -> Result<PageRequest<I>, SendmuxError> {
    let mut faults = vec![];
    let page = Parameters::of(request).page(DEFAULT_LIMIT, &mut faults);
    settled(page, faults)
}

/// The value, unless something was wrong.
///
/// # Errors
/// 400 that names the bad fields.
pub(in crate::sendmux) fn settled<T>(value: T, faults: Vec<FieldFault>) -> Result<T, SendmuxError> {
    if faults.is_empty() { Ok(value) } else { Err(SendmuxError::invalid(faults)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;
    use shared_models::domain::{DomainId, SendingAccountId};

    use super::*;

    fn asked(query: &str) -> Result<PageRequest<DomainId>, Vec<(String, &'static str)>> {
        let request = TestRequest::with_uri(&format!("/api/v1/domains?{query}")).to_http_request();
        page_request(&request).map_err(|error| match error {
            SendmuxError::Invalid(faults) => faults.into_iter().map(|fault| (fault.field, fault.code)).collect(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn limits_and_cursors() {
        let id = DomainId::new();
        let after = cursor(id);
        for (query, limit, after) in [
            ("", 50, None),
            ("limit=1", 1, None),
            ("limit=100&cursor=x&cursor={}", 100, Some(id)),
            ("cursor={}", 50, Some(id)),
            ("limit=7&limit=8&other=x", 8, None),
        ] {
            assert_eq!(asked(&query.replace("{}", &cursor(id))), Ok(PageRequest { limit, after }), "{query}");
        }
        for (query, faults) in [
            ("limit=0", &[("limit", "too_small")][..]),
            ("limit=101", &[("limit", "too_big")]),
            ("limit=99999999999999999999999999", &[("limit", "too_big")]),
            ("limit=-1", &[("limit", "invalid_type")]),
            ("limit=1.5", &[("limit", "invalid_type")]),
            ("limit=ten", &[("limit", "invalid_type")]),
            ("limit=", &[("limit", "invalid_type")]),
            ("limit=%2B1", &[("limit", "invalid_type")]),
            ("cursor=", &[("cursor", "invalid_string")]),
            ("cursor=after_", &[("cursor", "invalid_string")]),
            ("cursor=x&limit=x", &[("limit", "invalid_type"), ("cursor", "invalid_string")]),
        ] {
            let told: Vec<_> = faults.iter().map(|(field, code)| ((*field).to_owned(), *code)).collect();
            assert_eq!(asked(query), Err(told), "{query}");
        }
        let foreign = cursor(SendingAccountId::from_bytes(id.to_bytes()));
        let bare = after.strip_prefix(CURSOR).unwrap();
        for bad in [&foreign[..], bare, &after[..after.len() - 1]] {
            assert!(asked(&format!("cursor={bad}")).is_err(), "{bad}");
        }
    }
}

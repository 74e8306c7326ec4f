//! Conditional requests (RFC 9110 section 13) with weak entity tags, made of what a resource looks like.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use ring::digest;
use serde::Serialize;
use shared_models::domain::CoreError;

use super::errors::SendmuxError;

/// Stands for every representation.
const ANY: &str = "*";

/// `W/"16 hex digits"` over the representation, which is the `data` of an answer.
pub(super) fn etag(representation: &impl Serialize) -> String {
    // A representation that cannot be serialised is never sent, so its tag does not matter.
    let json = serde_json::to_vec(representation).unwrap_or_default();
    let digest = digest::digest(&digest::SHA256, &json);
    let digits: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digits}\"")
}

/// Lets a change pass if there is no `If-Match`, or if it names the current representation. That is the
/// `data` that a GET would answer with now.
///
/// # Errors
/// 409 with the current `ETag`.
pub(super) fn require_match(request: &HttpRequest, current: &impl Serialize) -> Result<(), SendmuxError> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(());
    }
    let tag = etag(current);
    if names(request, IF_MATCH, &tag) { Ok(()) } else { Err(SendmuxError::Mismatch(tag)) }
}

/// Carries out a change that `If-Match` may tie to a representation. `change` gets the current resource. If it is
/// tied, it also gets the resource that its transaction must find; if that differs, it fails with `Conflict`.
///
/// # Errors
/// 409 with the current `ETag` when the resource is not, or no longer, the one that `If-Match` names.
pub(super) async fn change<T: Clone, R: Serialize>(
    request: &HttpRequest,
    read: impl AsyncFn() -> Result<T, SendmuxError>,
    show: impl Fn(&T) -> R,
    change: impl AsyncFnOnce(T, Option<T>) -> Result<T, SendmuxError>,
) -> Result<T, SendmuxError> {
    let current = read().await?;
    require_match(request, &show(&current))?;
    let is_tied = request.headers().contains_key(IF_MATCH) && !names(request, IF_MATCH, ANY);
    let expected = is_tied.then(|| current.clone());
    match change(current, expected).await {
        // Somebody else was faster.
        Err(error @ SendmuxError::Domain(CoreError::Conflict(_))) if is_tied => {
            require_match(request, &show(&read().await?))?;
            Err(error)
        }
        done => done,
    }
}

/// True if `If-None-Match` names this representation.
pub(super) fn is_known(request: &HttpRequest, tag: &str) -> bool {
    names(request, IF_NONE_MATCH, tag)
}

/// True if the header's list of tags, in one line or in several, contains this one or `*`.
fn names(request: &HttpRequest, header: HeaderName, tag: &str) -> bool {
    let wanted = opaque(tag);
    let lines = request.headers().get_all(header).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).any(|named| named == ANY || opaque(named) == wanted)
}

/// The weak comparison (RFC 9110 section 8.8.3.2) knows no difference but that of the text.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tag_is_made_of_what_is_shown() {
        let tag = etag(&json!({"a": 1}));
        assert_eq!(tag, "W/\"015abd7f5cc57a2d\"", "SHA-256 of the JSON, which clients may keep");
        assert_ne!(etag(&json!({"a": 2})), tag);
    }

    #[test]
    fn a_change_is_tied_to_what_it_is_made_from() {
        let current = json!({"a": 1});
        let tag = etag(&current);
        let with = |values: &[&str]| {
            let request = values.iter().fold(TestRequest::patch(), |r, value| r.append_header((IF_MATCH, *value)));
            require_match(&request.to_http_request(), &current)
        };
        assert!(with(&[]).is_ok());
        for good in [&tag[..], &tag[2..], "*", &format!("\"x\" ,{tag}"), "\"x\",*"] {
            assert!(with(&[good]).is_ok(), "{good}");
        }
        assert!(with(&["\"x\"", &tag]).is_ok());
        for bad in ["", "\"x\"", "W/\"x\", \"y\"", &tag[3..tag.len() - 1], &tag.to_uppercase()] {
            let refused = with(&[bad]);
            assert!(matches!(&refused, Err(SendmuxError::Mismatch(current)) if *current == tag), "{bad} {refused:?}");
        }
    }
    /// Another one changes what is there between the look and the change.
    #[actix_web::test]
    async fn who_comes_second_is_told_so() {
        let there = Cell::new(1);
        let change = |header: Option<String>, also: Option<i32>| {
            let request = header.into_iter().fold(TestRequest::patch(), |r, value| r.append_header((IF_MATCH, value)));
            let (request, there) = (request.to_http_request(), &there);
            async move {
                let change = async |_, expected: Option<i32>| {
                    there.set(also.unwrap_or(there.get()));
                    if expected.is_some_and(|expected| expected != there.get()) {
                        return Err(CoreError::Conflict("changed meanwhile").into());
                    }
                    there.set(there.get() * 10);
                    Ok(there.get())
                };
                super::change(&request, async || Ok(there.get()), |number| json!(number), change).await
            }
        };
        let tag = |number: i32| etag(&json!(number));
        assert!(matches!(change(None, None).await, Ok(10)));
        assert!(matches!(change(Some(tag(10)), None).await, Ok(100)));
        assert!(matches!(change(Some(tag(10)), None).await, Err(SendmuxError::Mismatch(now)) if now == tag(100)));
        assert!(matches!(change(Some(tag(100)), Some(7)).await, Err(SendmuxError::Mismatch(now)) if now == tag(7)));
        assert_eq!(there.get(), 7);
        assert!(matches!(change(None, Some(8)).await, Ok(80)), "not tied to anything");
        assert!(matches!(change(Some(ANY.to_owned()), Some(9)).await, Ok(90)), "tied to anything");
    }
}

#![allow(clippy::unwrap_used)]
use std::time::Duration;

use actix_web::body::to_bytes;
use serde_json::{Value, json};
use shared_models::domain::FieldError;

use super::*;

/// Status, the member `error`, and `Retry-After`.
async fn told(error: SendmuxError) -> (u16, Value, Option<String>) {
    let answer = error.answer("req_1");
    let status = answer.status();
    assert_eq!(error.status_code(), status);
    let waits = answer.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    let body: Value = serde_json::from_slice(&to_bytes(answer.into_body()).await.unwrap()).unwrap();
    assert_eq!((&body["ok"], &body["meta"]), (&json!(false), &json!({"request_id": "req_1"})));
    assert_eq!(body.as_object().unwrap().len(), 3);
    (status.as_u16(), body["error"].clone(), waits)
}

fn simple(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message, "retryable": false})
}

#[actix_web::test]
async fn every_code_has_its_status() {
    let conflict = |text: &str| (409, simple("conflict", text), None);
    for (error, expected) in [
        (
            CoreError::Unauthenticated.into(),
            (401, simple("authentication_required", "A valid API key is required"), None),
        ),
        (
            SendmuxError::MissingPermission(Permission::MailboxCreate),
            (403, simple("insufficient_permissions", "This key lacks the permission mailbox.admin.create"), None),
        ),
        (
            SendmuxError::NotTeamKey,
            (403, simple("insufficient_permissions", "This needs a team key (smx_root_...)"), None),
        ),
        (CoreError::NotFound("mailbox").into(), (404, simple("not_found", "Mailbox not found"), None)),
        (SendmuxError::UnknownPath, (404, simple("not_found", "There is nothing at this path"), None)),
        (
            SendmuxError::MethodNotAllowed("GET"),
            (405, simple("not_found", "This path does not take this method"), None),
        ),
        (SendmuxError::conflict("Taken"), conflict("Taken")),
        (CoreError::Conflict("Not now").into(), conflict("Not now")),
        (CoreError::AlreadyExists.into(), conflict("It exists already")),
        (
            SendmuxError::Mismatch("W/\"1\"".to_owned()),
            conflict("The resource has changed since: the ETag in If-Match is not the current one"),
        ),
        (
            CoreError::LimitExceeded { usage: 5, limit: 5, requested: 1 }.into(),
            (409, simple("limit_exceeded", "The limit of 5 is reached"), None),
        ),
        (
            CoreError::SubscriptionRequired.into(),
            (409, simple("limit_exceeded", "The team has no active subscription, so nothing can be added"), None),
        ),
        (SendmuxError::Idempotency("Used"), (409, simple("idempotency_conflict", "Used"), None)),
        (
            BodyError::TooLarge(9).into(),
            (413, simple("payload_too_large", "The request body is larger than 9 bytes"), None),
        ),
        (
            BodyError::NotAnObject.into(),
            (400, simple("invalid_parameter", "The request body must be a JSON object"), None),
        ),
    ] {
        assert_eq!(told(error).await, expected);
    }
}

#[actix_web::test]
async fn what_may_succeed_later_says_when() {
    let retryable = |code: &str, message: &str| json!({"code": code, "message": message, "retryable": true});
    let away =
        |millis| CoreError::Unavailable { retry_after: Duration::from_millis(millis), cause: "planted".to_owned() };
    let unavailable = "The service is temporarily unavailable; try again shortly";
    for (error, status, code, message, seconds) in [
        (away(300).into(), 503, "service_unavailable", unavailable, "1"),
        (away(7_000).into(), 503, "service_unavailable", unavailable, "7"),
        (CoreError::Internal("planted".to_owned()).into(), 500, "internal_error", "An internal error occurred", "1"),
        (
            RateLimited { retry_after: Duration::from_secs(9) }.into(),
            429,
            "rate_limit_exceeded",
            "Rate limit exceeded. Retry after 9 seconds.",
            "9",
        ),
    ] {
        let expected = (status, retryable(code, message), Some(seconds.to_owned()));
        assert_eq!(told(error).await, expected);
    }
}

#[actix_web::test]
async fn bad_fields_are_all_told_and_the_first_one_is_the_param() {
    let faults = || vec![FieldFault::new("a.0", "too_small", "is small"), FieldFault::new("b", "custom", "is odd")];
    let list = json!([
        {"field": "a.0", "code": "too_small", "message": "is small"},
        {"field": "b", "code": "custom", "message": "is odd"},
    ]);
    for (error, status, code) in [
        (SendmuxError::invalid(faults()), 400, "invalid_parameter"),
        (SendmuxError::semantic(faults()), 422, "validation_error"),
    ] {
        let error_body =
            json!({"code": code, "message": "a.0: is small", "retryable": false, "param": "a.0", "errors": list});
        assert_eq!(told(error).await, (status, error_body, None));
    }
    let rule = CoreError::Invalid(vec![FieldError::new("quota", "is too little")]);
    let (status, body, _) = told(rule.into()).await;
    assert_eq!((status, &body["code"], &body["param"]), (422, &json!("validation_error"), &json!("quota")));
    assert_eq!(body["errors"], json!([{"field": "quota", "code": "custom", "message": "is too little"}]));
    let (status, body, _) = told(SendmuxError::MissingParameter("email")).await;
    assert_eq!((status, &body["code"], &body["param"]), (400, &json!("missing_parameter"), &json!("email")));
    assert_eq!(body.get("errors"), None);
}

#[test]
fn headers_of_some() {
    let header = |error: SendmuxError, name| error.answer("").headers().get(name).cloned();
    assert_eq!(header(SendmuxError::MethodNotAllowed("GET, PUT"), ALLOW).unwrap(), "GET, PUT");
    assert_eq!(header(SendmuxError::Mismatch("W/\"1\"".to_owned()), ETAG).unwrap(), "W/\"1\"");
    assert_eq!(header(CoreError::Unauthenticated.into(), WWW_AUTHENTICATE).unwrap(), "Bearer");
}

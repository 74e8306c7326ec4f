#![allow(clippy::unwrap_used)]
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::*;

/// A body with one member of every type.
#[derive(Debug, PartialEq)]
struct Everything {
    name: String,
    port: Option<i64>,
    mode: Option<bool>,
    on: Option<Option<bool>>,
    quota: Option<i64>,
    rules: Vec<String>,
}

impl FromBody<Sendmux> for Everything {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let name = members.required("name").text(1..=5);
        let port = members.optional("port").integer(1..=65_535);
        let mode = members.optional("mode").choice(&[("allow", true), ("deny", false)]);
        let on = members.nullable("on", |on| on.flag());
        let quota = members
            .optional("quota")
            .object(|quota| quota.required("day").object(|day| day.required("max").integer(1..=9)));
        let rules = members
            .optional("rules")
            .list(0..=9, |mut rule| rule.object(|rule| rule.required("pattern").text(1..=3)))
            .unwrap_or_default();
        Some(Self { name: name?, port, mode, on, quota, rules })
    }
}

fn read(body: &Value) -> Result<Everything, Vec<(String, &'static str)>> {
    let request = TestRequest::post().to_http_request();
    parse(&request, body.to_string().as_bytes()).map_err(|error| match error {
        SendmuxError::Invalid(faults) => faults.into_iter().map(|fault| (fault.field, fault.code)).collect(),
        other => panic!("{other}"),
    })
}

#[test]
fn a_good_body() {
    let all = json!({
        "name": "äöüß€", "port": 25.0, "mode": "deny", "on": true, "quota": {"day": {"max": 9}},
        "rules": [{"pattern": "a"}, {"pattern": "b"}],
    });
    let read_all = Everything {
        name: "äöüß€".to_owned(),
        port: Some(25),
        mode: Some(false),
        on: Some(Some(true)),
        quota: Some(9),
        rules: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(read(&all), Ok(read_all));
    let least = read(&json!({"name": "a", "on": null})).unwrap();
    assert_eq!((least.port, least.mode, least.on, least.quota, least.rules), (None, None, Some(None), None, vec![]));
    assert_eq!(read(&json!({"name": "a"})).unwrap().on, None);
}

#[test]
fn every_fault_is_named_in_the_order_of_the_schema() {
    for (body, faults) in [
        (json!({}), &[("name", "invalid_type")][..]),
        (json!({"name": null}), &[("name", "invalid_type")]),
        (json!({"name": 5}), &[("name", "invalid_type")]),
        (json!({"name": ""}), &[("name", "too_small")]),
        (json!({"name": "abcdef"}), &[("name", "too_big")]),
        (json!({"name": "a", "port": 0}), &[("port", "too_small")]),
        (json!({"name": "a", "port": 65_536}), &[("port", "too_big")]),
        (json!({"name": "a", "port": 1e300}), &[("port", "too_big")]),
        (json!({"name": "a", "port": -1e300}), &[("port", "too_small")]),
        (json!({"name": "a", "port": 25.5}), &[("port", "invalid_type")]),
        (json!({"name": "a", "port": "25"}), &[("port", "invalid_type")]),
        (json!({"name": "a", "port": null}), &[("port", "invalid_type")]),
        (json!({"name": "a", "mode": "other"}), &[("mode", "invalid_enum_value")]),
        (json!({"name": "a", "mode": 1}), &[("mode", "invalid_type")]),
        (json!({"name": "a", "on": 1}), &[("on", "invalid_type")]),
        (json!({"name": "a", "quota": []}), &[("quota", "invalid_type")]),
        (json!({"name": "a", "quota": {}}), &[("quota.day", "invalid_type")]),
        (
            json!({"name": "a", "quota": {"day": {"max": 0, "min": 0}}}),
            &[("quota.day.max", "too_small"), ("quota.day.min", "unrecognized_keys")],
        ),
        (json!({"name": "a", "rules": {}}), &[("rules", "invalid_type")]),
        (json!({"name": "a", "rules": vec![0; 10]}), &[("rules", "too_big")]),
        (
            json!({"name": "a", "rules": [{"pattern": "a"}, 5, {"pattern": "abcd", "x": 1}]}),
            &[("rules.1", "invalid_type"), ("rules.2.pattern", "too_big"), ("rules.2.x", "unrecognized_keys")],
        ),
        (
            json!({"rules": 1, "zulu": 1, "alpha": null, "on": 2, "port": 0}),
            &[
                ("name", "invalid_type"),
                ("port", "too_small"),
                ("on", "invalid_type"),
                ("rules", "invalid_type"),
                ("alpha", "unrecognized_keys"),
                ("zulu", "unrecognized_keys"),
            ],
        ),
    ] {
        let expected: Vec<_> = faults.iter().map(|(field, code)| ((*field).to_owned(), *code)).collect();
        assert_eq!(read(&body), Err(expected), "{body}");
    }
}

#[test]
fn what_is_no_object_is_no_body() {
    let request = TestRequest::post().to_http_request();
    for body in ["", "{", "[]", "5", "null", "\"a\"", "{} {}", "\u{feff}{}"] {
        let error = parse::<Everything>(&request, body.as_bytes()).unwrap_err();
        assert!(matches!(error, SendmuxError::Body(_)), "{body} {error:?}");
    }
    let text = TestRequest::post().insert_header(("content-type", "text/plain")).to_http_request();
    let error = parse::<Everything>(&text, br#"{"name":"a"}"#).unwrap_err();
    assert!(matches!(error, SendmuxError::Body(BodyError::NotJsonType)), "{error:?}");
}

#[test]
fn routes_without_a_body_take_none_or_an_empty_one() {
    let request = TestRequest::post().to_http_request();
    for good in ["", "null", "{}", " { } "] {
        assert!(nothing(&request, good.as_bytes()).is_ok(), "{good}");
    }
    for bad in ["[]", "0", "{\"a\":1}", "x"] {
        assert!(nothing(&request, bad.as_bytes()).is_err(), "{bad}");
    }
    let text = TestRequest::post().insert_header(("content-type", "text/plain")).to_http_request();
    assert!(nothing(&text, b"").is_ok(), "of nothing the type does not matter");
}

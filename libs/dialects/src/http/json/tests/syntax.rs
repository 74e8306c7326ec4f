//! The check says of every text what `serde_json` says of it when it builds a tree.

use serde_json::Value;

use super::*;

#[test]
fn what_is_no_json_is_refused_as_by_serde_json() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let texts = [
        "",
        " ",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\": 1,}",
        "{'a': 1}",
        "{\"a\": 1} x",
        "[1, 2",
        "[1 2]",
        "nul",
        "tru",
        "01",
        "1.",
        "-",
        "1e400",
        "[1e400]",
        "{\"a\": -1e999}",
        "123456789012345678901234567890",
        "1e-400",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "{\"\\ud800\": 1}",
        "{\"a\": [\"\\q\"]}",
        "{\"\\q\": 1}",
        "\"\u{0}\"",
        "\"a\nb\"",
        "\"\\u0000\"",
        "{\"\\u0000\": \"\\u0000\"}",
        "\u{feff}{}",
        "{\"a\": 1, \"a\": 2}",
        "{\"ä\": \"\u{1F980}\", \"b\": x}",
        "{\n \"ä\": 1,\n \"b\": x\n}",
        &deep(127),
        &deep(128),
        &deep(50_000),
        &"[".repeat(127),
        &"{\"a\":".repeat(128),
    ];
    let mut both = [0, 0];
    for text in texts {
        let expected = serde_json::from_str::<Value>(text).map(|_| ()).map_err(|error| error.to_string());
        let found = check(text.as_bytes(), LIMITS).map(|_| ()).map_err(|error| match error {
            JsonError::Malformed { text, .. } => text,
            JsonError::TooManyMembers(_) => panic!("{error}"),
        });
        assert_eq!(found, expected, "{text:.80}");
        both[usize::from(expected.is_ok())] += 1;
    }
    assert!(both[0] > 20 && both[1] > 5, "{both:?}");
}

#[test]
fn what_is_no_utf8_is_refused() {
    for bytes in [&b"{\"a\": \"k\xffm\"}"[..], b"{\"k\xffm\": 1}", b"\xff", b"{} \xff"] {
        assert!(matches!(check(bytes, LIMITS), Err(JsonError::Malformed { .. })), "{bytes:?}");
    }
}

/// In characters, as a person counts who looks at the body.
#[test]
fn the_place_of_a_fault_is_counted_in_characters() {
    for (text, expected) in [
        (&b"{"[..], 1),
        ("{\"ä\": ".as_bytes(), 6),
        (b"{'email_address': 1}", 1),
        (b"{\"a\": 1,}", 8),
        ("{\n  \"ä\": 1,\n  \"b\": x\n}".as_bytes(), 19),
        (b"planted", 0),
        (b"{} x", 3),
        (b"\xff\xff", 0),
    ] {
        let Err(JsonError::Malformed { offset, .. }) = check(text, LIMITS) else { panic!("{text:?}") };
        assert_eq!(offset, expected, "{text:?}");
    }
}

#[test]
fn members_are_counted_object_by_object() {
    let limits = Limits { members: 2, ..LIMITS };
    for good in ["{}", r#"{"a":1,"b":2}"#, r#"{"a":{"a":1,"b":2},"b":[{"a":1,"b":2},{}]}"#, "[1,2,3,4]"] {
        assert!(check(good.as_bytes(), limits).is_ok(), "{good}");
    }
    for bad in [r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"a":2,"a":3}"#, r#"{"a":[[{"a":1,"b":2,"c":3"#] {
        assert!(matches!(check(bad.as_bytes(), limits), Err(JsonError::TooManyMembers(2))), "{bad}");
    }
    let earlier = check(br#"{"a":x,"b":2,"c":3}"#, limits);
    assert!(matches!(earlier, Err(JsonError::Malformed { .. })));
}

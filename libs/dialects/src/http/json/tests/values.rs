//! Members, their types, paths and faults.

use super::*;
use Problem::{Above, Below, Controls, Missing, NotFlag, NotInteger, NotList, NotObject, NotText, Nul, Null, Unknown};

fn faults(list: &[(&str, Problem)]) -> Result<Everything, Vec<Fault>> {
    Err(list.iter().map(|(path, problem)| ((*path).to_owned(), problem.clone())).collect())
}

#[test]
fn a_body_without_faults() {
    let body = r#" {"name":"\u00e4öü\n€", "port":25, "mode":"deny", "on":true, "outer":{"inner":{"depth":9}},
        "items":[{"text":"a"},{"text":"\ud83e\udd80"}]} "#;
    let everything = Everything {
        name: Some("äöü\n€".to_owned()),
        port: Some(25),
        mode: Some(false),
        on: Some(Some(true)),
        depth: Some(9),
        items: Some(vec!["a".to_owned(), "\u{1F980}".to_owned()]),
    };
    assert_eq!(read::<Closed>(body), Ok(everything));
    let least = Everything { name: Some("a".to_owned()), port: None, mode: None, on: None, depth: None, items: None };
    assert_eq!(read::<Closed>(r#"{"name":"a"}"#), Ok(least));
    assert_eq!(read::<Closed>(r#"{"name":"a","on":null}"#).map(|read| read.on), Ok(Some(None)));
}

/// In the order of the schema; members that nobody asked for come last, by name.
#[test]
fn faults_of_closed_objects() {
    for (body, expected) in [
        ("{}", &[("name", Missing)][..]),
        (r#"{"name":null,"port":null}"#, &[("name", Null), ("port", Null)]),
        (r#"{"name":""}"#, &[("name", Problem::TooShort(1))]),
        (r#"{"name":"abcdef"}"#, &[("name", Problem::TooLong(5))]),
        (r#"{"name":"a\u0000bcdef"}"#, &[("name", Nul)]),
        (
            r#"{"name":["a"],"port":"25","mode":1,"on":1}"#,
            &[("name", NotText), ("port", NotInteger), ("mode", NotText), ("on", NotFlag)],
        ),
        (r#"{"name":"a","mode":"other"}"#, &[("mode", Problem::NotOneOf(vec!["allow", "deny"]))]),
        (r#"{"name":"a","outer":[]}"#, &[("outer", NotObject)]),
        (
            r#"{"name":"a","outer":{"inner":{"depth":0,"x":1},"y":1}}"#,
            &[("outer.inner.depth", Below(1, 9)), ("outer.inner.x", Unknown), ("outer.y", Unknown)],
        ),
        (r#"{"name":"a","items":{}}"#, &[("items", NotList)]),
        (r#"{"name":"a","items":[1,2,3,4]}"#, &[("items", Problem::TooMany(3))]),
        (
            r#"{"name":"a","items":[{"text":"a"},null,{"text":"abcd","x":1}]}"#,
            &[("items.1", NotObject), ("items.2.text", Problem::TooLong(3)), ("items.2.x", Unknown)],
        ),
        (r#"{"name":"a","items":[{"text":"\r\n"}]}"#, &[("items.0.text", Controls)]),
        (
            r#"{"zulu":1,"alpha":null,"zulu":2,"\u0061":1}"#,
            &[("name", Missing), ("a", Unknown), ("alpha", Unknown), ("zulu", Unknown)],
        ),
    ] {
        assert_eq!(read::<Closed>(body), faults(expected), "{body}");
    }
}

#[test]
fn open_objects_ignore_what_they_do_not_know() {
    let body = r#"{"name":"a","nonsense":{"a":[1]},"port":null,"outer":{"inner":{"depth":1,"x":[]}},"items":null}"#;
    let Ok(read_all) = read::<Open>(body) else { panic!("{body}") };
    assert_eq!((read_all.port, read_all.depth, read_all.items), (None, Some(1), None));
    assert_eq!(read::<Open>(r#"{"name":null}"#), faults(&[("name", Missing)]));
    assert_eq!(read::<Digits>(r#"{"name":null}"#), faults(&[("body.name", Null)]));
}

#[test]
fn the_last_of_repeated_members_counts() {
    for (body, name) in [
        (r#"{"name":"a","name":"b"}"#, Ok("b")),
        (r#"{"name":1,"n\u0061me":"b"}"#, Ok("b")),
        (r#"{"name":"a","name":1}"#, Err(NotText)),
    ] {
        let found = read::<Closed>(body).map(|read| read.name.unwrap()).map_err(|faults| faults[0].1.clone());
        assert_eq!(found, name.map(str::to_owned), "{body}");
    }
}

#[test]
fn integers_by_dialect() {
    fn port<S: Style<Fault = Fault, Error = Refused>>(text: &str) -> Result<i32, Problem> {
        let read = read::<S>(&format!(r#"{{"name":"a","port":{text}}}"#));
        read.map(|read| read.port.unwrap()).map_err(|faults| faults[0].1.clone())
    }
    let (below, above) = (Err(Below(1, 65_535)), Err(Above(1, 65_535)));
    for (text, plain, whole, digits) in [
        ("25", Ok(25), Ok(25), Ok(25)),
        ("65535", Ok(65_535), Ok(65_535), Ok(65_535)),
        ("0", below.clone(), below.clone(), below.clone()),
        ("-9223372036854775808", below.clone(), below.clone(), below.clone()),
        ("65536", above.clone(), above.clone(), above.clone()),
        ("9223372036854775807", above.clone(), above.clone(), above.clone()),
        ("25.0", Err(NotInteger), Ok(25), Ok(25)),
        ("2.5e1", Err(NotInteger), Ok(25), Ok(25)),
        ("25.5", Err(NotInteger), Err(NotInteger), Err(NotInteger)),
        ("18446744073709551615", Err(NotInteger), above.clone(), above.clone()),
        ("1e300", Err(NotInteger), above.clone(), above.clone()),
        ("-1e300", Err(NotInteger), below.clone(), below.clone()),
        ("99999999999999999999999999999999999999999999", Err(NotInteger), above.clone(), above.clone()),
        ("\"025\"", Err(NotInteger), Err(NotInteger), Ok(25)),
        ("\"99999999999999999999999999999999999999999999\"", Err(NotInteger), Err(NotInteger), above.clone()),
        ("\"\"", Err(NotInteger), Err(NotInteger), Err(NotInteger)),
        ("\"+25\"", Err(NotInteger), Err(NotInteger), Err(NotInteger)),
        ("true", Err(NotInteger), Err(NotInteger), Err(NotInteger)),
    ] {
        assert_eq!(port::<Open>(text), plain, "{text}");
        assert_eq!(port::<Closed>(text), whole, "{text}");
        assert_eq!(port::<Digits>(text), digits, "{text}");
    }
}

#[test]
fn what_is_no_object_is_no_body() {
    for body in ["[]", "5", "null", "\"{}\"", "true"] {
        let mut faults = Faults::<Closed>::default();
        let value = read_object::<Everything, Closed>(check(body.as_bytes(), LIMITS).unwrap(), &mut faults);
        assert!(value.is_none(), "{body}");
    }
}

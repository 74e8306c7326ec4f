//! The memory that reading costs, whatever the shape of a body.

use super::*;

/// On both sides of a size at which buffers grow.
const SIZES: [usize; 2] = [512 * 1024 + 64, 255 * 1024];
/// Size of the largest body of any route.
const LARGEST: usize = 4 * 1024 * 1024;
/// Of small bodies that are all structure.
const CONSTANT: u64 = 256 * 1024;

/// Repeats `unit` between `head` and `tail`, up to `size` bytes.
fn filled(head: &str, unit: &str, tail: &str, size: usize) -> String {
    let count = (size - head.len() - tail.len()) / unit.len();
    [head, &unit.repeat(count), tail].concat()
}

/// The most bytes that are allocated at one time. The body is not among them.
fn cost(body: &str) -> u64 {
    let read = || {
        let mut faults = Faults::<Closed>::default();
        if let Ok(json) = check(body.as_bytes(), LIMITS) {
            let value = read_object::<Kept, Closed>(json, &mut faults);
            std::hint::black_box((value, faults));
        }
    };
    allocation_counter::measure(read).bytes_max
}

/// A schema without any limit of length, which no route has.
struct Kept {
    _text: Option<String>,
    _items: Option<Vec<String>>,
    _entries: Option<Vec<(String, String)>>,
}

impl FromBody<Closed> for Kept {
    fn read(members: &mut Members<'_, '_, Closed>) -> Option<Self> {
        Some(Self {
            _text: members.optional("text").text(0..=usize::MAX),
            _items: members.optional("items").list(0..=1_000, |mut item| item.any_text()),
            _entries: members.optional("entries").object(|entries| entries.entries(|entry| entry.any_text())),
        })
    }
}

#[test]
fn whatever_the_shape_three_times_the_body_is_enough() {
    let names: String = (0..100_000).map(|n| format!(r#""{n:x}":0,"#)).collect();
    for (head, unit, tail) in [
        (r#"{"items":["#, r#"{"":0},"#, r#"{"":0}]}"#),
        (r#"{"items":["#, "{},", "{}]}"),
        (r#"{"items":["#, "[[[[[[[[]]]]]]]],", "[]]}"),
        (r#"{"items":["#, "[],", "[]]}"),
        (r#"{"items":["#, "0,", "0]}"),
        (r#"{"items":["#, "\"\",", "\"\"]}"),
        (r#"{"items":["#, "null,", "null]}"),
        (r#"{"items":["#, "1.25e-7,", "0]}"),
        (r#"{"items":["#, "[", "]}"),
        (r#"{"unknown":["#, r#"{"a":{"b":[]}},"#, "0]}"),
        ("{", r#""a":0,"#, r#""a":0}"#),
        ("{", r#""items":[],"#, r#""items":[]}"#),
        (r#"{"entries":{"#, r#""a":"","#, r#""b":""}}"#),
        (r#"{"text":""#, "a", "\"}"),
        (r#"{"text":""#, "ü", "\"}"),
        (r#"{"text":""#, "\\n", "\"}"),
        (r#"{"text":""#, "\\u00e4", "\"}"),
        (r#"{"text":""#, "\\ud83e\\udd80", "\"}"),
        (r#"{"text":"\n"#, "a", "\"}"),
        (r#"{"text":""#, "a", "\\n\"}"),
        (r#"{"text":""#, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\n", "\"}"),
        (r#"{"text":"#, "1", "}"),
        ("{\"", "k", "\":0}"),
        ("{\"", "\\n", "\":0}"),
        ("{\"", "k", "\\n\":0}"),
        ("", "[", ""),
        ("", r#"{"a":"#, ""),
        ("[", " ", "]"),
        ("{", &names, r#""a":0}"#),
    ] {
        for size in SIZES.map(|size| size.max(unit.len() + 64)) {
            assert_bounded(&filled(head, unit, tail, size));
        }
    }
}

/// As a tree each of its maps took about 630 bytes, and the body 370 MB.
#[test]
fn the_largest_body_of_all_maps() {
    assert_bounded(&filled(r#"{"items":["#, r#"{"":0},"#, r#"{"":0}]}"#, LARGEST));
    assert_bounded(&filled(r#"{"text":""#, "a", "\\n\"}", LARGEST));
}

fn assert_bounded(body: &str) {
    let cost = cost(body);
    assert!(cost <= 3 * body.len() as u64 + CONSTANT, "{cost} bytes for {} of {body:.60}...", body.len());
}

/// The same within the limits of a route, where everything is built.
#[test]
fn the_most_members_and_items_that_are_allowed() {
    let members = |count: usize| (0..count).map(|n| format!(r#""{n:x}":"""#)).collect::<Vec<_>>().join(",");
    let texts = vec!["\"\""; 1_000].join(",");
    let unknown = vec![format!("{{{}}}", members(1_000)); 1_000].join(",");
    for body in [
        format!("{{{}}}", members(1_000)),
        format!(r#"{{"entries":{{{}}}}}"#, members(1_000)),
        format!(r#"{{"items":[{texts}]}}"#),
        format!(r#"{{"items":[{unknown}]}}"#),
    ] {
        assert_bounded(&body);
    }
}

/// A body that is all faults is not answered with a longer one.
#[test]
fn faults_are_listed_up_to_a_number() {
    struct Empty;
    impl FromBody<Closed> for Empty {
        fn read(members: &mut Members<'_, '_, Closed>) -> Option<Self> {
            members.optional("items").list(0..=100_000, |mut item| item.object(|_| Some(())))?;
            Some(Self)
        }
    }
    let body = format!(r#"{{"items":[{}]}}"#, vec![r#"{"a":0,"b":0}"#; 10_000].join(","));
    let mut faults = Faults::<Closed>::default();
    let value = read_object::<Empty, _>(check(body.as_bytes(), LIMITS).unwrap(), &mut faults);
    let Err(Refused(faults)) = faults.settle(value) else { panic!("no faults") };
    assert_eq!(faults.len(), 2_000);
    assert_eq!(faults[1_999], ("items.999.b".to_owned(), Problem::Unknown));
}

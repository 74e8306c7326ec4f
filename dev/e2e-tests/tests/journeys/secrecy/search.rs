//! Finds secrets in all the forms in which they may have been written down.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{core, planted};

/// The forms in which a secret may show in a file, with a name for each.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex = |upper: bool| {
        let digits = bytes.iter().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") });
        digits.collect::<String>().into_bytes()
    };
    let numbers = bytes.iter().map(u8::to_string).collect::<Vec<_>>();
    let wide = bytes.iter().flat_map(|b| [*b, 0]).collect();
    let mut forms = vec![
        ("clear", bytes.to_vec()),
        ("lower case", secret.to_lowercase().into_bytes()),
        ("hex", hex(false)),
        ("HEX", hex(true)),
        ("numbers", numbers.join(", ").into_bytes()),
        ("UTF-16", wide),
    ];
    // Inside a longer text (AUTH PLAIN: user and password) base64 begins at any of three places of a
    // group of four; the characters at the edges also depend on the neighbours and are left out.
    for shift in 0..3 {
        let shifted = [&[0; 2][..shift], bytes].concat();
        let whole = shifted.len() * 8 / 6;
        let first = [0, 2, 3][shift];
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.push(("base64", engine.encode(&shifted).as_bytes()[first..whole].to_vec()));
        }
    }
    forms
}

/// Looks for many secrets in all their forms at once.
pub(super) struct Search {
    needles: Vec<(String, &'static str, Vec<u8>)>,
    /// Needles by their first two bytes: logs are long, and this is all that most places are asked.
    by_start: HashMap<[u8; 2], Vec<usize>>,
}

impl Search {
    pub(super) fn new(secrets: &[String]) -> Self {
        let of_one =
            |secret: &String| forms(secret).into_iter().map(|(form, bytes)| (secret.clone(), form, bytes)).collect();
        let needles: Vec<_> = secrets.iter().flat_map::<Vec<_>, _>(of_one).collect();
        let mut by_start: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, (_, _, bytes)) in needles.iter().enumerate() {
            by_start.entry([bytes[0], bytes[1]]).or_default().push(number);
        }
        Self { needles, by_start }
    }

    /// The first secret that occurs: itself, its form, and what stands around it.
    pub(super) fn find(&self, haystack: &[u8]) -> Option<String> {
        let mut starts = vec![false; 1 << 16];
        for [one, two] in self.by_start.keys() {
            starts[usize::from(*one) << 8 | usize::from(*two)] = true;
        }
        for (at, pair) in haystack.windows(2).enumerate() {
            if !starts[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                continue;
            }
            for number in &self.by_start[&[pair[0], pair[1]]] {
                let (secret, form, bytes) = &self.needles[*number];
                if haystack[at..].starts_with(bytes) {
                    let around = &haystack[at.saturating_sub(200)..haystack.len().min(at + 100)];
                    return Some(format!("{secret} ({form}): ...{}...", String::from_utf8_lossy(around)));
                }
            }
        }
        None
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = core("Probe");
    let search = Search::new(std::slice::from_ref(&secret));
    let auth_plain = |user: &str| STANDARD.encode(format!("\0{user}\0{}", planted("Probe")));
    let debug = format!("{:?}", secret.as_bytes());
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    for hidden in [
        &planted("Probe"),
        &STANDARD.encode(planted("Probe")),
        &auth_plain("u"),
        &auth_plain("us"),
        &auth_plain("use"),
        &debug,
        &hex,
    ] {
        assert!(search.find(format!("before {hidden} after").as_bytes()).is_some(), "{hidden}");
    }
    assert_eq!(search.find(STANDARD.encode(planted("Other")).as_bytes()), None);
}

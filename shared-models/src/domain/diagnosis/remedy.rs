//! The placeholders in the remedies of failure codes.

/// The words for placeholders whose value is not known, so that a sentence never shows a brace.
const DEFAULTS: &[(&str, &str)] = &[
    ("date", "a day in the past"),
    ("field", "server, user name or password"),
    ("fingerprint", "unknown"),
    ("form", "another form of the address"),
    ("found", "other"),
    ("from", "this sender"),
    ("host", "the server"),
    ("hours", "several"),
    ("login", "this user"),
    ("names", "another server name"),
    ("other_mode", "the other kind of encryption"),
    ("port", "this port"),
    ("ports", "465 and 587 for SMTP, 993 and 143 for IMAP"),
    ("preset", "the server named in its help pages"),
    ("provider", "Your provider"),
    ("region", "another region"),
    ("seconds", "several"),
    ("tld", "eu, .in or .com"),
    ("wanted", "wrong"),
];

/// Replaces each `{placeholder}` of a remedy by its value in `values`, or by a neutral word.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let value = values.iter().chain(DEFAULTS).find(|(key, _)| *key == name);
        out.push_str(value.map_or("", |(_, text)| text));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::FailureCode;

    #[test]
    fn every_remedy_reads_well_without_values() {
        for &code in FailureCode::ALL {
            let text = fill(code.remedy_template(), &[]);
            assert!(!text.contains(['{', '}']) && !text.contains("  "), "{code}: {text}");
            assert!(text.ends_with(['.', ')']) && !text.starts_with('('), "{code}: {text}");
        }
    }

    #[test]
    fn values_take_the_place_of_placeholders() {
        let text = fill(
            FailureCode::NetConnectRefused.remedy_template(),
            &[("host", "h.example"), ("port", "2525"), ("ports", "465, 587")],
        );
        assert_eq!(text, "Nothing answers on h.example:2525. Check the port; usual ones are 465, 587.");
        assert_eq!(fill("open { brace", &[]), "open { brace");
    }
}

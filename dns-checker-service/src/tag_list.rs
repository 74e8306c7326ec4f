//! Tag lists, the syntax of DKIM keys and DMARC records.

/// ```text
/// tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
/// tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
/// ```
/// RFC 6376 section 3.2. A part without "=" is no tag, but makes the list not `well_formed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagList<'a> {
    tags: Vec<(&'a str, &'a str)>,
    /// True if every part has the form of a tag-spec.
    pub(crate) well_formed: bool,
}

impl<'a> TagList<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut list = Self { tags: Vec::new(), well_formed: true };
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            match part.split_once('=') {
                Some((name, value)) if is_tag_name(name.trim()) => {
                    list.tags.push((name.trim(), value.trim()));
                }
                _ => list.well_formed = false,
            }
        }
        list
    }

    /// The value of the first tag with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let mut tags = self.tags.iter();
        tags.find(|(tag, _)| *tag == name).map(|(_, value)| *value)
    }

    /// A name that occurs twice, which makes the whole list invalid (RFC 6376 section 3.2).
    pub(crate) fn duplicate(&self) -> Option<&'a str> {
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &self.tags {
            if seen.contains(name) {
                return Some(name);
            }
            seen.push(name);
        }
        None
    }
}

/// `tag-name = ALPHA *ALNUMPUNC`
fn is_tag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

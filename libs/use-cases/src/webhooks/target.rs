//! Where events can be posted to.

use url::Url;

/// Longest address, in bytes.
pub const MAX_URL: usize = 2048;

/// Why events cannot be posted there.
pub fn unusable(text: &str) -> Option<&'static str> {
    // A URL's parser takes them out, but it is the text that is kept and shown.
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Some("must not contain white space or control characters");
    }
    let Ok(url) = Url::parse(text) else { return Some("must be a URL") };
    let begins_right = text.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case("https://"));
    if !begins_right || text.as_bytes().get(8) == Some(&b'/') {
        return Some("must begin with https:// and a host");
    }
    if !url.has_host() {
        return Some("must name a host");
    }
    // It would be told to everybody who may read the webhook.
    let has_login = !url.username().is_empty() || url.password().is_some();
    has_login.then_some("must not contain a user name or password")
}

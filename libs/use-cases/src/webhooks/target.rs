//! The rule on URLs of webhooks.

use url::Url;

/// Upper bound of a URL, in bytes.
pub const MAX_URL: usize = 2048;

/// The fault of a URL that cannot be posted to, as the end of a sentence that begins with the field; `None` for a valid
/// one. Whether its host may be dialled is decided at each attempt.
pub fn unusable(text: &str) -> Option<&'static str> {
    // The parser of URLs drops them, but the text is stored and shown as it was given.
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
    // Everybody who may read the webhook would see it.
    let has_login = !url.username().is_empty() || url.password().is_some();
    has_login.then_some("must not contain a user name or password")
}

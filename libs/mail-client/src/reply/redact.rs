//! Server replies in the form in which they may be shown and kept: no secret, no address but the user's, no long token.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use shared_models::domain::LoginSecret;

use crate::text::one_line;

/// Characters of a reply that are kept.
const MAX_REPLY: usize = 500;
/// Characters from which on a secret is also replaced inside a word. A shorter one occurs in many words by chance, so
/// only whole words are replaced.
const MIN_SUBSTRING: usize = 4;
/// Letters and digits from which on a password is searched for between other characters.
const MIN_WOVEN: usize = 6;
/// Replaces a reply that cannot be cleaned.
const WITHHELD: &str = "(withheld: the server repeated the password)";
/// Characters from which on a run of letters and digits that contains a digit is taken for a session or queue id.
const LONG_TOKEN: usize = 20;

/// The reply as one line of at most [`MAX_REPLY`] characters. Placeholders replace the password in any form in which we
/// sent it, and a user name that is no address. They also replace addresses other than the user's, IP addresses and
/// long tokens.
pub(crate) fn server_reply(text: &str, secret: &LoginSecret) -> String {
    let mut text = one_line(text);
    if is_woven_in(&text, secret.password.expose()) {
        return WITHHELD.to_owned();
    }
    for form in secret_forms(secret) {
        text = remove_secret(&text, &form);
    }
    let username = secret.username.trim();
    let cleaned = words(&text).map(|word| clean_word(word, username)).collect::<String>();
    cleaned.chars().take(MAX_REPLY).collect()
}

/// True if the password can be read in the text although it does not occur as typed: broken over lines, spaced out, or
/// escaped as in a URL or in HTML. Only letters and digits are compared. A password that occurs as typed is replaced
/// in place, so the reply need not be withheld.
fn is_woven_in(text: &str, password: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let password_bare = bare(password);
    if password_bare.chars().count() < MIN_WOVEN || text.contains(password) {
        return false;
    }
    [text.to_owned(), percent_decoded(text), html_unescaped(text)]
        .iter()
        .any(|text| bare(text).contains(&password_bare))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn html_unescaped(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// The password as typed, without spaces, quoted for IMAP, and encoded for SASL PLAIN and LOGIN; longest first.
fn secret_forms(secret: &LoginSecret) -> Vec<String> {
    let password = secret.password.expose();
    if password.is_empty() {
        return Vec::new();
    }
    let plain = format!("\0{}\0{password}", secret.username);
    let compact = password.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let mut forms = vec![STANDARD.encode(&plain), STANDARD.encode(format!("\0{}\0{compact}", secret.username))];
    for clear in [password, &compact] {
        forms.push(clear.replace('\\', "\\\\").replace('"', "\\\""));
        forms.push(STANDARD_NO_PAD.encode(clear));
        forms.push(clear.to_owned());
        forms.push(one_line(clear));
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

fn remove_secret(text: &str, secret: &str) -> String {
    if secret.chars().count() >= MIN_SUBSTRING {
        return text.replace(secret, "<secret>");
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let end = at + secret.len();
        let inside =
            is_word(rest[..at].chars().next_back().or(out.chars().next_back())) || is_word(rest[end..].chars().next());
        out.push_str(&rest[..at]);
        out.push_str(if inside { secret } else { "<secret>" });
        rest = &rest[end..];
    }
    out + rest
}

/// The words of the text and the separators between them, in order.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(|c: char| " <>()[]{},;\"'".contains(c)).flat_map(|piece| {
        match piece.char_indices().next_back() {
            Some((at, last)) if " <>()[]{},;\"'".contains(last) => [&piece[..at], &piece[at..]],
            _ => [piece, ""],
        }
    })
}

fn clean_word(word: &str, username: &str) -> String {
    let bare = word.trim_end_matches(['.', ':']);
    let tail = &word[bare.len()..];
    if bare.is_empty() {
        return word.to_owned();
    }
    if bare.eq_ignore_ascii_case(username) {
        // Readers know the address of the mailbox, but not necessarily a login name that differs from it.
        let shown = if username.contains('@') { bare } else { "<user>" };
        return format!("{shown}{tail}");
    }
    if bare.parse::<std::net::IpAddr>().is_ok() || is_ip_with_port(bare) {
        return format!("<ip>{tail}");
    }
    if !bare.contains("://") && is_address(bare) {
        return format!("<address>{tail}");
    }
    let mut out = String::new();
    for run in bare.split_inclusive(|c: char| !is_token_char(c)) {
        let token = run.trim_end_matches(|c: char| !is_token_char(c));
        let id = token.len() >= LONG_TOKEN && token.bytes().any(|b| b.is_ascii_digit());
        out.push_str(if id { "<token>" } else { token });
        out.push_str(&run[token.len()..]);
    }
    out + tail
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=')
}

fn is_ip_with_port(word: &str) -> bool {
    word.parse::<std::net::SocketAddr>().is_ok()
        || word.strip_prefix("IPv6:").is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_address(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use shared_models::domain::Password;

    use super::*;

    fn clean(text: &str, username: &str, password: &str) -> String {
        let secret = LoginSecret { username: username.to_owned(), password: Password::new(password) };
        server_reply(text, &secret)
    }

    #[test]
    fn the_password_is_replaced_in_every_form() {
        let password = "s3cr\"et pass";
        let blob = STANDARD.encode(format!("\0me@a.example\0{password}"));
        let echo = format!(
            "535 {password} / s3cr\\\"et pass / {blob} / {} / {}",
            STANDARD.encode(password),
            STANDARD_NO_PAD.encode(password)
        );
        let out = clean(&echo, "me@a.example", password);
        assert_eq!(out, "535 <secret> / <secret> / <secret> / <secret> / <secret>");
        assert_eq!(clean("535 no a here, a!", "u", "a"), "535 no <secret> here, <secret>!");
    }

    #[test]
    fn other_people_are_not_named() {
        let text = "535 5.7.8 <me@a.example> [192.0.2.7] [IPv6:2001:db8::1] joe of joe@b.example; id a640c23a62f3a-ab6f7612345sm1234567b.12.";
        assert_eq!(
            clean(text, "me@a.example", "pass"),
            "535 5.7.8 <me@a.example> [<ip>] [<ip>] joe of <address>; id <token>.12."
        );
        assert_eq!(clean("NO bob unknown", "Bob", "pass"), "NO <user> unknown");
    }

    #[test]
    fn help_links_and_names_stay() {
        let text =
            "535-5.7.8 see https://support.google.com/mail/?p=BadCredentials [BN9PR03CA0123.namprd03.prod.outlook.com]";
        assert_eq!(clean(text, "u@a.example", "pass"), text);
    }

    #[test]
    fn one_line_of_500_characters() {
        let out = clean(&format!("a\r\n\u{1b}[31mb\t c {}", "é".repeat(600)), "u", "pass");
        assert!(out.starts_with("a [31mb c é"));
        assert_eq!(out.chars().count(), MAX_REPLY);
    }

    #[test]
    fn a_password_between_other_characters_is_withheld() {
        let secret = LoginSecret { username: "dana".into(), password: Password::new("Pl4n&te d<SeCrEt") };
        for reply in [
            "535 you said Pl4n&te d<Se\r\nCrEt",
            "535 you said Pl4n%26te%20d%3CSeCrEt",
            "535 you said Pl4n&amp;te d&lt;SeCrEt",
            "535 P l 4 n & t e d < S e C r E t",
        ] {
            assert_eq!(server_reply(reply, &secret), WITHHELD, "{reply}");
        }
        assert_eq!(server_reply("535 you said Pl4n&te d<SeCrEt", &secret), "535 you said <secret>");
        assert_eq!(server_reply("535 5.7.8 no", &secret), "535 5.7.8 no");
    }
}

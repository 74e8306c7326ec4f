//! A wire dialect as the rest of the program knows it.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use shared_models::domain::imports::ImportSource;
use shared_models::domain::tenancy::{KeyKind, KeyReach, KeyText};
use use_cases::webhooks::WebhookWords;
use utoipa::openapi::OpenApi as Document;

/// A wire dialect: one REST contract over the use cases. Everything that the gateway, the store, the webhook
/// service and the command line have to know of it.
pub struct Dialect {
    /// Lower case. The label in the metrics.
    pub name: &'static str,
    /// Prefix of all its paths, such as `/v1`. Never inside another dialect's.
    pub prefix: &'static str,
    /// Mounts its routes, each with the prefix.
    pub mount: fn(&mut ServiceConfig),
    /// Its part of the OpenAPI document. `security` at the top applies to all its operations.
    pub document: fn() -> Document,
    /// The kinds of keys that belong to it. The first start makes one of each, but for those that reach a hosted
    /// mailbox.
    pub keys: &'static [KeyKind],
    /// Refuses scopes that a new key of this kind cannot have, with a text that names them. No scopes at all stand
    /// for everything that the kind allows.
    pub check_scopes: fn(&KeyKind, &[String]) -> Result<(), String>,
    /// The limits on the requests of one key. They hold together.
    pub limits: &'static [LimitSetting],
    /// Set if it has webhooks.
    pub webhook_words: Option<&'static dyn WebhookWords>,
    /// Set if it has imports.
    pub import_source: Option<ImportSource>,
}

/// A limit on the requests of one key, as the section `rate_limit` of the settings has it.
#[derive(Clone, Copy, Debug)]
pub struct LimitSetting {
    /// Its key in the section.
    pub setting: &'static str,
    /// Requests, where the settings do not say; 0 = off.
    pub default: u32,
    /// Whole seconds.
    pub window: Duration,
}

/// The text of a key begins as those of another dialect do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("An API key that begins with {key_prefix} is for {paths}; here it opens nothing")]
pub struct ForeignKey {
    key_prefix: &'static str,
    paths: &'static str,
}

/// The name of the dialect that a path or a route's pattern belongs to; `none` for what is common to all.
pub fn name_of(dialects: &[&Dialect], path: &str) -> &'static str {
    dialects.iter().find(|dialect| is_below(path, dialect.prefix)).map_or("none", |dialect| dialect.name)
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every kind of key that can be made by name, in the order of the dialects.
pub fn key_kinds(dialects: &[&'static Dialect]) -> impl Iterator<Item = &'static KeyKind> {
    dialects.iter().flat_map(|dialect| dialect.keys).filter(|kind| kind.reach != KeyReach::Mailbox)
}

/// Refuses scopes that a new key of this kind cannot have, with a text that names them.
///
/// # Errors
/// Also for a kind that belongs to none of the dialects.
pub fn check_scopes(dialects: &[&Dialect], kind: &KeyKind, scopes: &[String]) -> Result<(), String> {
    let dialect = dialects.iter().find(|dialect| dialect.keys.contains(kind));
    let dialect = dialect.ok_or_else(|| format!("no dialect has keys of the kind {}", kind.name))?;
    (dialect.check_scopes)(kind, scopes)
}

/// The words of every dialect that has webhooks.
pub fn webhook_words(dialects: &[&Dialect]) -> Vec<&'static dyn WebhookWords> {
    dialects.iter().filter_map(|dialect| dialect.webhook_words).collect()
}

/// Set if a key promises by its prefix to be of another dialect than this one.
pub(crate) fn foreign_key(dialects: &[&'static Dialect], own: &Dialect, key: &KeyText) -> Option<ForeignKey> {
    let kind = KeyKind::of_text(dialects.iter().flat_map(|dialect| dialect.keys), key)?;
    let dialect = dialects.iter().find(|dialect| dialect.keys.contains(kind))?;
    (dialect.name != own.name).then_some(ForeignKey { key_prefix: kind.prefix, paths: dialect.prefix })
}

/// Refuses dialects that cannot be served, or stored, beside each other.
///
/// # Errors
/// Plain text that names what they share.
pub(crate) fn check(dialects: &[&'static Dialect]) -> Result<(), String> {
    let kinds = || dialects.iter().flat_map(|dialect| dialect.keys);
    distinct("names", dialects.iter().map(|dialect| dialect.name))?;
    distinct("names of kinds of keys", kinds().map(|kind| kind.name))?;
    distinct("prefixes of keys", kinds().map(|kind| kind.prefix))?;
    distinct("settings of limits", dialects.iter().flat_map(|dialect| dialect.limits).map(|limit| limit.setting))?;
    distinct("sources of imports", dialects.iter().filter_map(|dialect| dialect.import_source).map(|source| source.0))?;
    distinct("names for webhooks", webhook_words(dialects).iter().map(|words| words.dialect().name))?;
    for (at, one) in dialects.iter().enumerate() {
        let inside = |other: &&&Dialect| is_below(other.prefix, one.prefix);
        if let Some((_, other)) = dialects.iter().enumerate().find(|(other_at, other)| *other_at != at && inside(other))
        {
            return Err(format!("the paths of the dialect {} are inside those of {}", other.name, one.name));
        }
    }
    Ok(())
}

fn distinct(what: &str, words: impl Iterator<Item = &'static str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for word in words {
        if !seen.insert(word) {
            return Err(format!("{what} of dialects have to be distinct: {word}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::DIALECTS;

    #[test]
    fn a_prefix_is_whole_segments() {
        for (path, name) in [
            ("/v1", "sendkit"),
            ("/v1/mailboxes/{mailboxId}", "sendkit"),
            ("/api/public/v1/accounts", "coldsend"),
            ("/api/v1/mailboxes", "sendmux"),
            ("/v10/mailboxes", "none"),
            ("/api/public", "none"),
            ("/openapi.json", "none"),
            ("/", "none"),
            ("", "none"),
        ] {
            assert_eq!(name_of(DIALECTS, path), name, "{path}");
        }
    }

    #[test]
    fn dialects_get_along() {
        check(DIALECTS).unwrap();
        let twice: Vec<&Dialect> = [DIALECTS, &DIALECTS[..1]].concat();
        assert_eq!(check(&twice), Err("names of dialects have to be distinct: sendkit".to_owned()));
        let names: Vec<&str> = key_kinds(DIALECTS).map(|kind| kind.name).collect();
        assert_eq!(names, ["sendkit-workspace", "sendkit-platform", "coldsend", "sendmux-root"]);
    }

    #[test]
    fn a_key_of_another_dialect_is_known_by_its_beginning() {
        let [sendkit, coldsend, sendmux] = DIALECTS else { panic!("another number of dialects") };
        for (key, own) in [("sk_1", sendkit), ("sk_user_1", sendkit), ("cs_live_1", coldsend), ("smx_mbx_1", sendmux)] {
            for dialect in DIALECTS {
                let foreign = foreign_key(DIALECTS, dialect, &KeyText::new(key));
                assert_eq!(
                    foreign.map(|foreign| foreign.paths),
                    (dialect.name != own.name).then_some(own.prefix),
                    "{key}"
                );
            }
        }
        assert_eq!(foreign_key(DIALECTS, sendkit, &KeyText::new("hello")), None);
    }

    /// The file of defaults documents every limit, with the default of its dialect.
    #[test]
    fn defaults_are_written_down() {
        let text = include_str!("../../../deploy/config/default.toml");
        let section = text.split_once("[rate_limit]\n").unwrap().1.split("\n[").next().unwrap();
        let written: Vec<&str> = section.lines().filter(|line| line.contains('=')).collect();
        let limits = DIALECTS.iter().flat_map(|dialect| dialect.limits);
        let known: Vec<String> = limits.map(|limit| format!("{} = {}", limit.setting, limit.default)).collect();
        assert_eq!(written, known);
    }
}

//! The settings by name, read from the file with the defaults: for the generated reference, and to recognise a
//! misspelt environment variable. Nothing of it is kept in memory.

/// The defaults of all settings, with comments; the lowest layer.
pub(super) const DEFAULTS: &str = include_str!("../../../../deploy/config/default.toml");

/// Keys whose value may be a secret and may also be read from a file, which the key with `_file` behind it names.
const ALSO_IN_A_FILE: [&str; 4] = ["database.url", "broker.url", "secrets.master_key", "mail_platform.doveadm_api_key"];

/// Begins the line of a comment that names the services.
const NEEDED_BY: &str = "Needed by: ";

/// A section of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// As in `[name]`; empty for keys above all sections.
    pub name: &'static str,
    /// The comment above it, in one line.
    pub comment: String,
    /// In the order of the file.
    pub settings: Vec<Setting>,
}

/// A setting that may be set in a file or in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// With its section, for example `http.listen`.
    pub key: String,
    /// As TOML writes it.
    pub default: &'static str,
    /// The comment above it, in one line.
    pub comment: String,
    /// The services that read it.
    pub needed_by: String,
}

impl Setting {
    /// The environment variable, for example `MAILMOOR__HTTP__LISTEN`.
    pub fn variable(&self) -> String {
        format!("{}{}", super::PREFIX, self.key.replace('.', "__").to_uppercase())
    }

    /// True when the value may also be in a file, which the same name with `_file` behind it names.
    pub fn may_be_in_a_file(&self) -> bool {
        ALSO_IN_A_FILE.contains(&&*self.key)
    }
}

/// Every setting, in the order of the file with the defaults.
pub fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = vec![Section { name: "", comment: String::new(), settings: vec![] }];
    let mut section_needed_by = String::new();
    let mut comment: Vec<&str> = vec![];
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (comment, needed_by) = described(&mut comment);
            section_needed_by = needed_by.unwrap_or_default();
            sections.push(Section { name, comment, settings: vec![] });
        } else if let (Some((key, default)), Some(section)) = (line.split_once(" = "), sections.last_mut()) {
            let (comment, needed_by) = described(&mut comment);
            let key = if section.name.is_empty() { key.to_owned() } else { format!("{}.{key}", section.name) };
            let needed_by = needed_by.unwrap_or_else(|| section_needed_by.clone());
            section.settings.push(Setting { key, default, comment, needed_by });
        } else {
            // The comment before an empty line is about the whole file.
            comment.clear();
        }
    }
    sections
}

/// The text of a comment, which it empties, and the services that it names.
fn described(comment: &mut Vec<&str>) -> (String, Option<String>) {
    let lines = std::mem::take(comment);
    let (needed_by, text): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.starts_with(NEEDED_BY));
    let needed_by = needed_by.first().map(|line| line[NEEDED_BY.len()..].trim_end_matches('.').to_owned());
    (text.join(" "), needed_by)
}

/// Variables that were meant as settings and are not read, each with the spelling that is: single underscores
/// instead of double ones. Names that are no setting at all are left alone: orchestrators make some of their own, such
/// as `MAILMOOR_SERVICE_HOST`.
pub(super) fn misspelt<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, String)> {
    let mut suspects =
        names.filter(|name| name.starts_with("MAILMOOR_") && !name.starts_with(super::PREFIX)).peekable();
    if suspects.peek().is_none() {
        return vec![];
    }
    let known = sections().into_iter().flat_map(|section| section.settings).flat_map(|setting| {
        let variable = setting.variable();
        let file = setting.may_be_in_a_file().then(|| format!("{variable}_FILE"));
        std::iter::once(variable).chain(file)
    });
    let known: Vec<(String, String)> = known.map(|variable| (variable.replace("__", "_"), variable)).collect();
    let meant = |name: &str| {
        let plain = name.replace("__", "_");
        known.iter().find(|(single, _)| *single == plain).map(|(_, variable)| variable.clone())
    };
    suspects.filter_map(|name| Some((name, meant(name)?))).collect()
}

/// An example of a value whose form the error of a parser does not show.
pub(super) fn example(key: &str) -> Option<&'static str> {
    match key {
        "http.listen" | "mail_platform.policy_listen" | "mail_platform.milter_listen" => Some("127.0.0.1:8080"),
        "dns.servers" => Some("192.0.2.53:53, 192.0.2.54:53"),
        "egress.allowed_networks" => Some("10.0.0.0/8, 192.168.7.0/24"),
        "webhooks.retry_seconds" => Some("60, 300, 900"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_setting_says_what_it_means_and_who_needs_it() {
        let sections = sections();
        for section in &sections {
            assert_eq!(section.name.is_empty(), section.comment.is_empty(), "[{}]", section.name);
            for setting in &section.settings {
                assert!(!setting.comment.is_empty() && !setting.needed_by.is_empty(), "{}", setting.key);
            }
        }
        let all: Vec<&Setting> = sections.iter().flat_map(|section| &section.settings).collect();
        let listen = all.iter().find(|setting| setting.key == "http.listen").unwrap();
        assert_eq!((listen.default, listen.variable().as_str()), ("\"127.0.0.1:8080\"", "MAILMOOR__HTTP__LISTEN"));
        for key in ALSO_IN_A_FILE {
            assert!(all.iter().any(|setting| setting.key == key), "{key}");
        }
    }

    #[test]
    fn single_underscores_are_recognised() {
        let names = [
            "MAILMOOR_HTTP_LISTEN",
            "MAILMOOR_HTTP__LISTEN",
            "MAILMOOR_MAIL_PLATFORM_HOSTNAME",
            "MAILMOOR_SECRETS_MASTER_KEY_FILE",
            "MAILMOOR_DATA_DIR",
            "MAILMOOR__HTTP__LISTEN",
            "MAILMOOR_CONFIG",
            "MAILMOOR_API_KEY",
            "MAILMOOR_SERVICE_HOST",
            "HTTP_LISTEN",
        ];
        let found = misspelt(names.into_iter());
        let meant = [
            "MAILMOOR__HTTP__LISTEN",
            "MAILMOOR__HTTP__LISTEN",
            "MAILMOOR__MAIL_PLATFORM__HOSTNAME",
            "MAILMOOR__SECRETS__MASTER_KEY_FILE",
            "MAILMOOR__DATA_DIR",
        ];
        assert_eq!(found, names.into_iter().zip(meant.map(str::to_owned)).collect::<Vec<_>>());
    }
}

//! `settings.md`, from `deploy/config/default.toml`.

use service_runtime::settings::{Section, Setting, sections};

use super::markdown::{Page, code};

pub(super) fn page() -> String {
    let mut page = Page::new("Settings", "`deploy/config/default.toml`");
    page.paragraph(
        "In layers, later wins: the defaults below, a file (TOML) named by `--config` or `MAILMOOR_CONFIG`, the \
         environment. The variable of a key is `MAILMOOR__SECTION__KEY`, with double underscores: \
         `MAILMOOR__HTTP__LISTEN=0.0.0.0:8080`. A list in the environment is comma separated. An unknown key is an \
         error that names it; a setting spelt with single underscores is warned of at the start.",
    );
    page.paragraph(
        "Every program knows all sections and leaves alone those that it does not need, so one file or environment \
         serves all services. `mailmoor` is all services in one process and needs all of them. The value of a key \
         marked *file* may also be in a file, for secrets mounted by an orchestrator: `MAILMOOR__DATABASE__URL_FILE` \
         names it.",
    );
    page.paragraph(
        "The log level is no setting of this kind: `RUST_LOG`, by default `info`, is an \
         [env_logger filter](https://docs.rs/env_logger/latest/env_logger/#enabling-logging).",
    );
    for section in sections() {
        describe(&mut page, &section);
    }
    page.finish()
}

fn describe(page: &mut Page, section: &Section) {
    if section.name.is_empty() {
        page.heading(2, "Above all sections");
    } else {
        page.heading(2, &format!("`[{}]`", section.name));
        page.paragraph(&section.comment);
    }
    let row = |setting: &Setting| {
        let file = if setting.may_be_in_a_file() { " *file*" } else { "" };
        let needed_by = match &*setting.needed_by {
            "all" => "all services".to_owned(),
            names => names.split(", ").map(code).collect::<Vec<_>>().join(", "),
        };
        vec![
            format!("{}{file}", code(name(setting))),
            code(&setting.variable()),
            code(setting.default),
            unit(&setting.key).to_owned(),
            needed_by,
        ]
    };
    page.table(&["key", "variable", "default", "unit", "needed by"], section.settings.iter().map(row));
    page.blank();
    for setting in &section.settings {
        page.item(&format!("{}: {}", code(name(setting)), setting.comment));
    }
}

/// The key without its section.
fn name(setting: &Setting) -> &str {
    setting.key.rsplit('.').next().unwrap_or(&setting.key)
}

/// By the ending of the key, which is where settings say their unit.
fn unit(key: &str) -> &'static str {
    const UNITS: &[(&str, &str)] = &[
        ("_ms", "ms"),
        ("_seconds", "s"),
        ("_hours", "h"),
        ("_days", "days"),
        ("_per_minute", "requests a minute"),
        ("_per_hour", "requests an hour"),
        ("concurrency", "at a time"),
        ("connections", "connections"),
        ("attempts", "attempts"),
        ("_networks", "CIDR"),
        ("_port", "port"),
        ("listen", "IP:PORT"),
        ("servers", "IP:PORT"),
        ("url", "URL"),
        ("hostname", "host name"),
        ("_file", "path"),
        ("_dir", "path"),
        ("_key", "secret"),
        ("_login", "true, false"),
    ];
    UNITS.iter().find(|(ending, _)| key.ends_with(ending)).map_or("", |(_, unit)| unit)
}

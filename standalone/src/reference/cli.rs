//! `cli.md`, from the definitions of the command line.

use clap::{Arg, Command, CommandFactory};

use super::markdown::{Page, code, sentence};
use crate::cli::Cli;

pub(super) fn page() -> String {
    let mut page = Page::new("Command line of `mailmoor`", "`standalone/src/cli.rs`");
    // Building it adds help, version and the usage lines of the subcommands.
    let mut built = Cli::command();
    built.build();
    let plain = Cli::command();
    if let Some(after) = plain.get_after_help() {
        page.paragraph(&after.to_string());
    }
    describe(&mut page, &plain, &mut built, plain.get_name().to_owned());
    page.finish()
}

/// A command, then the commands below it. Arguments are those of the plain definition, without inherited ones.
fn describe(page: &mut Page, plain: &Command, built: &mut Command, path: String) {
    page.heading(2, &code(&path));
    if let Some(about) = plain.get_long_about().or(plain.get_about()) {
        page.paragraph(&sentence(&about.to_string()));
    }
    let usage = built.render_usage().to_string();
    page.code(usage.trim_start_matches("Usage:").trim());
    let arguments: Vec<&Arg> = plain.get_arguments().filter(|arg| !arg.is_hide_set()).collect();
    if !arguments.is_empty() {
        page.table(&["argument", "meaning"], arguments.into_iter().map(|arg| vec![code(&spelling(arg)), meaning(arg)]));
    }
    for child in plain.get_subcommands().filter(|child| !child.is_hide_set()) {
        if let Some(built) = built.find_subcommand_mut(child.get_name()) {
            describe(page, child, built, format!("{path} {}", child.get_name()));
        }
    }
}

/// As it is typed: `--overlap <TIME>`, `<ID>`.
fn spelling(arg: &Arg) -> String {
    let id = arg.get_id().as_str().to_uppercase();
    let names = arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let value = format!("<{}>", names.map_or(id, |names| names.join("> <")));
    match arg.get_long() {
        None => value,
        Some(long) if arg.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map_or(String::new(), |help| sentence(&help.to_string()));
    let possible = arg.get_possible_values();
    if arg.get_action().takes_values() && !possible.is_empty() {
        let names: Vec<String> = possible.iter().map(|value| code(value.get_name())).collect();
        text.push_str(&format!(" One of {}.", names.join(", ")));
    }
    if let [default] = arg.get_default_values()
        && arg.get_action().takes_values()
    {
        text.push_str(&format!(" Default: {}.", code(&default.to_string_lossy())));
    }
    if arg.is_global_set() {
        text.push_str(" Every command below takes it, too.");
    }
    if arg.is_required_set() && arg.get_long().is_some() {
        text.push_str(" Required.");
    }
    text
}

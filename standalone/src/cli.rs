//! The command line: its words and their help, from which `docs/reference/cli.md` is generated.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dialects::DIALECTS;
use shared_models::domain::tenancy::KeyKind;

const ENVIRONMENT: &str = "\
Settings come from compiled-in defaults, then the file of --config or MAILMOOR_CONFIG, then environment
variables MAILMOOR__SECTION__KEY such as MAILMOOR__HTTP__LISTEN=127.0.0.1:8080. docs/reference/settings.md
lists them.

The log goes to standard error. RUST_LOG sets the level: error, warn, info (the default of serve), debug or
trace, also for one part of the program, as in RUST_LOG=info,mail_client=debug.";

/// Moors mailboxes to your product: takes their credentials, verifies the logins, checks the DNS.
#[derive(Parser)]
#[command(name = "mailmoor", version, after_help = ENVIRONMENT)]
pub(crate) struct Cli {
    /// Settings file (TOML); the environment wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start everything; the default without a command.
    ///
    /// Gateway, verifier, DNS checker and webhooks run in one process. On an empty database an owner, a workspace and
    /// one API key for each dialect are made and printed, once. SIGTERM and SIGINT stop it in an orderly way.
    #[command(after_help = ENVIRONMENT)]
    Serve,
    /// Check MX, SPF, DKIM and DMARC of domains.
    ///
    /// Needs neither a running server nor a database. Exit status: 0 = every part passes or warns, 1 = a part fails or
    /// could not be looked up, 2 = bad usage.
    CheckDomain(CheckDomainArgs),
    /// Owners, workspaces, API keys and dead letters of the configured database.
    ///
    /// Works while the services run, and while they do not. Fails with one line on standard error and a non-zero exit
    /// status. With SQLite, `mailmoor serve` has to make the database first.
    Admin(AdminArgs),
    /// Write the generated pages of docs/reference.
    #[command(hide = true)]
    Docs(DocsArgs),
}

#[derive(Args)]
pub(crate) struct DocsArgs {
    /// Folder that the pages are written into; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
pub(crate) struct CheckDomainArgs {
    /// Domains to check, such as example.com.
    #[arg(value_name = "DOMAIN", required_unless_present = "input")]
    pub(crate) domains: Vec<String>,
    /// Host that mail is sent through.
    #[arg(long, value_name = "HOST")]
    pub(crate) smtp_host: Option<String>,
    /// Host that mail is read from.
    #[arg(long, value_name = "HOST")]
    pub(crate) imap_host: Option<String>,
    /// DKIM selector in use; may be repeated.
    #[arg(long = "selector", value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// Print one JSON object for each domain, a line each.
    #[arg(long)]
    pub(crate) json: bool,
    /// File of lines {"domain": ..., "input": {"smtp_host", "imap_host", "selectors"}}; implies --json.
    #[arg(long, value_name = "CASES.jsonl", conflicts_with_all = ["domains", "smtp_host", "imap_host", "selectors"])]
    pub(crate) input: Option<PathBuf>,
    /// Domains in flight [default: the setting dns.concurrency].
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
}

#[derive(Args)]
pub(crate) struct AdminArgs {
    /// Print one JSON object on standard output and nothing else; lists are {"items": [...]}.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Owners: those who have a plan.
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Workspaces: the tenants of an owner.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Events that the consumers gave up on.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Bring the database up to date and do nothing else.
    ///
    /// Every service does so when it starts, too. With PostgreSQL this may be the first command on an empty database.
    Migrate,
}

#[derive(Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Show them, oldest first, with the reason.
    List,
    /// Put one back into its queue, or all of them.
    Replay {
        /// Id of a dead letter, from the list.
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Put all of them back.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Throw one away.
    Drop {
        /// Id of a dead letter, from the list.
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum OwnerCommand {
    /// Add an owner.
    Create {
        /// Address that names the owner from now on; no mail is sent to it.
        email: String,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Show all owners with plan and usage, oldest first.
    List,
    /// Change an owner's plan, or show it when nothing is to be changed.
    ///
    /// A plan below the usage deletes nothing; no mailbox can be added until enough are removed.
    Plan {
        /// Address of the owner.
        email: String,
        #[command(flatten)]
        plan: PlanArgs,
    },
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    /// Mailboxes over all workspaces: a number or "unlimited" [default: unlimited, or what it was].
    #[arg(long, value_name = "N|unlimited", value_parser = parse_limit)]
    pub(crate) max_mailboxes: Option<Limit>,
    /// Without an active one no mailbox can be added [default: active, or what it was].
    #[arg(long)]
    pub(crate) subscription: Option<Subscription>,
}

#[derive(Clone, Copy)]
pub(crate) struct Limit(pub(crate) Option<i64>);

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum Subscription {
    Active,
    None,
}

#[derive(Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Add a workspace.
    Create {
        /// Name, unique among the workspaces of the owner.
        name: String,
        /// Address of the owner.
        #[arg(long, value_name = "EMAIL")]
        owner: String,
    },
    /// Show all workspaces with owner and number of mailboxes, oldest first.
    List {
        /// Only those of this owner.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; its text is printed once.
    Create {
        /// Dialect and reach of the key.
        #[arg(long, value_name = "KIND", value_parser = kind_parser())]
        kind: KeyKind,
        /// Name or id of the workspace; not for sendkit-platform.
        #[arg(long)]
        workspace: Option<String>,
        /// Address of the owner; needed where the workspace does not say it.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
        /// Comma separated, of coldsend and sendmux-root keys [default: everything the kind allows].
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// Show all keys with workspace, owner and last use, oldest first; never their texts.
    List,
    /// Replace a key; both work until the overlap ends.
    ///
    /// Makes a key of the same kind, workspace and scopes and prints its text once. The old key stops by itself when
    /// the overlap is over. A key whose predecessor still works is not replaced.
    Rotate {
        /// Id of the key, from the list.
        id: String,
        /// How long the old key goes on working: a number with s, m, h or d, at most 90d; 0 = not at all.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_overlap)]
        overlap: Duration,
    },
    /// End a key, effective with the next request.
    Revoke {
        /// Id of the key, from the list.
        id: String,
    },
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "unlimited" {
        return Ok(Limit(None));
    }
    let limit = text.parse::<i64>().ok().filter(|limit| *limit >= 0);
    limit.map(|limit| Limit(Some(limit))).ok_or_else(|| "must be a number or \"unlimited\"".to_owned())
}

fn kind_parser() -> impl TypedValueParser<Value = KeyKind> {
    PossibleValuesParser::new(dialects::key_kinds(DIALECTS).map(|kind| kind.name)).try_map(|name| {
        let kind = dialects::key_kinds(DIALECTS).find(|kind| kind.name == name);
        kind.copied().ok_or_else(|| format!("{name} is not a kind of key"))
    })
}

/// A key that works for longer beside its successor has not been replaced.
const MOST_OVERLAP: Duration = Duration::from_secs(90 * 86_400);

fn parse_overlap(text: &str) -> Result<Duration, String> {
    let fault = || "must be 0 or a number with s, m, h or d, such as 24h, and at most 90d".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(fault()),
    };
    let number = text.get(..text.len() - 1).and_then(|number| number.parse::<u64>().ok()).ok_or_else(fault)?;
    let overlap = number.checked_mul(unit).map(Duration::from_secs);
    overlap.filter(|overlap| *overlap <= MOST_OVERLAP).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_accepts_the_definitions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn overlaps() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("90s", 90), ("5m", 300), ("24h", 86_400), ("90d", 7_776_000)] {
            assert_eq!(parse_overlap(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "h", "24", "-1h", "1.5h", "91d", "24 h", "5é", "99999999999999999999d"] {
            assert!(parse_overlap(bad).is_err(), "{bad}");
        }
    }
}

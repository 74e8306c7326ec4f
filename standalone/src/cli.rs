//! The command line, as documented in the README.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dialects::DIALECTS;
use shared_models::domain::tenancy::KeyKind;

/// Moors mailboxes to your product: takes their credentials, verifies the logins, checks the DNS.
#[derive(Parser)]
#[command(name = "mailmoor", version)]
pub(crate) struct Cli {
    /// Settings file (TOML); the environment wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start everything (the default).
    Serve,
    /// Check MX, SPF, DKIM and DMARC of domains; needs no server and no database. Exits with 1 when
    /// something fails.
    CheckDomain(CheckDomainArgs),
    /// Owners, workspaces and API keys of the configured database.
    Admin(AdminArgs),
}

#[derive(Args)]
pub(crate) struct CheckDomainArgs {
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
    /// One JSON object for each domain.
    #[arg(long)]
    pub(crate) json: bool,
    /// File of lines {"domain": ..., "input": {"smtp_host", "imap_host", "selectors"}}.
    #[arg(long, value_name = "CASES.jsonl", conflicts_with_all = ["domains", "smtp_host", "imap_host", "selectors"])]
    pub(crate) input: Option<PathBuf>,
    /// Domains in flight [default: the setting dns.concurrency].
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
}

#[derive(Args)]
pub(crate) struct AdminArgs {
    /// Print one JSON object on standard output and nothing else.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// People with a plan.
    #[command(subcommand)]
    Owner(OwnerCommand),
    /// Tenants.
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Events that the consumers gave up on.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Bring the database up to date and nothing else; every service does so when it starts, too.
    Migrate,
}

#[derive(Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Show them, oldest first, with the reason.
    List,
    /// Put one back into its queue, or all of them.
    Replay {
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Throw one away.
    Drop { id: String },
}

#[derive(Subcommand)]
pub(crate) enum OwnerCommand {
    /// Add an owner.
    Create {
        email: String,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Change an owner's plan.
    Plan {
        email: String,
        #[command(flatten)]
        plan: PlanArgs,
    },
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    /// A number or "unlimited" [default: unlimited, or what it was].
    #[arg(long, value_name = "N|unlimited", value_parser = parse_limit)]
    pub(crate) max_mailboxes: Option<Limit>,
    /// [default: active, or what it was].
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
        name: String,
        /// Address of the owner.
        #[arg(long, value_name = "EMAIL")]
        owner: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; its text is printed once.
    Create {
        #[arg(long, value_name = "KIND", value_parser = parse_kind, help = kind_names())]
        kind: KeyKind,
        /// Name or id of the workspace; not for a kind that opens all workspaces of an owner.
        #[arg(long)]
        workspace: Option<String>,
        /// Address of the owner; needed where the workspace does not tell it.
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
        /// Comma separated, for kinds that have scopes [default: everything the kind allows].
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// Show all keys, without their texts.
    List,
    /// End a key, effective with the next request.
    Revoke { id: String },
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    if text == "unlimited" {
        return Ok(Limit(None));
    }
    let limit = text.parse::<i64>().ok().filter(|limit| *limit >= 0);
    limit.map(|limit| Limit(Some(limit))).ok_or_else(|| "must be a number or \"unlimited\"".to_owned())
}

fn parse_kind(text: &str) -> Result<KeyKind, String> {
    let kind = dialects::key_kinds(DIALECTS).find(|kind| kind.name == text);
    kind.copied().ok_or_else(|| format!("must be {}", kind_names()))
}

/// `a, b or c`.
fn kind_names() -> String {
    let names: Vec<&str> = dialects::key_kinds(DIALECTS).map(|kind| kind.name).collect();
    match &names[..] {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

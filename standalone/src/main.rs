//! The `mailmoor` binary: all services in one process, and the command line.

mod admin;
mod bootstrap;
mod check_domain;
mod cli;
mod reference;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use service_runtime::service::block_on;
use service_runtime::telemetry::{self, Audience};

fn main() -> ExitCode {
    block_on(start())
}

async fn start() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve);
    telemetry::init(if matches!(command, Command::Serve) { Audience::Operators } else { Audience::Terminal });
    let config = cli.config.as_deref();
    let result = match command {
        Command::Serve => serve::run(config).await.map(|()| ExitCode::SUCCESS),
        Command::CheckDomain(args) => check_domain::run(config, args).await,
        Command::Admin(args) => admin::run(config, args).await.map(|()| ExitCode::SUCCESS),
        Command::Docs(args) => reference::write(&args.out).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            // One line, although libpq and others write several.
            let text = error.to_string();
            eprintln!("mailmoor: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
            ExitCode::FAILURE
        }
    }
}

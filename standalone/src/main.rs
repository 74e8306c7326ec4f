//! The `mailmoor` binary: the embedded default (gateway, verifier and DNS checker in one process)
//! and the command line.

mod admin;
mod bootstrap;
mod check_domain;
mod cli;
mod housekeeping;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    service_runtime::telemetry::init();
    let config = cli.config.as_deref();
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config).await.map(|()| ExitCode::SUCCESS),
        Command::CheckDomain(args) => check_domain::run(config, args).await,
        Command::Admin(args) => admin::run(config, args).await.map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            eprintln!("mailmoor: {error}");
            ExitCode::FAILURE
        }
    }
}

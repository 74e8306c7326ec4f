//! The `mailmoor` binary: the embedded default (gateway, verifier and DNS checker in one process)
//! and the command line.

mod admin;
mod bootstrap;
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
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(cli.config.as_deref()).await,
        Command::Admin(command) => admin::run(cli.config.as_deref(), command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mailmoor: {error}");
            ExitCode::FAILURE
        }
    }
}

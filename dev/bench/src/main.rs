//! Benchmarks. `cargo run --release -p bench [create|http|end-to-end|imports|idle|postgres|scale]...`; without a name, all.
//!
//! Everything runs on this machine, load generator included, with the database on the disk that
//! holds `target/`. The numbers in the README come from here.

mod client;
mod create;
mod end_to_end;
mod idle;
mod imports;
mod postgres;
mod report;
mod scale;
mod server;

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let all = ["create", "http", "end-to-end", "imports", "idle", "postgres", "scale"];
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(format!("there is no benchmark {unknown}; there are {}", all.join(", ")).into());
    }
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if runs("create") {
        create::in_process().await?;
    }
    if runs("http") {
        create::over_http().await?;
    }
    if runs("end-to-end") {
        end_to_end::run().await?;
    }
    if runs("imports") {
        imports::run().await?;
    }
    if runs("idle") {
        idle::run().await?;
    }
    if runs("postgres") {
        postgres::run().await?;
    }
    if runs("scale") {
        scale::run().await?;
    }
    Ok(())
}

//! The `dns-checker-service` process.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service_runtime::service::main("dns-checker-service", dns_checker_service::consumer).await
}

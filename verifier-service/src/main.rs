//! The `verifier-service` process.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service_runtime::service::main("verifier-service", verifier_service::consumer).await
}

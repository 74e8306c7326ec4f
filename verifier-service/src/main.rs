//! The `verifier-service` process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::service::main("verifier-service", verifier_service::consumers)
}

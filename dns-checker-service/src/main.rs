//! The `dns-checker-service` process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::service::main("dns-checker-service", dns_checker_service::consumers)
}

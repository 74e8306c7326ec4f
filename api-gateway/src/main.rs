//! The `api-gateway` process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::service::program("api-gateway", api_gateway::serve)
}

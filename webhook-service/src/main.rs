//! The `webhook-service` process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_runtime::service::main("webhook-service", |settings, store, stop| {
        webhook_service::consumers(settings, store, stop, dialects::webhook_words(dialects::DIALECTS))
    })
}

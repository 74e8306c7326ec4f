//! Log lines: time, level, module, then `key=value` words. Ids, durations and host names of servers; never a mail
//! address, a secret or a body.

use std::io::Write;

use shared_models::domain::Timestamp;

/// The default log filter, which `RUST_LOG` replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Operators of a service: `info`, without the routine lines of the HTTP server, the DNS client and the AMQP
    /// client.
    Operators,
    /// A person at a terminal: faults only.
    Terminal,
}

/// Starts logging to standard error, filtered by `RUST_LOG`. A second call does nothing.
pub fn init(audience: Audience) {
    let filter = match audience {
        Audience::Operators => "info,actix_server=warn,hickory_net=error,lapin=off,tracing::span=warn",
        Audience::Terminal => "warn,hickory_net=error",
    };
    let env = env_logger::Env::default().default_filter_or(filter);
    // An error means that a test of this process has set the logger already.
    let _ = env_logger::Builder::from_env(env)
        .format(|out, record| {
            // Its trace of the sign-in contains the password, byte by byte.
            if record.level() == log::Level::Trace && record.target().starts_with("lapin") {
                return Ok(());
            }
            writeln!(
                out,
                "{} {:<5} {} {}",
                Timestamp::now().to_rfc3339(),
                record.level(),
                record.target(),
                record.args()
            )
        })
        .try_init();
}

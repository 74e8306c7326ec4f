//! Log lines: time, level, module, then `key=value` words. Ids, durations and host names of servers; never a mail
//! address, a secret or a body.

use std::io::Write;

use shared_models::domain::Timestamp;

/// What is logged unless `RUST_LOG` says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Operators of a service: `info`, without the chatter of the HTTP server and the DNS client.
    Operators,
    /// Somebody at a terminal: what goes wrong only.
    Terminal,
}

/// Starts logging to standard error, filtered by `RUST_LOG`. A second call does nothing.
pub fn init(audience: Audience) {
    let filter = match audience {
        Audience::Operators => "info,actix_server=warn,hickory_net=error,lapin=off,tracing::span=warn",
        Audience::Terminal => "warn,hickory_net=error",
    };
    let env = env_logger::Env::default().default_filter_or(filter);
    // A second start in one process (tests) finds the logger set already, which is fine.
    let _ = env_logger::Builder::from_env(env)
        .format(|out, record| {
            // What it tells of its sign-in is the password, byte by byte.
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

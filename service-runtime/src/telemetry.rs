//! Log lines: time, level, module, then `key=value` words. Ids and durations only; never an
//! address, a secret or a body.

use std::io::Write;

use shared_models::domain::Timestamp;

/// Starts logging to standard error, filtered by `RUST_LOG` (default `info`, without the chatter of the HTTP server and the DNS client). A second call does nothing.
pub fn init() {
    let env = env_logger::Env::default().default_filter_or("info,actix_server=warn,hickory_net=error");
    // A second start in one process (tests) finds the logger set already, which is fine.
    let _ = env_logger::Builder::from_env(env)
        .format(|out, record| {
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

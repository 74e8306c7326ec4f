//! What has to happen from time to time without anybody asking: DNS verdicts grow old, results of
//! refused mailboxes are forgotten.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

const EVERY: Duration = Duration::from_secs(10 * 60);
/// Domains looked up again in one round, so that they spread over the day.
const DNS_CHECKS_A_ROUND: i64 = 500;

/// Runs until `stop` is cancelled. A failed round is logged and made up for by the next.
pub(crate) async fn run(store: Store, dns_refresh_after: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match store.request_stale_dns_checks(dns_refresh_after, DNS_CHECKS_A_ROUND).await {
            Ok(0) => {}
            Ok(count) => log::info!("asked for {count} DNS checks to be renewed"),
            Err(error) => log::warn!("DNS checks were not renewed: {error}"),
        }
        match store.purge_expired_results().await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old verification results"),
            Err(error) => log::warn!("old verification results were not forgotten: {error}"),
        }
    }
}

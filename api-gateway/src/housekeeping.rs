//! What has to happen from time to time without anybody asking: DNS verdicts grow old, results of
//! refused mailboxes are forgotten, verifications whose events were lost are asked for again. Any
//! number of gateways may do it side by side.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

const EVERY: Duration = Duration::from_secs(10 * 60);
/// Domains looked up again in one round, so that they spread over the day.
const DNS_CHECKS_A_ROUND: i64 = 500;
/// Verifications asked for again in one round.
const VERIFICATIONS_A_ROUND: i64 = 500;
/// No verification takes so long, its retries and the pauses that servers ask for included.
const OVERDUE: Duration = Duration::from_secs(2 * 3600);

/// A domain is looked at again when nobody has asked about it for so long.
const VERIFY_DOMAINS_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Domains looked at again in one round.
const DOMAINS_A_ROUND: i64 = 1000;

/// How long an import or a deletion can be asked about after its end.
const KEEP_JOBS: Duration = Duration::from_secs(7 * 86_400);

/// Runs until `stop` is cancelled. A failed round is logged and made up for by the next.
pub(crate) async fn run(store: Store, dns_refresh_after: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match store.request_stale_dns_checks(dns_refresh_after, DNS_CHECKS_A_ROUND).await {
            Ok(0) => {}
            Ok(count) => log::info!("asked for {count} DNS checks to be renewed"),
            Err(error) => log::warn!("DNS checks were not renewed: {error}"),
        }
        match store.request_overdue_verifications(OVERDUE, VERIFICATIONS_A_ROUND).await {
            Ok(0) => {}
            Ok(count) => log::warn!("asked again for {count} verifications without a result"),
            Err(error) => log::warn!("overdue verifications were not asked for: {error}"),
        }
        match store.request_stale_domain_checks(VERIFY_DOMAINS_EVERY, DOMAINS_A_ROUND).await {
            Ok(0) => {}
            Ok(count) => log::info!("asked for {count} domains to be verified again"),
            Err(error) => log::warn!("domains were not verified again: {error}"),
        }
        match store.reopen_stalled_imports(OVERDUE).await {
            Ok(0) => {}
            Ok(count) => log::warn!("took up {count} imports in which nothing happened"),
            Err(error) => log::warn!("imports were not looked after: {error}"),
        }
        match store.purge_imports(KEEP_JOBS).await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old imports"),
            Err(error) => log::warn!("old imports were not forgotten: {error}"),
        }
        if let Err(error) = store.purge_deletions(KEEP_JOBS).await {
            log::warn!("old deletions were not forgotten: {error}");
        }
        match store.purge_test_emails().await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old test messages"),
            Err(error) => log::warn!("old test messages were not forgotten: {error}"),
        }
        if let Err(error) = store.purge_idempotency_records().await {
            log::warn!("old answers were not forgotten: {error}");
        }
        match store.purge_login_tests().await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old tests of providers"),
            Err(error) => log::warn!("old tests of providers were not forgotten: {error}"),
        }
        match store.purge_webhook_deliveries().await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old deliveries to webhooks"),
            Err(error) => log::warn!("old deliveries to webhooks were not forgotten: {error}"),
        }
        match store.erase_replaced_webhook_secrets().await {
            Ok(0) => {}
            Ok(count) => log::info!("erased {count} replaced secrets of webhooks"),
            Err(error) => log::warn!("replaced secrets of webhooks were not erased: {error}"),
        }
        match store.purge_expired_results().await {
            Ok(0) => {}
            Ok(count) => log::info!("forgot {count} old verification results"),
            Err(error) => log::warn!("old verification results were not forgotten: {error}"),
        }
    }
}

//! Chores that no request and no event starts: work that is due again, work whose event got lost, and records whose
//! time is over. Any number of gateways may run them side by side.

use std::time::Duration;

use service_runtime::shutdown::CancellationToken;
use shared_models::domain::CoreError;
use shared_models::store::Store;

const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// DNS checks of mailboxes requested in one round, so that renewals spread over the day.
const DNS_CHECKS_PER_ROUND: i64 = 500;
/// Verifications requested again in one round.
const VERIFICATIONS_PER_ROUND: i64 = 500;
/// Longer than any verification takes, retries and the pauses that servers ask for included.
const OVERDUE: Duration = Duration::from_secs(2 * 3600);
/// Time after which a sending domain is checked again although nobody asked.
const DOMAIN_CHECK_AGE: Duration = Duration::from_secs(6 * 3600);
/// Sending domains checked in one round.
const DOMAIN_CHECKS_PER_ROUND: i64 = 1000;
/// Time for which an import or a deletion can be read after its end.
const JOB_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// Runs until `stop` is cancelled. A chore that fails is logged, and repeated in the next round.
pub(crate) async fn run(store: Store, dns_refresh_after: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(INTERVAL);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        renew(&store, dns_refresh_after).await;
        recover(&store).await;
        purge(&store).await;
    }
}

/// Work that is due again.
async fn renew(store: &Store, dns_refresh_after: Duration) {
    let checks = store.request_stale_dns_checks(dns_refresh_after, DNS_CHECKS_PER_ROUND).await;
    report("DNS checks of mailboxes renewed", checks);
    let checks = store.request_stale_domain_checks(DOMAIN_CHECK_AGE, DOMAIN_CHECKS_PER_ROUND).await;
    report("checks of sending domains renewed", checks);
}

/// Work that should have ended long ago. An event must have got lost, so the operator should know.
async fn recover(store: &Store) {
    let verifications = store.request_overdue_verifications(OVERDUE, VERIFICATIONS_PER_ROUND).await;
    if report("overdue verifications requested again", verifications) > 0 {
        log::warn!("verifications had no result within {} s", OVERDUE.as_secs());
    }
    let imports = store.reopen_stalled_imports(OVERDUE).await;
    if report("stalled imports reopened", imports) > 0 {
        log::warn!("imports did not go on for {} s", OVERDUE.as_secs());
    }
}

/// Records whose time is over.
async fn purge(store: &Store) {
    report("old imports purged", store.purge_imports(JOB_RETENTION).await);
    report("old deletions purged", store.purge_deletions(JOB_RETENTION).await);
    report("old test messages purged", store.purge_test_emails().await);
    report("old idempotency keys purged", store.purge_idempotency_records().await);
    report("old login tests of sending accounts purged", store.purge_login_tests().await);
    report("old webhook deliveries purged", store.purge_webhook_deliveries().await);
    report("replaced webhook secrets erased", store.erase_replaced_webhook_secrets().await);
    report("old verification results purged", store.purge_expired_results().await);
}

/// Logs the outcome of a chore. Returns the number of records that it changed.
fn report(chore: &str, outcome: Result<usize, CoreError>) -> usize {
    match outcome {
        Ok(0) => 0,
        Ok(count) => {
            log::info!("housekeeping: {chore}: {count}");
            count
        }
        Err(error) => {
            log::warn!("housekeeping failed: {chore}: {error}");
            0
        }
    }
}

//! How long to wait before the next try.

use std::time::Duration;

use service_runtime::runner::exponential;
use service_runtime::settings::VerifierSettings;
use shared_models::domain::Finding;

/// A server may ask for a longer pause than anybody wants to wait for a first verification.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// When another process is at the same thing, which a broker that lost a connection may bring about.
pub(crate) const IN_OTHER_HANDS: Duration = Duration::from_secs(10);

/// After this try, the first is 1, met a temporary fault: our own pause, or the server's where it named one.
pub(crate) fn pause_after(finding: &Finding, attempt: u32, settings: &VerifierSettings) -> Duration {
    let ours = exponential(settings.retry_base(), attempt);
    finding.retry_after.map_or(ours, |theirs| theirs.min(LONGEST_PAUSE).max(ours))
}

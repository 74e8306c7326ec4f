//! Pauses before an event is handled again.

use std::time::Duration;

use service_runtime::runner::exponential;
use service_runtime::settings::VerifierSettings;
use shared_models::domain::Finding;

/// Upper bound of a pause that a server asks for. Some ask for hours, and a person waits for the first verification.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Pause while another process works on the same mailbox or lane. That happens when a broker lost the connection to the
/// process and delivers its event again.
pub(super) const CLAIMED_ELSEWHERE: Duration = Duration::from_secs(10);

/// Pause after `attempt`, counted from 1, met a temporary fault: our own, or the server's if that is longer.
pub(super) fn pause_after(finding: &Finding, attempt: u32, settings: &VerifierSettings) -> Duration {
    let ours = exponential(settings.retry_base(), attempt);
    finding.retry_after.map_or(ours, |theirs| theirs.min(LONGEST_PAUSE).max(ours))
}

//! One number for a dashboard.

use shared_models::domain::diagnosis::{DnsReport, DnsStatus};

/// The set-up health of a domain, 0 to 100: MX counts 30, SPF 25, DKIM 25 and DMARC 20; a pass gives
/// all of it, a warning 60 %, a failure nothing. A part that could not be told is left out of the
/// sum and of the weights, so that an outage changes nothing; with no part told there is no score.
#[must_use]
pub fn health_score(report: &DnsReport) -> Option<u8> {
    let parts: [(u32, DnsStatus); 4] =
        [(30, report.mx.status), (25, report.spf.status), (25, report.dkim.status), (20, report.dmarc.status)];
    let mut earned = 0;
    let mut possible = 0;
    for (weight, status) in parts {
        let percent = match status {
            DnsStatus::Pass => 100,
            DnsStatus::Warn => 60,
            DnsStatus::Fail => 0,
            DnsStatus::Error => continue,
        };
        earned += weight * percent;
        possible += weight;
    }
    // Rounded to the nearest whole number.
    let score = (earned + possible / 2).checked_div(possible)?;
    u8::try_from(score).ok()
}

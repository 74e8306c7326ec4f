//! What monitoring sees of the DNS checks and of the verification of domains.

use std::sync::LazyLock;
use std::time::Duration;

use service_runtime::metrics::{Histogram, IntCounterVec, counters, histogram};
use shared_models::domain::sending_domains::DomainChecks;

/// Seconds. From answers out of a resolver's cache to one that is silent to the last query.
const BUCKETS: [f64; 13] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

struct Metrics {
    checks: IntCounterVec,
    seconds: Histogram,
    verifications: IntCounterVec,
    verification_seconds: Histogram,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics {
        checks: counters(
            "mailmoor_dns_checks_total",
            "Domains looked at: all four records sound, some unsound, or a look-up met silence.",
            &["outcome"],
        ),
        seconds: histogram("mailmoor_dns_check_seconds", "Duration of the look-ups for one domain.", &BUCKETS),
        verifications: counters(
            "mailmoor_domain_verifications_total",
            "Domains verified: all records in place, some missing, or a look-up met silence.",
            &["outcome"],
        ),
        verification_seconds: histogram(
            "mailmoor_domain_verification_seconds",
            "Duration of the look-ups for the verification of one domain.",
            &BUCKETS,
        ),
    };
    for outcome in [Found::Sound, Found::Unsound, Found::Silent] {
        metrics.checks.with_label_values(&[outcome.as_str()]);
    }
    for outcome in [Verification::Complete, Verification::Incomplete, Verification::Unclear] {
        metrics.verifications.with_label_values(&[outcome.as_str()]);
    }
    metrics
});

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// MX, SPF, DKIM and DMARC are all sound.
    Sound,
    /// At least one is not.
    Unsound,
    /// At least one could not be told.
    Silent,
}

impl Found {
    /// For a check that all look-ups were answered to.
    pub(crate) fn of(sound_parts: i32) -> Self {
        if sound_parts == 4 { Self::Sound } else { Self::Unsound }
    }

    /// The word in the label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Unsound => "unsound",
            Self::Silent => "silent",
        }
    }
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    /// All that is needed.
    Complete,
    /// Something is missing.
    Incomplete,
    /// At least one record could not be told.
    Unclear,
}

impl Verification {
    /// For one that all look-ups were answered to.
    pub(crate) fn of(checks: DomainChecks) -> Self {
        if checks.are_complete() { Self::Complete } else { Self::Incomplete }
    }

    /// The word in the label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Unclear => "unclear",
        }
    }
}

/// Makes the metrics appear, with zeros, before there is anything to count.
pub(crate) fn show() {
    LazyLock::force(&METRICS);
}

/// A domain was looked at.
pub(crate) fn checked(outcome: Found, elapsed: Duration) {
    METRICS.checks.with_label_values(&[outcome.as_str()]).inc();
    METRICS.seconds.observe(elapsed.as_secs_f64());
}

/// The records of a domain were looked at to verify it.
pub(crate) fn verified(outcome: Verification, elapsed: Duration) {
    METRICS.verifications.with_label_values(&[outcome.as_str()]).inc();
    METRICS.verification_seconds.observe(elapsed.as_secs_f64());
}

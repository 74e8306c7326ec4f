//! Metrics of the DNS checks and of the verification of domains.

use std::sync::LazyLock;
use std::time::Duration;

use service_runtime::metrics::{Histogram, IntCounterVec, counters, histogram};
use shared_models::domain::sending_domains::DomainChecks;

/// Upper bounds in seconds: from answers out of a resolver's cache to a server that answers no query.
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

/// The outcome of a check. The variants are the words of the label, which alerts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// MX, SPF, DKIM and DMARC all do their work.
    Sound,
    /// At least one does not.
    Unsound,
    /// At least one could not be looked up.
    Silent,
}

impl Found {
    /// The outcome of a check whose look-ups were all answered, by the number of records that do their work.
    pub(super) fn of(working_records: i32) -> Self {
        if working_records == 4 { Self::Sound } else { Self::Unsound }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Unsound => "unsound",
            Self::Silent => "silent",
        }
    }
}

/// The outcome of a verification. The variants are the words of the label, which alerts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// Everything that a verified domain needs is there.
    Complete,
    /// Something is missing.
    Incomplete,
    /// At least one record could not be looked up.
    Unclear,
}

impl Verification {
    /// The outcome of a verification whose look-ups were all answered.
    pub(super) fn of(checks: DomainChecks) -> Self {
        if checks.are_complete() { Self::Complete } else { Self::Incomplete }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Unclear => "unclear",
        }
    }
}

/// Registers the metrics, with zeros, before there is anything to count.
pub(super) fn show() {
    LazyLock::force(&METRICS);
}

/// Counts a check of a domain.
pub(super) fn checked(outcome: Found, elapsed: Duration) {
    METRICS.checks.with_label_values(&[outcome.as_str()]).inc();
    METRICS.seconds.observe(elapsed.as_secs_f64());
}

/// Counts a verification of a domain.
pub(super) fn verified(outcome: Verification, elapsed: Duration) {
    METRICS.verifications.with_label_values(&[outcome.as_str()]).inc();
    METRICS.verification_seconds.observe(elapsed.as_secs_f64());
}

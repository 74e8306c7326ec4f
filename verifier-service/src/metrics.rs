//! Metrics of the verifications.

use std::sync::LazyLock;
use std::time::Duration;

use service_runtime::metrics::{Histogram, IntCounterVec, IntGauge, counters, histogram, int_gauge};
use shared_models::domain::diagnosis::FailureCode;

/// Bounds in seconds, from a refusal on the local network to both legs running into their timeouts.
const BUCKETS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];

struct Metrics {
    ended: IntCounterVec,
    seconds: Histogram,
    in_flight: IntGauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics {
        ended: counters(
            "mailmoor_verifications_total",
            "Verifications that ended, by outcome (active, failed, deferred, superseded) and failure code or none.",
            &["outcome", "code"],
        ),
        seconds: histogram("mailmoor_verification_seconds", "Duration of one verification, both logins.", &BUCKETS),
        in_flight: int_gauge("mailmoor_verifications_in_flight", "Verifications running in this process."),
    };
    metrics.ended.with_label_values(&[Ended::Active.as_str(), NO_CODE]);
    metrics
});

/// Label value of a verification without a failure.
const NO_CODE: &str = "none";

/// The end of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Active,
    Failed,
    /// Another attempt follows.
    Deferred,
    /// The mailbox was settled or deleted meanwhile.
    Superseded,
}

impl Ended {
    /// The word in the log and in the label `outcome`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Deferred => "deferred",
            Self::Superseded => "superseded",
        }
    }
}

/// Registers the metrics, so that they are served with zeros from the start.
pub(crate) fn show() {
    LazyLock::force(&METRICS);
}

/// Counts a verification as running until it is dropped, also if it panics or is cancelled.
#[must_use]
pub(crate) struct InFlight(());

pub(crate) fn in_flight() -> InFlight {
    METRICS.in_flight.inc();
    InFlight(())
}

impl Drop for InFlight {
    fn drop(&mut self) {
        METRICS.in_flight.dec();
    }
}

/// Counts a verification that ended after `elapsed`. `code` is that of its failure; for a mailbox that was accepted, it is
/// that of the failed login at a guessed IMAP host.
pub(crate) fn ended(outcome: Ended, code: Option<FailureCode>, elapsed: Duration) {
    METRICS.ended.with_label_values(&[outcome.as_str(), code.map_or(NO_CODE, FailureCode::as_str)]).inc();
    METRICS.seconds.observe(elapsed.as_secs_f64());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn has(line: &str) -> bool {
        service_runtime::metrics::text().unwrap().lines().any(|shown| shown == line)
    }

    /// One test, because all tests of a process share the numbers.
    #[test]
    fn what_is_counted_is_shown() {
        show();
        assert!(has(r#"mailmoor_verifications_total{code="none",outcome="active"} 0"#));
        assert!(has("mailmoor_verification_seconds_count 0"));
        assert!(has("mailmoor_verifications_in_flight 0"));

        let (first, second) = (in_flight(), in_flight());
        assert!(has("mailmoor_verifications_in_flight 2"));
        drop(first);
        assert!(has("mailmoor_verifications_in_flight 1"));
        let panicked = std::panic::catch_unwind(move || {
            let _running = second;
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(panicked.is_err() && has("mailmoor_verifications_in_flight 0"));

        ended(Ended::Active, None, Duration::from_millis(7));
        ended(Ended::Failed, Some(FailureCode::AuthBadCredentials), Duration::from_secs(30));
        for outcome in [Ended::Deferred, Ended::Superseded] {
            ended(outcome, Some(FailureCode::NetReset), Duration::from_secs(90));
        }
        assert!(has(r#"mailmoor_verifications_total{code="none",outcome="active"} 1"#));
        assert!(has(r#"mailmoor_verifications_total{code="AUTH_BAD_CREDENTIALS",outcome="failed"} 1"#));
        assert!(has(r#"mailmoor_verifications_total{code="NET_RESET",outcome="deferred"} 1"#));
        assert!(has(r#"mailmoor_verifications_total{code="NET_RESET",outcome="superseded"} 1"#));
        for (bound, count) in [("0.005", 0), ("0.01", 1), ("20", 1), ("60", 2), ("+Inf", 4)] {
            assert!(has(&format!(r#"mailmoor_verification_seconds_bucket{{le="{bound}"}} {count}"#)), "{bound}");
        }
    }
}

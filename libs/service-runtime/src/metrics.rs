//! Makes metrics. All of them are in one registry of the process, so that a process which is several
//! services at once shows everything in one place. Which metrics there are is each service's own matter.

use prometheus::core::Collector;
pub use prometheus::{Gauge, Histogram, HistogramVec, IntCounterVec, IntGauge};
use prometheus::{HistogramOpts, Opts, TextEncoder};

/// A counter for each combination of label values. Only for labels of few values: each combination is
/// kept for as long as the process lives.
pub fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(IntCounterVec::new(Opts::new(name, help), labels))
}

/// A whole number that goes up and down.
pub fn int_gauge(name: &str, help: &str) -> IntGauge {
    registered(IntGauge::new(name, help))
}

/// A number that goes up and down.
pub fn gauge(name: &str, help: &str) -> Gauge {
    registered(Gauge::new(name, help))
}

/// Durations; `buckets` are upper bounds in seconds, ascending.
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
}

/// Durations for each combination of label values; see [`counters`] and [`histogram`].
pub fn histograms(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    registered(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
}

/// Everything in the registry, in Prometheus' text format 0.0.4.
///
/// # Errors
/// When two services gave one name to different things.
pub fn text() -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&prometheus::gather())
}

#[expect(clippy::expect_used, reason = "names, labels and buckets are compiled in: the first use of any of them shows")]
fn registered<M: Collector + Clone + 'static>(metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a metric with a good name, labels and buckets");
    prometheus::register(Box::new(metric.clone())).expect("a metric that is registered once");
    metric
}

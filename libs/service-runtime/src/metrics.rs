//! Constructors of metrics. All metrics of a process are in one registry, so that the embedded program shows those of
//! all services. Each service defines its own metrics.

use prometheus::core::Collector;
pub use prometheus::{Gauge, Histogram, HistogramVec, IntCounterVec, IntGauge};
use prometheus::{HistogramOpts, Opts, TextEncoder};

/// A counter for each combination of label values. Only for labels with few values: each combination is kept until the
/// process ends.
pub fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(IntCounterVec::new(Opts::new(name, help), labels))
}

/// A gauge of whole numbers.
pub fn int_gauge(name: &str, help: &str) -> IntGauge {
    registered(IntGauge::new(name, help))
}

/// A gauge of fractions.
pub fn gauge(name: &str, help: &str) -> Gauge {
    registered(Gauge::new(name, help))
}

/// A histogram of durations. `buckets` are upper bounds in seconds, ascending.
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
}

/// A histogram for each combination of label values; see [`counters`] and [`histogram`].
pub fn histograms(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    registered(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
}

/// The registry in Prometheus' text format 0.0.4.
///
/// # Errors
/// When two services use one name for different metrics.
pub fn text() -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&prometheus::gather())
}

#[expect(clippy::expect_used, reason = "names, labels and buckets are compiled in: the first use of any of them shows")]
fn registered<M: Collector + Clone + 'static>(metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a metric with a good name, labels and buckets");
    prometheus::register(Box::new(metric.clone())).expect("a metric that is registered once");
    metric
}

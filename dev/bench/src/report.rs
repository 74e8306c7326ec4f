//! Percentiles and table rows.

use std::time::Duration;

pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// Milliseconds at a quantile from 0 to 1.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * quantile).round() as usize).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    }

    pub(crate) fn row(&self, what: &str, elapsed: Duration) -> String {
        let rate = self.0.len() as f64 / elapsed.as_secs_f64();
        format!("| {what} | {rate:.0} | {:.2} | {:.2} |", self.at(0.5), self.at(0.99))
    }
}

pub(crate) fn heading(title: &str) {
    println!("\n{title}\n\n| | per second | p50 ms | p99 ms |\n|---|---|---|---|");
}

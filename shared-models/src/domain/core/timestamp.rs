//! Points in time as every backend keeps them: whole milliseconds since the Unix epoch, UTC.
//!
//! PostgreSQL would truncate to microseconds, and SQLite would keep nanoseconds. With milliseconds from the start, a
//! cursor means the same on both.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The present, by the clock of this machine.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis())
    }

    /// Takes milliseconds since the Unix epoch.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns milliseconds since the Unix epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The point in time `span` later, or the last one that there is.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The point in time `span` earlier, or the first one that there is.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Time left until this point, zero when it is past.
    pub fn remaining(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - Self::now().0).unwrap_or(0))
    }

    /// RFC 3339 with milliseconds and `Z`, as in `2026-02-03T04:05:06.000Z`.
    pub fn to_rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_milliseconds_and_z() {
        assert_eq!(Timestamp::from_millis(1_770_091_506_007).to_rfc3339(), "2026-02-03T04:05:06.007Z");
    }
}

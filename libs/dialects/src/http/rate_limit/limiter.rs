//! Counts the requests of each API key in fixed windows of time.
//!
//! A window opens with the first request after the last one ended. So a key may spend its whole number in one burst,
//! and gets it back as a whole at the announced time. The price is that two bursts may follow each other closely
//! around the end of a window.
//!
//! GCRA (the crate `governor`) gives requests back one by one. It has no end of a window to announce, and its
//! "remaining" rises between two requests. Of two limits together, the first is charged although the second refuses.
//!
//! The counts are this process's: N gateways let through up to N times the limit.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared_models::domain::{ApiKeyId, Timestamp};

/// A clock that was set back by more than this ends the windows, which would otherwise last until it has caught up.
/// Smaller steps are requests that overtook one another between the clock and the count.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// Requests within a window of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// 0 = no limit.
    pub(crate) requests: u32,
    /// Whole seconds.
    pub(crate) per: Duration,
}

/// Limits that hold together for every key. Shared by all threads of the process.
pub(crate) struct RateLimiter {
    limits: Vec<Limit>,
    state: Mutex<State>,
}

struct State {
    /// In the order of the limits.
    keys: HashMap<ApiKeyId, Box<[Window]>>,
    /// At its end idle keys are dropped, so that only those of the last two longest windows are kept.
    until_sweep: Window,
}

/// The state of a key after a request, by the window with the fewest requests left; of equal ones, by the one that
/// ends last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Requests in the window.
    pub(super) limit: u32,
    /// Whole requests left.
    pub(super) remaining: u32,
    /// The window's end in Unix seconds.
    pub(super) reset: i64,
    /// Set when the request is refused: whole seconds until the window's end, at least one.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Window {
    used: u32,
    /// Unix seconds.
    ends: i64,
}

impl RateLimiter {
    /// Limits of no requests are none.
    pub(crate) fn new(limits: impl IntoIterator<Item = Limit>) -> Self {
        let limits = limits.into_iter().filter(|limit| limit.requests > 0).collect();
        Self { limits, state: Mutex::new(State { keys: HashMap::new(), until_sweep: Window { used: 0, ends: 0 } }) }
    }

    /// Takes one request from every window, or none from any. `None` when there is no limit.
    pub(super) fn take(&self, key: ApiKeyId, now: Timestamp) -> Option<Standing> {
        let longest = self.limits.iter().map(|limit| limit.per).max()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.until_sweep.holds(longest, now) {
            state.until_sweep = Window::open(longest, now);
            state.keys.retain(|_, windows| self.limits.iter().zip(windows).any(|(limit, w)| w.holds(limit.per, now)));
            state.keys.shrink_to_fit();
        }
        let windows = state
            .keys
            .entry(key)
            .or_insert_with(|| self.limits.iter().map(|limit| Window::open(limit.per, now)).collect());
        for (limit, window) in self.limits.iter().zip(&mut *windows) {
            if !window.holds(limit.per, now) {
                *window = Window::open(limit.per, now);
            }
        }
        let fits = self.limits.iter().zip(&*windows).all(|(limit, window)| window.used < limit.requests);
        if fits {
            windows.iter_mut().for_each(|window| window.used += 1);
        }
        let standings = self.limits.iter().zip(&*windows).map(|(limit, window)| Standing {
            limit: limit.requests,
            remaining: limit.requests - window.used,
            reset: window.ends,
            retry_after: (!fits).then(|| window.left(now)),
        });
        standings.min_by_key(|standing| (standing.remaining, Reverse(standing.reset)))
    }
}

impl Window {
    /// Ends with a whole second, so that what is announced is exactly true.
    fn open(length: Duration, now: Timestamp) -> Self {
        Self { used: 0, ends: whole_seconds_up(now.plus(length).millis()) }
    }

    fn holds(self, length: Duration, now: Timestamp) -> bool {
        let ends = Timestamp::from_millis(self.ends * 1_000);
        now < ends && ends <= now.plus(length).plus(CLOCK_SLACK)
    }

    /// Rounded up.
    fn left(self, now: Timestamp) -> Duration {
        let seconds = whole_seconds_up(self.ends * 1_000 - now.millis());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

fn whole_seconds_up(millis: i64) -> i64 {
    millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn limiter<const N: usize>(limits: [(u32, Duration); N]) -> RateLimiter {
        RateLimiter::new(limits.map(|(requests, per)| Limit { requests, per }))
    }

    /// One request, `millis` after the epoch: limit, remaining, reset, and the seconds to wait.
    fn take(limiter: &RateLimiter, key: ApiKeyId, millis: i64) -> (u32, u32, i64, Option<u64>) {
        let Standing { limit, remaining, reset, retry_after } =
            limiter.take(key, Timestamp::from_millis(millis)).unwrap();
        (limit, remaining, reset, retry_after.map(|wait| wait.as_secs()))
    }

    #[test]
    fn a_burst_of_the_whole_number_passes_and_again_from_the_reset_on() {
        let (limiter, key) = (limiter([(3, MINUTE)]), ApiKeyId::new());
        for (millis, expected) in [
            (1_000_500, (3, 2, 1_061, None)),
            (1_000_500, (3, 1, 1_061, None)),
            (1_000_501, (3, 0, 1_061, None)),
            (1_000_502, (3, 0, 1_061, Some(61))),
            (1_010_200, (3, 0, 1_061, Some(51))),
            (1_060_000, (3, 0, 1_061, Some(1))),
            (1_060_999, (3, 0, 1_061, Some(1))),
            (1_061_000, (3, 2, 1_121, None)),
            (1_120_999, (3, 1, 1_121, None)),
            (1_121_000, (3, 2, 1_181, None)),
            // Long idle: the window opens with the request.
            (9_000_001, (3, 2, 9_061, None)),
        ] {
            assert_eq!(take(&limiter, key, millis), expected, "{millis}");
        }
    }

    #[test]
    fn a_request_after_the_announced_wait_passes() {
        for millis in [0, 1, 400, 999] {
            let (limiter, key) = (limiter([(1, MINUTE)]), ApiKeyId::new());
            let opened = 1_000_000 + millis;
            take(&limiter, key, opened);
            for later in [0, 1, 30_000, 59_999] {
                let (_, _, reset, wait) = take(&limiter, key, opened + later);
                let wait = i64::try_from(wait.unwrap()).unwrap();
                assert!((1..=61).contains(&wait) && opened + later + wait * 1_000 >= reset * 1_000, "{millis} {later}");
                assert!(opened + later + wait * 1_000 < (reset + 1) * 1_000, "{millis} {later}: too long");
            }
            let (_, _, reset, _) = take(&limiter, key, opened);
            assert_eq!(take(&limiter, key, reset * 1_000 - 1).3, Some(1));
            assert_eq!(take(&limiter, key, reset * 1_000).3, None);
        }
    }

    #[test]
    fn keys_share_nothing() {
        let (limiter, first, second) = (limiter([(1, MINUTE)]), ApiKeyId::new(), ApiKeyId::new());
        assert_eq!(take(&limiter, first, 0), (1, 0, 60, None));
        assert_eq!(take(&limiter, first, 5_000), (1, 0, 60, Some(55)));
        assert_eq!(take(&limiter, second, 5_000), (1, 0, 65, None));
    }

    #[test]
    fn of_two_windows_the_tighter_one_is_shown_and_what_it_refuses_is_charged_to_neither() {
        let (limiter, key) = (limiter([(3, MINUTE), (5, HOUR)]), ApiKeyId::new());
        for (seconds, expected) in [
            (0, (3, 2, 60, None)),
            (0, (3, 1, 60, None)),
            (0, (3, 0, 60, None)),
            (10, (3, 0, 60, Some(50))),
            (11, (3, 0, 60, Some(49))),
            // Two of the hour are left: the refused ones took none.
            (60, (5, 1, 3_600, None)),
            (61, (5, 0, 3_600, None)),
            (62, (5, 0, 3_600, Some(3_538))),
            // A new minute, and the hour still full.
            (200, (5, 0, 3_600, Some(3_400))),
            (3_599, (5, 0, 3_600, Some(1))),
            (3_600, (3, 2, 3_659, None)),
        ] {
            // The last refused request opened its minute at 3599.
            assert_eq!(take(&limiter, key, seconds * 1_000), expected, "{seconds}");
        }
    }

    #[test]
    fn when_both_windows_are_full_the_longer_wait_counts() {
        for (minute, hour, shown) in [(2, 2, (2, 0, 3_600, Some(3_600))), (2, 9, (2, 0, 60, Some(60)))] {
            let (limiter, key) = (limiter([(minute, MINUTE), (hour, HOUR)]), ApiKeyId::new());
            take(&limiter, key, 0);
            take(&limiter, key, 0);
            assert_eq!(take(&limiter, key, 0), shown);
        }
        // The end of the hour may come before that of the minute.
        let (limiter, key) = (limiter([(2, MINUTE), (3, HOUR)]), ApiKeyId::new());
        take(&limiter, key, 0);
        assert_eq!(take(&limiter, key, 3_590_000), (2, 1, 3_650, None));
        assert_eq!(take(&limiter, key, 3_590_000), (2, 0, 3_650, None));
        assert_eq!(take(&limiter, key, 3_591_000), (2, 0, 3_650, Some(59)));
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let key = ApiKeyId::new();
        assert_eq!(limiter([(0, MINUTE)]).take(key, Timestamp::from_millis(0)), None);
        assert_eq!(limiter([(0, MINUTE), (0, HOUR)]).take(key, Timestamp::from_millis(0)), None);
        assert_eq!(take(&limiter([(0, MINUTE), (1, HOUR)]), key, 0), (1, 0, 3_600, None));
        assert_eq!(take(&limiter([(1, MINUTE), (0, HOUR)]), key, 0), (1, 0, 60, None));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let (limiter, key) = (limiter([(1, MINUTE)]), ApiKeyId::new());
        let noon = 43_200_000;
        take(&limiter, key, noon);
        // Threads may overtake one another between the clock and the count.
        assert_eq!(take(&limiter, key, noon - 1), (1, 0, 43_260, Some(61)));
        assert_eq!(take(&limiter, key, noon - 3_600_000), (1, 0, 39_660, None));
        assert_eq!(take(&limiter, key, noon - 3_600_000), (1, 0, 39_660, Some(60)));
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        let (limiter, busy) = (limiter([(1_000, MINUTE), (2_000, HOUR)]), ApiKeyId::new());
        let kept = |limiter: &RateLimiter| limiter.state.lock().unwrap().keys.len();
        take(&limiter, busy, 0);
        for _ in 0..1_000 {
            take(&limiter, ApiKeyId::new(), 1_000);
        }
        take(&limiter, busy, 3_590_000);
        assert_eq!(kept(&limiter), 1_001);
        take(&limiter, ApiKeyId::new(), 3_599_999);
        assert_eq!(kept(&limiter), 1_002);
        take(&limiter, ApiKeyId::new(), 3_601_000);
        assert_eq!(kept(&limiter), 3, "the busy one, by its minute, and the two last");
        assert_eq!(take(&limiter, busy, 3_601_000).1, 998, "its minute goes on");
        take(&limiter, ApiKeyId::new(), 7_200_500);
        assert_eq!(kept(&limiter), 4, "the sweep costs time: one is idle, and stays until the next one");
        for hour in 2..50 {
            for _ in 0..10 {
                take(&limiter, ApiKeyId::new(), hour * 3_601_000);
            }
            assert!(kept(&limiter) <= 20, "{}", kept(&limiter));
        }
    }

    #[test]
    fn threads_together_get_the_limit_and_no_more() {
        let (limiter, key) = (limiter([(300, MINUTE)]), ApiKeyId::new());
        let passed = || (0..100).filter(|_| take(&limiter, key, 0).3.is_none()).count();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(passed)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 300);
    }
}

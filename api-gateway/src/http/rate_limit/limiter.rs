//! Counts the requests of each API key in fixed windows of time.
//!
//! A window opens with the first request after the last one ended, so that every key may spend its
//! whole number in one burst and gets it back, whole, at the time that it was told. GCRA (the
//! `governor` crate) gives requests back one by one: it has no end of a window to announce, its
//! "remaining" rises between two requests, and of two limits together the first is charged although
//! the second refuses. The price of windows is known: around the end of one, two bursts may follow
//! each other closely.
//!
//! The counts are this process's: N gateways let through up to N times the limit.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared_models::domain::{ApiKeyId, Timestamp};

/// A clock that was set back by more than this ends the windows, which would otherwise last until it
/// has caught up. Less is the order in which requests got here.
const CLOCK_SLACK: i64 = 5_000;

/// So many requests in such a time.
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
    /// When it ends, idle keys are forgotten, so that only those of the last two longest windows are kept.
    until_sweep: Window,
}

/// How a key stands after a request: by the window with the fewest requests left, and of equal ones
/// by that which ends last.
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
    pub(crate) fn new(limits: &[Limit]) -> Self {
        let limits = limits.iter().filter(|limit| limit.requests > 0).copied().collect();
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
        let at_most = Timestamp::from_millis(self.ends * 1_000 + CLOCK_SLACK);
        now.millis() < self.ends * 1_000 && now.plus(length) <= at_most
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

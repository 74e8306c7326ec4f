//! When each API key was last used: one write for a key and minute, made beside the request and never
//! waited for. If it fails, the next request after a minute writes again; the time is for people who ask
//! which key may go, and decides nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;

use crate::domain::{ApiKeyId, CoreError, Timestamp};
use crate::store::Store;
use crate::store::schema::api_keys;

/// A recorded use this old is renewed. Operators ask for days; a minute bounds the writes.
const RENEW_AFTER: Duration = Duration::from_secs(60);

/// Keys that are remembered at most. Forgetting them costs each key one more write.
const MOST_KEYS: usize = 4096;

/// Uses that this process has written or is about to write, so that requests which come before the write
/// is visible do not write again.
#[derive(Default)]
pub(crate) struct KeyUses(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl KeyUses {
    /// True when the use of a key at `now` has to be written, which the caller then does.
    fn is_due(&self, key: ApiKeyId, recorded: Option<Timestamp>, now: Timestamp) -> bool {
        let old = now.minus(RENEW_AFTER);
        if recorded.is_some_and(|at| at > old) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&key).is_some_and(|at| *at > old) {
            return false;
        }
        if noted.len() >= MOST_KEYS {
            noted.clear();
        }
        noted.insert(key, now);
        true
    }
}

impl Store {
    /// Has the use of a key written by a task of its own, unless that was done within the last minute.
    pub(super) fn note_use(&self, key: ApiKeyId, recorded: Option<Timestamp>) {
        let now = Timestamp::now();
        if !self.inner.key_uses.is_due(key, recorded, now) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.record_key_use(key, now).await {
                log::debug!("the use of the key {key} was not recorded: {error}");
            }
        });
    }

    async fn record_key_use(&self, key: ApiKeyId, at: Timestamp) -> Result<(), CoreError> {
        self.write(move |tx| {
            // Another process may have written a later use.
            let earlier = api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(at.millis()));
            diesel::update(api_keys::table.find(key.to_string()).filter(earlier))
                .set(api_keys::last_used_at.eq(at.millis()))
                .execute(tx.conn)?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_write_for_a_key_and_minute() {
        let uses = KeyUses::default();
        let (key, other) = (ApiKeyId::new(), ApiKeyId::new());
        let at = |seconds: i64| Timestamp::from_millis(1_000_000 + seconds * 1000);
        assert!(uses.is_due(key, None, at(0)));
        assert!(!uses.is_due(key, None, at(1)), "it is being written");
        assert!(uses.is_due(other, None, at(1)));
        assert!(!uses.is_due(key, Some(at(0)), at(59)));
        assert!(uses.is_due(key, Some(at(0)), at(60)));
        assert!(!uses.is_due(other, Some(at(100)), at(120)), "another process wrote it");
    }

    #[test]
    fn memory_is_bounded() {
        let uses = KeyUses::default();
        for _ in 0..MOST_KEYS + 10 {
            assert!(uses.is_due(ApiKeyId::new(), None, Timestamp::from_millis(0)));
        }
        assert!(uses.0.lock().unwrap_or_else(PoisonError::into_inner).len() <= MOST_KEYS);
    }
}

//! The limits of one check, around any resolver.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{Lookup, LookupError, RecordKind, Resolver};

/// Upper bounds of the cost of one check of one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckLimits {
    /// Wall time of the whole check. A question that is not answered by then is a temporary failure.
    pub deadline: Duration,
    /// Number of different questions. Every part has a bound of its own well below this one. A hostile SPF tree therefore
    /// cannot use up the questions of the other parts.
    pub max_queries: u32,
}

impl Default for CheckLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(9), max_queries: 500 }
    }
}

type Question = (String, RecordKind);

/// DNS as one check may use it: each question is asked once, at most [`CheckLimits::max_queries`] are asked, and none is
/// waited for past the deadline.
pub struct BoundedResolver<'a> {
    inner: &'a dyn Resolver,
    asked: Mutex<HashMap<Question, Arc<OnceCell<Lookup>>>>,
    questions_left: AtomicU32,
    deadline: Instant,
}

impl<'a> BoundedResolver<'a> {
    /// Starts the clock of one check.
    pub fn new(inner: &'a dyn Resolver, limits: CheckLimits) -> Self {
        Self {
            inner,
            asked: Mutex::default(),
            questions_left: AtomicU32::new(limits.max_queries),
            deadline: Instant::now() + limits.deadline,
        }
    }

    async fn ask(&self, name: &str, kind: RecordKind) -> Lookup {
        let allowed =
            self.questions_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if !allowed {
            return Err(LookupError::Temporary("too many questions".to_owned()));
        }
        tokio::time::timeout_at(self.deadline, self.inner.query(name, kind))
            .await
            .unwrap_or_else(|_| Err(LookupError::Temporary("out of time".to_owned())))
    }
}

#[async_trait]
impl Resolver for BoundedResolver<'_> {
    async fn query(&self, name: &str, kind: RecordKind) -> Lookup {
        let name = name.to_ascii_lowercase();
        let cell = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry((name.clone(), kind)).or_default())
        };
        cell.get_or_init(|| self.ask(&name, kind)).await.clone()
    }
}

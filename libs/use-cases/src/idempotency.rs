//! Idempotency keys: a request is executed at most once, however often the client repeats it. The states of a key:
//!
//! - fresh: the caller executes the request and keeps repetitions away with a [`Hold`];
//! - held: another caller executes it;
//! - answered: it was executed, and its answer is kept;
//! - abandoned: its execution failed or broke off, and the key is fresh again.

use std::pin::pin;

use shared_models::domain::CoreError;
use shared_models::store::{Begun, PendingAnswer, RENEW_LEASE_EVERY, RepeatableRequest, Store, StoredAnswer, Ticket};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::UseCases;

/// The state of a key when a request with it arrives.
pub enum IdempotencyState {
    /// Execute the request.
    Fresh(Hold),
    /// It is being executed.
    Held,
    /// It was executed, with this answer.
    Answered(StoredAnswer),
    /// The key is that of a request with another content.
    OtherContent,
}

/// Keeps the repetitions of a request away while it is executed. Dropped without an answer, as when the client hangs
/// up, it abandons the key: the next request executes.
pub struct Hold {
    store: Store,
    ticket: Option<Ticket>,
}

impl UseCases {
    /// Holds a fresh key, and returns the state of any other.
    pub async fn begin_once(&self, request: RepeatableRequest) -> Result<IdempotencyState, CoreError> {
        Ok(match self.store.begin_once(request).await? {
            Begun::First(ticket) => IdempotencyState::Fresh(Hold { store: self.store.clone(), ticket: Some(ticket) }),
            Begun::Answered(answer) => IdempotencyState::Answered(answer),
            Begun::UnderWay => IdempotencyState::Held,
            Begun::OtherContent => IdempotencyState::OtherContent,
        })
    }
}

impl Hold {
    /// For a function of the store that keeps the answer in the transaction of the work.
    pub fn pending<T>(
        &self,
        render: impl Fn(&T) -> Result<StoredAnswer, CoreError> + Send + Sync + 'static,
    ) -> PendingAnswer<T> {
        match &self.ticket {
            Some(ticket) => PendingAnswer::kept(ticket.clone(), render),
            None => PendingAnswer::not_kept(),
        }
    }

    /// Drives the work and renews the lease meanwhile. If the work fails, the key is abandoned.
    pub async fn during<T, E>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut work = pin!(work);
        let done = loop {
            match timeout(RENEW_LEASE_EVERY, &mut work).await {
                Ok(done) => break done,
                Err(_) => self.renew().await,
            }
        };
        if done.is_err()
            && let Some(ticket) = self.ticket.take()
        {
            abandon(&self.store, &ticket).await;
        }
        done
    }

    /// Keeps the answer, unless [`Self::pending`] did. A failure is only logged: the work is done, and its answer must
    /// reach the client.
    pub async fn answer(mut self, answer: StoredAnswer) {
        let Some(ticket) = self.ticket.take() else { return };
        if let Err(error) = self.store.answer_once(&ticket, answer).await {
            log::warn!("an answer is not kept for repetitions of its request: {error}");
        }
    }

    async fn renew(&self) {
        let Some(ticket) = &self.ticket else { return };
        if let Err(error) = self.store.renew_lease(ticket).await {
            log::warn!("the lease of a request in execution was not renewed: {error}");
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let store = self.store.clone();
        // Without a runtime the lease runs out.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { abandon(&store, &ticket).await });
        }
    }
}

async fn abandon(store: &Store, ticket: &Ticket) {
    if let Err(error) = store.give_up_once(ticket).await {
        log::warn!("a request that failed keeps its repetitions away until its lease ends: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use service_runtime::shutdown::CancellationToken;
    use shared_models::domain::WorkspaceId;
    use shared_models::domain::tenancy::Plan;
    use shared_models::store::vault::KeyRing;
    use shared_models::store::{DatabaseSettings, LockedStore};
    use tempfile::TempDir;

    use super::*;

    struct Bench {
        use_cases: UseCases,
        workspace: WorkspaceId,
        _folder: TempDir,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
            let keys = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
            let store = LockedStore::open(settings).await.unwrap().unlock(keys).await.unwrap();
            let plan = Plan { subscription_active: true, max_mailboxes: None };
            let owner = store.create_owner("dana@tenant.example", plan).await.unwrap().id;
            let workspace = store.create_workspace(owner, "default").await.unwrap().id;
            Self {
                use_cases: UseCases::new(store, Duration::ZERO, CancellationToken::new()),
                workspace,
                _folder: folder,
            }
        }

        async fn begin(&self) -> IdempotencyState {
            let request = RepeatableRequest {
                workspace: self.workspace,
                endpoint: "POST /things",
                key: "k".to_owned(),
                content: b"body".to_vec().into(),
            };
            self.use_cases.begin_once(request).await.unwrap()
        }

        async fn hold(&self) -> Hold {
            let IdempotencyState::Fresh(hold) = self.begin().await else { panic!("the key is not fresh") };
            hold
        }
    }

    fn answer() -> StoredAnswer {
        let body = "{}".to_owned().into();
        StoredAnswer { status: 200, location: None, request_id: "req_one".to_owned(), body }
    }

    #[tokio::test]
    async fn what_succeeded_is_answered_again() {
        let bench = Bench::new().await;
        let mut hold = bench.hold().await;
        assert!(matches!(bench.begin().await, IdempotencyState::Held));
        assert_eq!(hold.during(async { Ok::<_, ()>(7) }).await, Ok(7));
        assert!(matches!(bench.begin().await, IdempotencyState::Held), "not before there is an answer");
        hold.answer(answer()).await;
        assert!(matches!(bench.begin().await, IdempotencyState::Answered(_)));
    }

    #[tokio::test]
    async fn what_failed_is_free_at_once() {
        let bench = Bench::new().await;
        assert_eq!(bench.hold().await.during(async { Err::<(), _>("no") }).await, Err("no"));
        assert!(matches!(bench.begin().await, IdempotencyState::Fresh(_)));
    }

    /// As when the caller hangs up: its handler is dropped in the middle.
    #[tokio::test]
    async fn what_was_broken_off_is_free_soon() {
        let bench = Bench::new().await;
        let mut hold = bench.hold().await;
        let mut work = Box::pin(async move { hold.during(std::future::pending::<Result<(), ()>>()).await });
        assert!(timeout(Duration::ZERO, &mut work).await.is_err(), "it is under way");
        drop(work);
        let begun = async {
            while !matches!(bench.begin().await, IdempotencyState::Fresh(_)) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), begun).await.unwrap();
    }
}

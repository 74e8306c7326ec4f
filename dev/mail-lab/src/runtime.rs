//! One small runtime for everything that the laboratory itself serves.
//!
//! It is separate from the runtime of the test on purpose: a test may block its own thread (say, while it waits
//! for a child process) or pause its clock, and the servers go on.

use std::future::Future;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// Longest wait for a server to be ready, or for what a `wait_...` helper waits for. Generous, because RabbitMQ takes
/// more than 30 s to start on two cores that are busy with something else.
pub const WAIT_LIMIT: Duration = Duration::from_secs(120);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("mail-lab")
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("the laboratory's runtime cannot start: {error}"))
});

pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

/// A failed assertion in one test thread must not poison the servers that others share.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `done` on the clock of the laboratory, which no test can pause; `false` after [`WAIT_LIMIT`].
pub(crate) async fn within_limit(done: impl Future<Output = ()>) -> bool {
    let limit = {
        let _guard = handle().enter();
        tokio::time::sleep(WAIT_LIMIT)
    };
    tokio::select! {
        () = done => true,
        () = limit => false,
    }
}

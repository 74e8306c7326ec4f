//! Merging: jobs that arrive together are done in one batch. The next batch gathers while one is under way. Nobody
//! waits on purpose, so a single caller is as fast as without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::domain::CoreError;
use crate::store::core::blocking::answered;
use crate::store::core::error::unavailable;

/// Most jobs in one batch; keeps the wait of the first one short.
const MAX_BATCH: usize = 256;

/// A queue of jobs that wait for their batch. Cheap to clone.
pub(crate) struct Lane<Job, Answer>(Arc<Mutex<Gathering<Job, Answer>>>);

struct Gathering<Job, Answer> {
    waiting: Vec<Pending<Job, Answer>>,
    /// True while a thread works; it looks again when it is done.
    working: bool,
}

/// A job and the channel for its answer.
pub(crate) struct Pending<Job, Answer> {
    pub(crate) job: Job,
    reply: oneshot::Sender<Result<Answer, CoreError>>,
}

impl<Job, Answer> Pending<Job, Answer> {
    /// The job, and a way to answer it. If the caller has gone away, the work stands all the same.
    pub(crate) fn take(self) -> (Job, impl FnOnce(Result<Answer, CoreError>)) {
        (self.job, move |answer| drop(self.reply.send(answer)))
    }

    /// Answers, and drops the job.
    pub(crate) fn answer(self, answer: Result<Answer, CoreError>) {
        self.take().1(answer);
    }
}

impl<Job, Answer> Default for Lane<Job, Answer> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Gathering { waiting: vec![], working: false })))
    }
}

impl<Job, Answer> Clone for Lane<Job, Answer> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Job: Send + 'static, Answer: Send + 'static> Lane<Job, Answer> {
    /// Does a job together with others. The first caller provides the thread. `work` answers every job of a batch, and
    /// must be the same for all jobs of a lane.
    pub(crate) async fn run(
        &self,
        job: Job,
        work: impl Fn(Vec<Pending<Job, Answer>>) + Send + 'static,
    ) -> Result<Answer, CoreError> {
        let (reply, answer) = oneshot::channel();
        if self.add(Pending { job, reply }) {
            let lane = self.clone();
            tokio::task::spawn_blocking(move || lane.work_off(work));
        }
        answered(async { answer.await.map_err(|_| unavailable("the work was not carried out"))? }).await
    }

    fn work_off(&self, work: impl Fn(Vec<Pending<Job, Answer>>)) {
        loop {
            let batch = self.next();
            if batch.is_empty() {
                return;
            }
            // A panic drops the batch, whose callers get `Unavailable`, and not the lane.
            if catch_unwind(AssertUnwindSafe(|| work(batch))).is_err() {
                log::error!("a batch of database work panicked");
            }
        }
    }

    /// Adds a job. True if the caller has to provide the thread.
    fn add(&self, pending: Pending<Job, Answer>) -> bool {
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathering.waiting.push(pending);
        !std::mem::replace(&mut gathering.working, true)
    }

    /// The next batch; an empty one ends the work. Jobs whose callers gave up, because the batch before took too long,
    /// are dropped.
    fn next(&self) -> Vec<Pending<Job, Answer>> {
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathering.waiting.retain(|pending| !pending.reply.is_closed());
        let count = gathering.waiting.len().min(MAX_BATCH);
        gathering.working = count > 0;
        gathering.waiting.drain(..count).collect()
    }
}

/// Answers every job with the same error.
pub(crate) fn fail<Job, Answer>(batch: Vec<Pending<Job, Answer>>, error: &CoreError) {
    for pending in batch {
        pending.answer(Err(match error {
            CoreError::Unavailable { retry_after, cause } => {
                CoreError::Unavailable { retry_after: *retry_after, cause: cause.clone() }
            }
            other => CoreError::Internal(other.to_string()),
        }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use super::*;

    /// The first batch waits for the test; what arrives meanwhile is one batch.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_comes_during_a_batch_is_the_next_one() {
        let lane = Lane::<u32, usize>::default();
        let (entered, first_is_in) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let submit = |job| {
            let (lane, gate, entered) = (lane.clone(), gate.clone(), entered.clone());
            tokio::spawn(async move {
                let work = move |batch: Vec<Pending<u32, usize>>| {
                    entered.send(()).unwrap();
                    gate.lock().unwrap().recv().unwrap();
                    let size = batch.len();
                    if size == 3 {
                        panic!("on purpose");
                    }
                    batch.into_iter().for_each(|pending| pending.answer(Ok(size)));
                };
                lane.run(job, work).await
            })
        };
        for together in [1, 2, 3] {
            let mut callers = vec![submit(0)];
            first_is_in.recv().unwrap();
            callers.extend((0..together).map(|_| submit(1)));
            while lane.0.lock().unwrap().waiting.len() < together {
                tokio::task::yield_now().await;
            }
            go.send(()).unwrap();
            first_is_in.recv().unwrap();
            go.send(()).unwrap();
            assert_eq!(callers.remove(0).await.unwrap().unwrap(), 1);
            for caller in callers {
                match caller.await.unwrap() {
                    Ok(size) => assert_eq!(size, together),
                    Err(CoreError::Unavailable { .. }) => assert_eq!(together, 3, "only the batch that panicked"),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

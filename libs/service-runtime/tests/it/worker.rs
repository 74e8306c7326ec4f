//! A consumer that the test controls, and that reports its events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use service_runtime::bus::Broker;
use service_runtime::runner::{self, Attempt, Consumer, Outcome};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::{CoreError, MailboxId};
use shared_models::events::Envelope;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::bench::{QUEUE, soon};

/// The reaction to an event.
pub(crate) enum Act {
    Finish,
    Retry(Duration),
    Fail,
    Panic,
    /// Finish when the test opens the gate for one more.
    WaitForGate,
}

/// An event as it was handled: mailbox, attempt, and the number of earlier events of that mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) mailbox: MailboxId,
    pub(crate) attempt: u32,
}

type Behaviour = Box<dyn Fn(Call) -> Act + Send + Sync>;

pub(crate) struct Worker {
    behaviour: Behaviour,
    concurrency: usize,
    grace: Duration,
    calls: mpsc::UnboundedSender<Call>,
    gate: Semaphore,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    finished: AtomicUsize,
}

pub(crate) type Calls = mpsc::UnboundedReceiver<Call>;

impl Worker {
    pub(crate) fn new(behaviour: impl Fn(Call) -> Act + Send + Sync + 'static) -> (Self, Calls) {
        let (calls, seen) = mpsc::unbounded_channel();
        let worker = Self {
            behaviour: Box::new(behaviour),
            concurrency: 8,
            grace: Duration::from_secs(30),
            calls,
            gate: Semaphore::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
        };
        (worker, seen)
    }

    pub(crate) fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    pub(crate) fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Lets this number of waiting events finish.
    pub(crate) fn open_gate(&self, count: usize) {
        self.gate.add_permits(count);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }
}

/// Counts an event as in flight until dropped.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Consumer for Worker {
    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn grace(&self) -> Duration {
        self.grace
    }

    async fn handle(&self, event: &Envelope, Attempt(attempt): Attempt) -> Result<Outcome, CoreError> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        let _counted = InFlight(&self.in_flight);
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        let call = Call { mailbox: event.event.mailbox().unwrap().mailbox_id, attempt };
        // The receiver is gone after the end of a test.
        let _ = self.calls.send(call);
        match (self.behaviour)(call) {
            Act::Finish => {}
            Act::Retry(delay) => return Ok(Outcome::Retry(delay)),
            Act::Fail => return Err(CoreError::Internal("a fault of ours".to_owned())),
            Act::Panic => panic!("on purpose"),
            Act::WaitForGate => self.gate.acquire().await.unwrap().forget(),
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::Done)
    }
}

/// A worker that is being fed, until it is stopped.
pub(crate) struct Running {
    pub(crate) worker: Arc<Worker>,
    pub(crate) calls: Calls,
    pub(crate) stop: CancellationToken,
    done: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(broker: Arc<dyn Broker>, (worker, calls): (Worker, Calls)) -> Self {
        let (worker, stop) = (Arc::new(worker), CancellationToken::new());
        let (consumer, until) = (worker.clone(), stop.clone());
        let done = tokio::spawn(async move { runner::run(&*broker, consumer, until).await });
        Self { worker, calls, stop, done }
    }

    pub(crate) async fn next_call(&mut self) -> Call {
        soon(self.calls.recv()).await.unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.done.is_finished()
    }

    /// Waits for the end after the stop signal.
    pub(crate) async fn ended(self) -> Arc<Worker> {
        soon(self.done).await.unwrap();
        self.worker
    }

    pub(crate) async fn stop(self) -> Arc<Worker> {
        self.stop.cancel();
        self.ended().await
    }
}

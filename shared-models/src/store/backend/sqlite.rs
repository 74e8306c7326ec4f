//! SQLite: one writer thread that commits everything that is waiting together, so that the flush
//! to disk is shared, and a pool of readers beside it (write-ahead log).
//!
//! A second writer would gain nothing: SQLite has one write lock, and its busy handler is unfair.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use diesel::connection::{AnsiTransactionManager as Manager, SimpleConnection, TransactionManager};
use diesel::{QueryResult, SqliteConnection};
use tokio::sync::oneshot;

use super::super::error::{TxError, unavailable};
use super::super::wakeups::Wakeups;
use super::{Conn, Tx};
use crate::domain::DomainError;

/// Most work committed in one transaction; keeps the wait of the first one short.
const MAX_BATCH: usize = 256;

/// Settings of every connection. FULL: an accepted mailbox survives a power cut.
pub(super) fn prepare(conn: &mut SqliteConnection, read_only: bool) -> QueryResult<()> {
    // The timeout first, or the switch to WAL itself can fail as busy.
    conn.batch_execute(
        "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
    )?;
    if read_only { conn.batch_execute("PRAGMA query_only = ON;") } else { Ok(()) }
}

/// One piece of work. Run inside the batch's transaction, it says whether to keep what it wrote
/// and how to answer its caller once the batch is on disk (or is not).
type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Ended + Send>;

struct Ended {
    keep: bool,
    answer: Answer,
}

type Answer = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// Hands work to the writer thread.
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread; it ends when the last handle is dropped.
    pub(crate) fn start(mut conn: Conn, wakeups: Wakeups) -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            while let Ok(first) = inbox.recv() {
                let batch = std::iter::once(first).chain(inbox.try_iter().take(MAX_BATCH - 1));
                run_batch(&mut conn, batch, &wakeups);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `work` in a transaction that may be shared with others and returns once it is on disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, DomainError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = work(tx);
            Ended {
                keep: result.is_ok(),
                answer: Box::new(move |committed| {
                    let result = match (result, committed) {
                        (Ok(_), Err(cause)) => Err(unavailable(cause)),
                        (result, _) => result.map_err(DomainError::from),
                    };
                    // The caller may have gone away; the work stands all the same.
                    let _ = reply.send(result);
                }),
            }
        });
        // A batch that could not even begin drops its jobs unanswered: nothing was written.
        let gone = || unavailable("the write was not carried out");
        self.jobs.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn run_batch(conn: &mut Conn, batch: impl Iterator<Item = Job>, wakeups: &Wakeups) {
    let mut wake = BTreeSet::new();
    let mut answers = Vec::new();
    let result = begin(conn).and_then(|()| {
        for job in batch {
            answers.push(run_job(conn, &mut wake, job)?);
        }
        lite(conn, Manager::commit_transaction)
    });
    if let Err(error) = &result {
        log::error!("a batch of {} writes was not committed: {error}", answers.len());
        // Leaves no transaction open behind; a failed BEGIN has none to end.
        let _ = lite(conn, Manager::rollback_transaction);
    } else {
        wakeups.wake(wake);
    }
    let failure = result.err().map(|error| error.to_string());
    for answer in answers {
        answer(failure.as_deref().map_or(Ok(()), Err));
    }
}

/// Runs one job inside a savepoint, so that its failure or panic undoes its own writes only.
fn run_job(conn: &mut Conn, wake: &mut BTreeSet<&'static str>, job: Job) -> QueryResult<Answer> {
    lite(conn, Manager::begin_transaction)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut Tx { conn, wake })));
    let (keep, answer) = match outcome {
        Ok(ended) => (ended.keep, ended.answer),
        Err(panic) => {
            log::error!("a write panicked: {}", panic_text(&*panic));
            (false, Box::new(|_: Result<(), &str>| ()) as Answer)
        }
    };
    if keep {
        lite(conn, Manager::commit_transaction)?
    } else {
        lite(conn, Manager::rollback_transaction)?
    }
    Ok(answer)
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

/// IMMEDIATE: the write lock is taken at once, so no statement inside fails as busy.
fn begin(conn: &mut Conn) -> QueryResult<()> {
    lite(conn, |c| Manager::begin_transaction_sql(c, "BEGIN IMMEDIATE"))
}

fn lite(conn: &mut Conn, act: impl FnOnce(&mut SqliteConnection) -> QueryResult<()>) -> QueryResult<()> {
    match conn {
        Conn::Lite(c) => act(c),
        // The writer is started with a SQLite connection only.
        Conn::Pg(_) => Err(diesel::result::Error::AlreadyInTransaction),
    }
}

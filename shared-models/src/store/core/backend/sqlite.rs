//! SQLite: one writer thread and a pool of readers beside it (write-ahead log). The writer commits everything that is
//! waiting together, so that the flush to disk is shared.
//!
//! A second writer would gain nothing: SQLite has one write lock, and its busy handler is unfair.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use diesel::connection::{AnsiTransactionManager as Manager, SimpleConnection, TransactionManager};
use diesel::{QueryResult, SqliteConnection};
use tokio::sync::oneshot;

use super::{Conn, EventRoute, Tx};
use crate::domain::CoreError;
use crate::store::core::error::{TxError, unavailable};
use crate::store::core::wakeups::{Wakeups, Written};

/// Most work committed in one transaction; keeps the wait of the first one short.
const MAX_BATCH: usize = 256;

#[diesel::declare_sql_function]
extern "SQL" {
    /// PostgreSQL's and SQLite's function of this name.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// Settings of every connection. FULL: an accepted mailbox survives a power cut.
pub(super) fn prepare(conn: &mut SqliteConnection, read_only: bool) -> QueryResult<()> {
    conn.batch_execute("PRAGMA busy_timeout = 10000;")?;
    switch_to_wal(conn)?;
    // Temporary files would be those of savepoints, which are made and deleted for each job.
    conn.batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;")?;
    // SQLite's own function lowers ASCII only.
    lower_utils::register_impl(conn, |text: String| text.to_lowercase())?;
    if read_only { conn.batch_execute("PRAGMA query_only = ON;") } else { Ok(()) }
}

/// Of several processes that open a new file at once, one switches it. SQLite reports "locked" to the others at once,
/// in spite of the timeout.
fn switch_to_wal(conn: &mut SqliteConnection) -> QueryResult<()> {
    let mut attempts_left = 200;
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL;") {
            Err(error) if attempts_left > 0 && error.to_string().contains("locked") => attempts_left -= 1,
            result => return result,
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// One piece of work, run inside the batch's transaction. It returns the decision whether its writes are kept, and the
/// answer to its caller for after the commit.
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
    ) -> Result<T, CoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = work(tx);
            Ended {
                keep: result.is_ok(),
                answer: Box::new(move |committed| {
                    let result = match (result, committed) {
                        (Ok(_), Err(cause)) => Err(unavailable(cause)),
                        (result, _) => result.map_err(CoreError::from),
                    };
                    // The caller may have gone away. The work stands all the same.
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
    let mut written = Written::default();
    let mut answers = Vec::new();
    let result = begin(conn).and_then(|()| {
        for job in batch {
            answers.push(run_job(conn, &mut written, job)?);
        }
        lite(conn, Manager::commit_transaction)
    });
    if let Err(error) = &result {
        log::error!("a batch of {} writes was not committed: {error}", answers.len());
        // Leaves no transaction open behind; a failed BEGIN has none to end.
        let _ = lite(conn, Manager::rollback_transaction);
    } else {
        wakeups.announce(written);
    }
    let failure = result.err().map(|error| error.to_string());
    for answer in answers {
        answer(failure.as_deref().map_or(Ok(()), Err));
    }
}

/// Runs one job inside a savepoint, so that its failure or panic undoes its own writes only.
fn run_job(conn: &mut Conn, written: &mut Written, job: Job) -> QueryResult<Answer> {
    lite(conn, Manager::begin_transaction)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut Tx { conn, route: EventRoute::Queues, written })));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;
    use crate::store::core::backend::Target;
    use diesel::dsl::sql;
    use diesel::{RunQueryDsl, sql_query, sql_types};
    use tempfile::TempDir;

    type Work = fn(&mut Tx<'_>) -> Result<(), TxError>;

    fn insert(tx: &mut Tx<'_>, n: i32) -> Result<(), TxError> {
        sql_query(format!("INSERT INTO t VALUES ({n}, NULL)")).execute(tx.conn)?;
        Ok(())
    }

    struct Bench {
        writer: Writer,
        wakeups: Wakeups,
        reader: Conn,
        _folder: TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("db").to_string_lossy().into_owned();
            let mut conn = Target::Lite { path: path.clone(), read_only: false }.connect().unwrap();
            conn.batch_execute("CREATE TABLE t (n INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (n))").unwrap();
            let wakeups = Wakeups::default();
            Self {
                writer: Writer::start(conn, wakeups.clone()).unwrap(),
                wakeups,
                reader: Target::Lite { path, read_only: true }.connect().unwrap(),
                _folder: folder,
            }
        }

        /// Runs all work in one batch: the first job holds the writer up until the others are queued.
        async fn batch(&self, work: &[Work]) -> Vec<Result<(), CoreError>> {
            let (go, wait) = mpsc::channel::<()>();
            let hold = self.writer.write(move |_| {
                wait.recv().unwrap();
                Ok(())
            });
            let mut queued: Vec<Pin<Box<dyn Future<Output = _>>>> = vec![Box::pin(hold)];
            queued.extend(work.iter().map(|job| Box::pin(self.writer.write(*job)) as Pin<Box<dyn Future<Output = _>>>));
            for job in &mut queued {
                // The first poll hands a job to the thread.
                assert!(std::future::poll_fn(|cx| Poll::Ready(job.as_mut().poll(cx).is_pending())).await);
            }
            go.send(()).unwrap();
            let mut results = vec![];
            for job in queued {
                results.push(job.await);
            }
            results.split_off(1)
        }

        fn rows(&mut self) -> Vec<i32> {
            diesel::select(sql::<sql_types::Text>(
                "(SELECT ifnull(group_concat(n), '') FROM (SELECT n FROM t ORDER BY n))",
            ))
            .get_result::<String>(&mut self.reader)
            .unwrap()
            .split_terminator(',')
            .map(|n| n.parse().unwrap())
            .collect()
        }
    }

    #[tokio::test]
    async fn a_failure_undoes_its_own_writes_only() {
        let mut bench = Bench::new();
        let results = bench
            .batch(&[
                |tx| insert(tx, 1),
                |tx| insert(tx, 2).and(Err(CoreError::AlreadyExists.into())),
                |tx| {
                    insert(tx, 3)?;
                    panic!("on purpose")
                },
                // The failed statement undoes this job alone.
                |tx| insert(tx, 4).and_then(|()| insert(tx, 1)),
                |tx| insert(tx, 5).and_then(|()| insert(tx, 5).or(Ok(()))),
                |tx| insert(tx, 6),
            ])
            .await;
        assert_eq!(bench.rows(), [1, 5, 6]);
        assert!(matches!(
            results[..],
            [
                Ok(()),
                Err(CoreError::AlreadyExists),
                Err(CoreError::Unavailable { .. }),
                Err(CoreError::Internal(_)),
                Ok(()),
                Ok(()),
            ]
        ));
    }

    #[tokio::test]
    async fn a_batch_that_cannot_be_committed_is_nobodys() {
        let mut bench = Bench::new();
        bench.wakeups.signal("q").notify_one();
        bench.wakeups.signal("q").notified().await;
        let results = bench
            .batch(&[
                |tx| {
                    tx.written.queues.insert("q");
                    insert(tx, 1)
                },
                // Only COMMIT finds out, when it is too late to know whose fault it is.
                |tx| Ok(tx.conn.batch_execute("PRAGMA defer_foreign_keys = ON; INSERT INTO t VALUES (2, 99)")?),
                |tx| insert(tx, 3).and(Err(CoreError::AlreadyExists.into())),
            ])
            .await;
        assert!(bench.rows().is_empty());
        let [Err(CoreError::Unavailable { .. }), Err(CoreError::Unavailable { .. }), Err(CoreError::AlreadyExists)] =
            results[..]
        else {
            panic!("{results:?}")
        };
        let signal = bench.wakeups.signal("q");
        assert!(!std::pin::pin!(signal.notified()).as_mut().enable(), "nothing was committed, nobody is woken");

        assert!(bench.batch(&[|tx| insert(tx, 4)]).await[0].is_ok());
        assert_eq!(bench.rows(), [4]);
    }

    #[tokio::test]
    async fn work_goes_on_when_its_caller_goes_away() {
        let mut bench = Bench::new();
        let mut gone = Box::pin(bench.writer.write(|tx| insert(tx, 1)));
        assert!(std::future::poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_pending())).await);
        drop(gone);
        // Behind it in the queue, so done after it.
        bench.writer.write(|tx| insert(tx, 2)).await.unwrap();
        assert_eq!(bench.rows(), [1, 2]);
    }

    #[test]
    fn lower_case_is_not_ascii_only() {
        let mut bench = Bench::new();
        let lowered =
            diesel::select(sql::<sql_types::Text>("lower('ÄRGER 1 ΖΩΗ')")).get_result::<String>(&mut bench.reader);
        assert_eq!(lowered.unwrap(), "ärger 1 ζωη");
    }
}

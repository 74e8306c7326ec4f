//! PostgreSQL: a pool of connections, one transaction for each piece of work.

use diesel::connection::{AnsiTransactionManager as Manager, TransactionManager};

use super::pool::Pooled;
use super::{EventRoute, Tx, both};
use crate::store::core::error::TxError;
use crate::store::core::wakeups::{Wakeups, Written};

/// Runs `work` in a transaction and announces what it wrote after the commit.
pub(crate) fn transact<T>(
    pooled: &mut Pooled,
    route: EventRoute,
    wakeups: &Wakeups,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError>,
) -> Result<T, TxError> {
    let mut written = Written::default();
    let value = pooled.run(|conn| {
        both!(conn, |c| Manager::begin_transaction(c))?;
        match work(&mut Tx { conn, route, written: &mut written }) {
            Ok(value) => {
                both!(conn, |c| Manager::commit_transaction(c))?;
                Ok(value)
            }
            Err(error) => {
                // A connection that cannot roll back is broken, which `run` sees.
                both!(conn, |c| Manager::rollback_transaction(c))?;
                Err(error)
            }
        }
    })?;
    wakeups.announce(written);
    Ok(value)
}

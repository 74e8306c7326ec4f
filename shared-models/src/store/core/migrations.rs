//! The embedded migrations of both backends, applied at every start.

use std::error::Error;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::domain::CoreError;
use crate::store::core::backend::Conn;
use crate::store::core::error::unavailable;

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// An arbitrary number, the same in every process that may run the migrations.
const ADVISORY_LOCK: i64 = 0x6d61_696c_6d6f_6f72;

pub(crate) fn run(conn: &mut Conn) -> Result<(), CoreError> {
    let applied = match conn {
        Conn::Pg(c) => {
            c.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})")).map_err(unavailable)?;
            let applied = c.run_pending_migrations(POSTGRES).map(|done| done.len());
            c.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})")).map_err(unavailable)?;
            applied
        }
        Conn::Lite(c) => run_sqlite(c),
    };
    let applied = applied.map_err(|e| CoreError::Internal(format!("migration failed: {e}")))?;
    if applied > 0 {
        log::info!("applied {applied} database migration(s)");
    }
    Ok(())
}

/// Migrates under the write lock, so that a second process waits and then finds nothing to do. Without pending
/// migrations the lock is not taken, or every start would wait for a busy writer.
fn run_sqlite(conn: &mut SqliteConnection) -> Result<usize, Box<dyn Error + Send + Sync>> {
    if !conn.has_pending_migration(SQLITE)? {
        return Ok(0);
    }
    conn.immediate_transaction(|conn| Ok(conn.run_pending_migrations(SQLITE)?.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use diesel::migration::{Migration, MigrationSource};

    #[test]
    fn both_backends_have_the_same_migrations() {
        let names = |all: Vec<String>| {
            let mut all = all;
            all.sort();
            all
        };
        let pg: Vec<Box<dyn Migration<diesel::pg::Pg>>> = POSTGRES.migrations().unwrap();
        let lite: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> = SQLITE.migrations().unwrap();
        assert_eq!(
            names(pg.iter().map(|m| m.name().to_string()).collect()),
            names(lite.iter().map(|m| m.name().to_string()).collect())
        );
    }
}

//! Imports: accepted here with all their rows, and read. Work on the rows is in [`crate::store::imports::rows`].

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;

use crate::domain::imports::{Import, ImportRow, ImportSource, LANES, NewImport, NewImportRow};
use crate::domain::{CoreError, EmailAddress, ImportId, MailboxId, OwnerId, Timestamp, WorkspaceId};
use crate::events::{Event, ImportRef, LaneRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::imports::stored::{Settings, json, read_state, state};
use crate::store::schema::{import_rows, imports, mailboxes};
use crate::store::tenancy::owners::check_room;
use crate::store::tenancy::workspace_locks::is_open;

#[derive(Insertable)]
#[diesel(table_name = import_rows)]
struct NewRow {
    import_id: String,
    position: i32,
    email: String,
    given: Option<String>,
    state: &'static str,
    due_at: i64,
    attempts: i32,
    mailbox_id: String,
    settings: Option<String>,
    credentials_key_id: Option<String>,
    credentials: Option<Vec<u8>>,
    outcome: Option<String>,
    settled_at: Option<i64>,
}

impl Store {
    /// Accepts an import: all its rows, with sealed credentials, in one transaction. A row whose mailbox exists, or
    /// whose address an earlier row has, is settled at once.
    ///
    /// # Errors
    /// `SubscriptionRequired`; `LimitExceeded` if the rows that would become mailboxes do not fit the plan; `NotFound`
    /// if the workspace was closed meanwhile. Then nothing is stored.
    pub async fn create_import(
        &self,
        workspace: WorkspaceId,
        owner: OwnerId,
        new: NewImport,
    ) -> Result<Import, CoreError> {
        let now = Timestamp::now();
        let import = Import {
            id: ImportId::new(),
            workspace_id: workspace,
            source: new.source.0.to_owned(),
            total: i64::try_from(new.rows.len()).unwrap_or(i64::MAX),
            imported: 0,
            skipped: 0,
            failed: 0,
            created_at: now,
            finished_at: None,
        };
        let mut rows = Vec::with_capacity(new.rows.len());
        for (position, row) in (0..).zip(new.rows) {
            rows.push(self.sealed_row(import.id, position, row, now)?);
        }
        let check = new.check;
        self.write(move |tx| {
            settle_known(tx.conn, workspace, &mut rows, now)?;
            let waiting = rows.iter().filter(|row| row.state == state::WAITING).count();
            check_room(tx.conn, owner, i64::try_from(waiting).unwrap_or(i64::MAX))?;
            let row = (
                imports::id.eq(import.id.to_string()),
                imports::workspace_id.eq(workspace.to_string()),
                imports::owner_id.eq(owner.to_string()),
                imports::source.eq(&import.source),
                imports::row_check.eq(check.as_str()),
                imports::total.eq(import.total),
                imports::created_at.eq(now.millis()),
                imports::finished_at.eq((waiting == 0).then(|| now.millis())),
            );
            both!(&mut *tx.conn, |c| diesel::insert_into(imports::table).values(row).execute(c))?;
            if !is_open(tx.conn, workspace)? {
                return Err(CoreError::NotFound("workspace").into());
            }
            insert_rows(tx.conn, &rows)?;
            announce(tx, &import, waiting, now)?;
            import_with_counts(tx.conn, workspace, import.id)
        })
        .await
    }

    fn sealed_row(
        &self,
        import: ImportId,
        position: i32,
        row: NewImportRow,
        now: Timestamp,
    ) -> Result<NewRow, CoreError> {
        let mailbox_id = MailboxId::new();
        let mut stored = NewRow {
            import_id: import.to_string(),
            position,
            email: row.email,
            given: row.given,
            state: state::WAITING,
            due_at: now.millis(),
            attempts: 0,
            mailbox_id: mailbox_id.to_string(),
            settings: None,
            credentials_key_id: None,
            credentials: None,
            outcome: None,
            settled_at: None,
        };
        match row.mailbox {
            Ok(new) => {
                let sealed = self.vault().seal_credentials(mailbox_id, &new.credentials)?;
                stored.settings = Some(json(&Settings::of(&new))?);
                (stored.credentials_key_id, stored.credentials) = (Some(sealed.key_id), Some(sealed.bytes));
                // The address under which the workspace would know the mailbox.
                stored.email = new.email_as_given.unwrap_or_else(|| new.email.as_str().to_owned());
            }
            Err(fault) => {
                stored.state = state::FAULTY;
                stored.outcome = Some(json(&fault)?);
                stored.settled_at = Some(now.millis());
            }
        }
        Ok(stored)
    }

    /// An import of this source, with its progress.
    pub async fn import(
        &self,
        workspace: WorkspaceId,
        source: ImportSource,
        id: ImportId,
    ) -> Result<Import, CoreError> {
        let import = self.read(move |conn| import_with_counts(conn, workspace, id)).await?;
        if import.source == source.0 { Ok(import) } else { Err(CoreError::NotFound("import")) }
    }

    /// The rows of an import, in order.
    pub async fn import_rows(&self, import: &Import) -> Result<Vec<ImportRow>, CoreError> {
        type Columns = (String, Option<String>, String, String, Option<String>);
        let id = import.id.to_string();
        self.read(move |conn| {
            let rows: Vec<Columns> = import_rows::table
                .filter(import_rows::import_id.eq(id))
                .order(import_rows::position)
                .select((
                    import_rows::email,
                    import_rows::given,
                    import_rows::state,
                    import_rows::mailbox_id,
                    import_rows::outcome,
                ))
                .load(conn)?;
            rows.into_iter()
                .map(|(email, given, state, mailbox, outcome)| {
                    Ok(ImportRow { email, given, state: read_state(&state, &mailbox, outcome.as_deref())? })
                })
                .collect()
        })
        .await
    }

    /// Forgets imports that were finished longer than `age` ago. Returns how many.
    pub async fn purge_imports(&self, age: Duration) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let cutoff = Timestamp::now().minus(age).millis();
            let old: Vec<String> =
                imports::table.filter(imports::finished_at.lt(cutoff)).select(imports::id).load(tx.conn)?;
            diesel::delete(import_rows::table.filter(import_rows::import_id.eq_any(&old))).execute(tx.conn)?;
            Ok(diesel::delete(imports::table.filter(imports::id.eq_any(&old))).execute(tx.conn)?)
        })
        .await
    }

    /// Opens all lanes again of imports in which nothing happened for `age`, because their events are lost. Returns how
    /// many imports.
    pub async fn reopen_stalled_imports(&self, age: Duration) -> Result<usize, CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let cutoff = now.minus(age).millis();
            let lively = import_rows::table
                .filter(import_rows::import_id.eq(imports::id))
                .filter(import_rows::settled_at.gt(cutoff).or(import_rows::due_at.gt(cutoff)));
            let stalled: Vec<(String, String)> = imports::table
                .filter(imports::finished_at.is_null().and(imports::created_at.lt(cutoff)))
                .filter(not(exists(lively)))
                .select((imports::id, imports::workspace_id))
                .load(tx.conn)?;
            for (id, workspace) in &stalled {
                let import_id = id.parse().map_err(|_| corrupt("import id"))?;
                let workspace_id = workspace.parse().map_err(|_| corrupt("workspace id"))?;
                // Noted on the rows, so that other gateways see it.
                diesel::update(import_rows::table.filter(import_rows::import_id.eq(id)))
                    .filter(import_rows::state.eq(state::WAITING))
                    .set(import_rows::due_at.eq(now.millis()))
                    .execute(tx.conn)?;
                open_lanes(tx, ImportRef { import_id, workspace_id }, LANES, now)?;
            }
            Ok(stalled.len())
        })
        .await
    }
}

/// Settles rows whose mailbox exists, and repetitions: the first row of an address counts.
fn settle_known(conn: &mut Conn, workspace: WorkspaceId, rows: &mut [NewRow], now: Timestamp) -> Result<(), TxError> {
    let wanted: Vec<String> = rows.iter().filter(|row| row.settings.is_some()).map(address).collect();
    let known: Vec<String> = mailboxes::table
        .filter(mailboxes::workspace_id.eq(workspace.to_string()).and(mailboxes::email.eq_any(&wanted)))
        .select(mailboxes::email)
        .load(conn)?;
    let known: HashSet<String> = known.into_iter().collect();
    let mut seen = HashSet::new();
    for row in rows {
        let address = address(row);
        let repeated = !address.is_empty() && !seen.insert(address.clone());
        if repeated || (row.state == state::WAITING && known.contains(&address)) {
            row.state = state::SKIPPED;
            (row.settings, row.credentials_key_id, row.credentials, row.outcome) = (None, None, None, None);
            row.settled_at = Some(now.millis());
        }
    }
    Ok(())
}

/// The form of an address by which rows are compared.
fn address(row: &NewRow) -> String {
    EmailAddress::parse(&row.email).map_or_else(|_| row.email.to_lowercase(), |email| email.as_str().to_owned())
}

fn insert_rows(conn: &mut Conn, rows: &[NewRow]) -> QueryResult<()> {
    match conn {
        Conn::Pg(c) => diesel::insert_into(import_rows::table).values(rows).execute(c).map(|_| ()),
        Conn::Lite(c) => {
            rows.iter().try_for_each(|row| diesel::insert_into(import_rows::table).values(row).execute(c).map(|_| ()))
        }
    }
}

fn announce(tx: &mut Tx<'_>, import: &Import, waiting: usize, now: Timestamp) -> Result<(), TxError> {
    let about = ImportRef { import_id: import.id, workspace_id: import.workspace_id };
    tx.append(Event::ImportCreated(about), now)?;
    if waiting == 0 {
        return tx.append(Event::ImportFinished(about), now);
    }
    open_lanes(tx, about, waiting.min(LANES), now)
}

fn open_lanes(tx: &mut Tx<'_>, about: ImportRef, count: usize, now: Timestamp) -> Result<(), TxError> {
    let ImportRef { import_id, workspace_id } = about;
    for (lane, _) in (0..).zip(0..count) {
        tx.append(Event::ImportLaneOpened(LaneRef { import_id, workspace_id, lane }), now)?;
    }
    Ok(())
}

fn import_with_counts(conn: &mut Conn, workspace: WorkspaceId, id: ImportId) -> Result<Import, TxError> {
    type Columns = (String, i64, i64, Option<i64>);
    let row: Option<Columns> = imports::table
        .find(id.to_string())
        .filter(imports::workspace_id.eq(workspace.to_string()))
        .select((imports::source, imports::total, imports::created_at, imports::finished_at))
        .first(conn)
        .optional()?;
    let (source, total, created_at, finished_at) = row.ok_or(CoreError::NotFound("import"))?;
    let counts: Vec<(String, i64)> = import_rows::table
        .filter(import_rows::import_id.eq(id.to_string()))
        .group_by(import_rows::state)
        .select((import_rows::state, count_star()))
        .load(conn)?;
    let counts: BTreeMap<String, i64> = counts.into_iter().collect();
    let count = |state: &str| counts.get(state).copied().unwrap_or(0);
    Ok(Import {
        id,
        workspace_id: workspace,
        source,
        total,
        imported: count(state::IMPORTED),
        skipped: count(state::SKIPPED),
        failed: count(state::FAULTY) + count(state::REFUSED),
        created_at: Timestamp::from_millis(created_at),
        finished_at: finished_at.map(Timestamp::from_millis),
    })
}

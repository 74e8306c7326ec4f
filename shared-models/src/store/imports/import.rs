//! Imports: accepted here with all their rows, and read by those who asked for them. What becomes of
//! a row is in [`crate::store::imports::rows`].

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::imports::{Import, ImportRow, ImportSource, NewImport, NewImportRow, RowState};
use crate::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use crate::domain::{CoreError, EmailAddress, ImportId, MailboxId, OwnerId, ServerEndpoint, Timestamp, WorkspaceId};
use crate::events::{Event, ImportRef, LaneRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::{import_rows, imports, mailboxes};
use crate::store::tenancy::owners::check_room;
use crate::store::tenancy::workspaces::is_open;

/// Rows of one import that are worked on at the same time.
pub const LANES: usize = 20;

/// The stored words for the states of a row.
pub(crate) mod state {
    pub(crate) const WAITING: &str = "waiting";
    pub(crate) const TAKEN: &str = "taken";
    pub(crate) const IMPORTED: &str = "imported";
    pub(crate) const SKIPPED: &str = "skipped";
    pub(crate) const FAULTY: &str = "faulty";
    pub(crate) const REFUSED: &str = "refused";
    /// Not settled yet.
    pub(crate) const OPEN: [&str; 2] = [WAITING, TAKEN];
}

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

/// A mailbox that is to be, without its credentials.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) email: String,
    email_as_given: Option<String>,
    display_name: String,
    provider: String,
    daily_send_limit: i32,
    signature: Option<String>,
    tags: Vec<String>,
    pub(crate) smtp: ServerEndpoint,
    pub(crate) imap: ServerEndpoint,
    imap_guessed: bool,
}

impl Settings {
    fn of(new: &NewMailbox) -> Self {
        Self {
            email: new.email.as_str().to_owned(),
            email_as_given: new.email_as_given.clone(),
            display_name: new.display_name.clone(),
            provider: new.provider.as_str().to_owned(),
            daily_send_limit: new.daily_send_limit,
            signature: new.signature.clone(),
            tags: new.tags.clone(),
            smtp: new.smtp.clone(),
            imap: new.imap.clone(),
            imap_guessed: new.imap_guessed,
        }
    }

    /// The mailbox again.
    pub(crate) fn into_new(self, credentials: crate::domain::Credentials) -> Result<NewMailbox, TxError> {
        Ok(NewMailbox {
            email: EmailAddress::parse(&self.email).map_err(|_| corrupt("address"))?,
            email_as_given: self.email_as_given,
            display_name: self.display_name,
            provider: ProviderLabel::parse(&self.provider).ok_or_else(|| corrupt("provider"))?,
            daily_send_limit: self.daily_send_limit,
            signature: self.signature,
            tags: self.tags,
            smtp: self.smtp,
            imap: self.imap,
            imap_guessed: self.imap_guessed,
            credentials,
            on_refusal: RefusalPolicy::Keep,
        })
    }
}

impl Store {
    /// Accepts an import: all its rows, with sealed credentials, in one transaction. Rows about
    /// mailboxes that are there already, or that an earlier row is about, are settled by that.
    ///
    /// # Errors
    /// `SubscriptionRequired`; `LimitExceeded` when the rows that would become mailboxes do not fit the
    /// plan; `NotFound` when the workspace was closed meanwhile. Then nothing is stored.
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
                // As the workspace would know it.
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

    /// An import that came through this door, and how far it is.
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

    /// Forgets imports that were finished longer than `age` ago.
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

    /// Opens all lanes again of imports in which nothing happened for `age`: their events are lost.
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
                // Noted on a row, so that other gateways see it.
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

/// Rows about mailboxes that are known, and repetitions: the first row of an address counts.
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

/// What the address of a row is compared by.
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

fn read_state(word: &str, mailbox: &str, outcome: Option<&str>) -> Result<RowState, TxError> {
    let outcome = outcome.unwrap_or_default();
    Ok(match word {
        state::WAITING | state::TAKEN => RowState::Open,
        state::IMPORTED => RowState::Imported(mailbox.parse().map_err(|_| corrupt("mailbox id"))?),
        state::SKIPPED => RowState::Skipped,
        state::FAULTY => RowState::Faulty(serde_json::from_str(outcome).map_err(|_| corrupt("row fault"))?),
        state::REFUSED => RowState::Refused(serde_json::from_str(outcome).map_err(|_| corrupt("finding"))?),
        _ => return Err(corrupt("row state")),
    })
}

pub(crate) fn json(value: &impl Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a row cannot be serialised: {e}")))
}

//! The rows of an import as the verifier works on them: taken by a lane, settled, and the next one taken in the same
//! transaction. These functions take no workspace: the events come from us.

use std::time::Duration;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::domain::diagnosis::Leg;
use crate::domain::imports::{NoRoom, RowCheck};
use crate::domain::mailboxes::{NewMailbox, RefusalPolicy};
use crate::domain::{CoreError, Finding, Mailbox, MailboxId, MailboxStatus, OwnerId, Timestamp, WorkspaceId};
use crate::events::{Event, ImportRef, LaneRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::vault::Sealed;
use crate::store::imports::stored::{Settings, StoredFault, json, state};
use crate::store::mailboxes::rows::{NewMailboxRow, accepted, reference};
use crate::store::schema::{import_rows, imports, mailboxes};
use crate::store::tenancy::owners::{check_room, take_slots};
use crate::store::tenancy::workspace_locks::is_open;

/// The pause of a lane whose next row another lane's transaction is just taking.
const MOMENT: Duration = Duration::from_millis(100);

/// A row that a lane has taken.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct RowJob {
    /// The position in the import, from 0.
    pub position: i32,
    pub check: RowCheck,
    /// The mailbox that the row becomes if it is accepted.
    pub mailbox: NewMailbox,
    /// A refusal that was recorded before the process that received it died. This password is not sent to the server
    /// again.
    pub recorded_refusal: Option<Box<Finding>>,
    /// Attempts that ended without a result.
    pub attempts_made: u32,
    /// The plan's reason against the row, if any, when it was taken.
    pub no_room: Option<NoRoom>,
}

/// The next step of a lane.
#[derive(Clone, Debug)]
pub enum NextRow {
    /// The lane has taken this row.
    Row(Box<RowJob>),
    /// Every row that is left is due later than this.
    NotBefore(Timestamp),
    /// Nothing is left for this lane.
    Nothing,
}

/// The end of the work on a row.
#[derive(Clone, Debug)]
pub enum RowOutcome {
    /// The row becomes a mailbox.
    Accepted,
    /// The server refused the login.
    Refused(Finding),
    /// The plan has no slot for it, whatever its server would say.
    NoRoom(NoRoom),
    /// The row is due again after this time.
    Deferred(Duration),
}

impl Store {
    /// The row that the lane has taken, or the next one for it. The caller has claimed the lane.
    pub async fn next_import_row(&self, lane: LaneRef) -> Result<NextRow, CoreError> {
        let taken = self.write(move |tx| next(tx, lane, 1)).await?;
        self.open_row(taken)
    }

    /// Settles a row and takes the next one. Repeating it changes nothing.
    pub async fn settle_import_row(
        &self,
        lane: LaneRef,
        position: i32,
        outcome: RowOutcome,
    ) -> Result<NextRow, CoreError> {
        let accepting = matches!(outcome, RowOutcome::Accepted);
        let settled = self.write(move |tx| settle(tx, lane, position, &outcome)).await;
        let taken = match settled {
            Err(error) if accepting => match NoRoom::of_error(&error) {
                // The transaction was rolled back, so the row is settled in another one.
                Some(reason) => self.write(move |tx| settle(tx, lane, position, &RowOutcome::NoRoom(reason))).await?,
                None => return Err(error),
            },
            settled => settled?,
        };
        self.open_row(taken)
    }

    /// Notes at once that a server refused the credentials of a row; see [`Store::record_refusal`].
    pub async fn record_row_refusal(&self, lane: LaneRef, position: i32, finding: &Finding) -> Result<(), CoreError> {
        let json = json(finding)?;
        let decides = finding.leg == Leg::Smtp;
        self.write(move |tx| {
            let row = import_rows::table.find((lane.import_id.to_string(), position));
            let set = import_rows::recorded_refusal.eq(json);
            if decides {
                diesel::update(row).set(set).execute(tx.conn)?;
            } else {
                diesel::update(row.filter(import_rows::recorded_refusal.is_null())).set(set).execute(tx.conn)?;
            }
            Ok(())
        })
        .await
    }

    /// Marks an import as finished if every row is settled. To be called after a lane's last row, in another
    /// transaction: of the last two lanes, neither sees what the other has not committed.
    pub async fn finish_import(&self, lane: LaneRef) -> Result<(), CoreError> {
        self.write(move |tx| {
            let now = Timestamp::now();
            let open = import_rows::table
                .filter(import_rows::import_id.eq(imports::id).and(import_rows::state.eq_any(state::OPEN)));
            let finished = imports::table
                .filter(imports::id.eq(lane.import_id.to_string()).and(imports::finished_at.is_null()))
                .filter(not(exists(open)));
            let done = both!(&mut *tx.conn, |c| diesel::update(finished)
                .set(imports::finished_at.eq(now.millis()))
                .execute(c))?;
            if done == 1 {
                let about = ImportRef { import_id: lane.import_id, workspace_id: lane.workspace_id };
                tx.append(Event::ImportFinished(about), now)?;
            }
            Ok(())
        })
        .await
    }

    /// Opens a lane anew. A broker wants an event acknowledged after a while, and a lane may take longer.
    pub async fn reopen_lane(&self, lane: LaneRef) -> Result<(), CoreError> {
        self.write(move |tx| tx.append(Event::ImportLaneOpened(lane), Timestamp::now())).await
    }

    fn open_row(&self, taken: Taken) -> Result<NextRow, CoreError> {
        let (row, check, no_room) = match taken {
            Taken::Row(row, check, no_room) => (row, check, no_room),
            Taken::NotBefore(at) => return Ok(NextRow::NotBefore(at)),
            Taken::Nothing => return Ok(NextRow::Nothing),
        };
        let (mailbox, settings, sealed) = row.content()?;
        let credentials = self.vault().open_credentials(mailbox, sealed)?;
        let refusal = row.recorded_refusal.as_deref().map(serde_json::from_str).transpose();
        Ok(NextRow::Row(Box::new(RowJob {
            position: row.position,
            check,
            mailbox: settings.into_new(credentials)?,
            recorded_refusal: refusal.map_err(|_| CoreError::from(corrupt("finding")))?,
            attempts_made: row.attempts.unsigned_abs(),
            no_room,
        })))
    }
}

/// A row as the verifier needs it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = import_rows)]
struct Row {
    position: i32,
    mailbox_id: String,
    settings: Option<String>,
    credentials_key_id: Option<String>,
    credentials: Option<Vec<u8>>,
    recorded_refusal: Option<String>,
    attempts: i32,
}

impl Row {
    fn content(&self) -> Result<(MailboxId, Settings, Sealed), TxError> {
        let mailbox = self.mailbox_id.parse().map_err(|_| corrupt("mailbox id"))?;
        let settings = self.settings.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let (Some(key_id), Some(bytes)) = (self.credentials_key_id.clone(), self.credentials.clone()) else {
            return Err(corrupt("credentials of a row"));
        };
        Ok((mailbox, settings.ok_or_else(|| corrupt("settings of a row"))?, Sealed { key_id, bytes }))
    }
}

enum Taken {
    /// With the plan's reason against it.
    Row(Row, RowCheck, Option<NoRoom>),
    NotBefore(Timestamp),
    Nothing,
}

fn settle(tx: &mut Tx<'_>, lane: LaneRef, position: i32, outcome: &RowOutcome) -> Result<Taken, TxError> {
    let mut owner_of_slot = None;
    // Otherwise the row was settled before, and only the next row is wanted.
    if let Some((row, check)) = held(tx.conn, lane)?.filter(|(row, _)| row.position == position) {
        let now = Timestamp::now();
        match outcome {
            RowOutcome::Deferred(pause) => defer(tx.conn, lane, position, now.plus(*pause))?,
            RowOutcome::Refused(finding) => {
                close(tx.conn, lane, position, state::REFUSED, Some(json(finding)?), now)?;
            }
            RowOutcome::NoRoom(reason) => {
                let stored = json(&StoredFault::from(*reason))?;
                close(tx.conn, lane, position, state::FAULTY, Some(stored), now)?;
            }
            RowOutcome::Accepted => {
                let made = make_mailbox(tx, lane.workspace_id, &row, check, now)?;
                let word = if made { state::IMPORTED } else { state::SKIPPED };
                close(tx.conn, lane, position, word, None, now)?;
                owner_of_slot = made.then(|| owner_of(tx.conn, lane)).transpose()?;
            }
        }
    }
    // Beside the slot that is taken below.
    let taken = next(tx, lane, 1 + i64::from(owner_of_slot.is_some()))?;
    // The owner's counter comes last, as everywhere: every creation of the owner waits for it.
    if let Some(owner) = owner_of_slot {
        take_slots(tx.conn, owner, 1)?;
    }
    Ok(taken)
}

fn owner_of(conn: &mut Conn, lane: LaneRef) -> Result<OwnerId, TxError> {
    let id: String = imports::table.find(lane.import_id.to_string()).select(imports::owner_id).first(conn)?;
    id.parse().map_err(|_| corrupt("owner id"))
}

/// The row that the lane has taken and not settled.
fn held(conn: &mut Conn, lane: LaneRef) -> Result<Option<(Row, RowCheck)>, TxError> {
    let row: Option<(Row, String)> = import_rows::table
        .inner_join(imports::table)
        .filter(import_rows::import_id.eq(lane.import_id.to_string()))
        .filter(import_rows::state.eq(state::TAKEN).and(import_rows::lane.eq(lane.lane)))
        .select((Row::as_select(), imports::row_check))
        .first(conn)
        .optional()?;
    row.map(|(row, check)| Ok((row, RowCheck::parse(&check).ok_or_else(|| corrupt("row check"))?))).transpose()
}

/// The lane's own row, else the first waiting one that is due. The plan must have this many slots for it.
fn next(tx: &mut Tx<'_>, lane: LaneRef, slots: i64) -> Result<Taken, TxError> {
    if let Some((row, check)) = held(tx.conn, lane)? {
        return taken(tx.conn, lane, row, check, slots);
    }
    let now = Timestamp::now();
    let import = lane.import_id.to_string();
    let of_import =
        || import_rows::table.filter(import_rows::import_id.eq(&import).and(import_rows::state.eq(state::WAITING)));
    let due = of_import()
        .filter(import_rows::due_at.le(now.millis()))
        .order(import_rows::position)
        .limit(1)
        .select(import_rows::position);
    let position: Option<i32> = match tx.conn {
        Conn::Pg(c) => due.for_update().skip_locked().first(c).optional()?,
        Conn::Lite(c) => due.first(c).optional()?,
    };
    let Some(position) = position else {
        let earliest: Option<i64> = of_import().select(diesel::dsl::min(import_rows::due_at)).first(tx.conn)?;
        return Ok(match earliest {
            Some(at) => Taken::NotBefore(Timestamp::from_millis(at.max(now.plus(MOMENT).millis()))),
            None => Taken::Nothing,
        });
    };
    let row = import_rows::table.find((&import, position));
    both!(&mut *tx.conn, |c| diesel::update(row)
        .set((import_rows::state.eq(state::TAKEN), import_rows::lane.eq(lane.lane)))
        .execute(c))?;
    match held(tx.conn, lane)? {
        Some((row, check)) => taken(tx.conn, lane, row, check, slots),
        None => Ok(Taken::Nothing),
    }
}

/// A plan may have ended or filled up since the import was accepted.
fn taken(conn: &mut Conn, lane: LaneRef, row: Row, check: RowCheck, slots: i64) -> Result<Taken, TxError> {
    let owner = owner_of(conn, lane)?;
    let no_room = match check_room(conn, owner, slots) {
        Ok(()) => None,
        Err(TxError::Domain(error)) => Some(NoRoom::of_error(&error).ok_or(error)?),
        Err(error) => return Err(error),
    };
    Ok(Taken::Row(row, check, no_room))
}

fn defer(conn: &mut Conn, lane: LaneRef, position: i32, due: Timestamp) -> QueryResult<()> {
    diesel::update(import_rows::table.find((lane.import_id.to_string(), position)))
        .set((
            import_rows::state.eq(state::WAITING),
            import_rows::lane.eq(None::<i32>),
            import_rows::due_at.eq(due.millis()),
            import_rows::attempts.eq(import_rows::attempts + 1),
        ))
        .execute(conn)
        .map(|_| ())
}

/// Settles a row and erases its credentials and settings, which nobody needs any more.
fn close(
    conn: &mut Conn,
    lane: LaneRef,
    position: i32,
    word: &str,
    outcome: Option<String>,
    now: Timestamp,
) -> QueryResult<()> {
    let row = import_rows::table.find((lane.import_id.to_string(), position));
    let erased = (
        import_rows::settings.eq(None::<String>),
        import_rows::credentials_key_id.eq(None::<String>),
        import_rows::credentials.eq(None::<Vec<u8>>),
        import_rows::recorded_refusal.eq(None::<String>),
        import_rows::lane.eq(None::<i32>),
    );
    let settled =
        (import_rows::state.eq(word), import_rows::outcome.eq(outcome), import_rows::settled_at.eq(now.millis()));
    both!(conn, |c| diesel::update(row).set((erased, settled)).execute(c))?;
    Ok(())
}

/// Makes the mailbox of a row, with its credentials as they were sealed. False if the workspace has a mailbox of this
/// address. The caller takes its slot on the plan.
fn make_mailbox(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    row: &Row,
    check: RowCheck,
    now: Timestamp,
) -> Result<bool, TxError> {
    let (id, settings, sealed) = row.content()?;
    let status = if check == RowCheck::Nothing { MailboxStatus::Pending } else { MailboxStatus::Active };
    let mailbox = Mailbox {
        sending_enabled: status == MailboxStatus::Active,
        ..accepted(id, workspace, settings.into_new(no_credentials())?, status, now)
    };
    let new = NewMailboxRow::new(&mailbox, RefusalPolicy::Keep, sealed);
    let made = both!(&mut *tx.conn, |c| diesel::insert_into(mailboxes::table)
        .values(&new)
        .on_conflict((mailboxes::workspace_id, mailboxes::email))
        .do_nothing()
        .execute(c))?;
    if made == 0 {
        return Ok(false);
    }
    // The insert holds the workspace's row, so it cannot be closed between this and the commit.
    if !is_open(tx.conn, workspace)? {
        return Err(CoreError::NotFound("workspace").into());
    }
    let about = reference(&mailbox);
    tx.append(Event::MailboxCreated(about), now)?;
    if status == MailboxStatus::Active {
        tx.append(Event::MailboxActivated(about), now)?;
    }
    if check == RowCheck::Smtp {
        tx.append(Event::MailboxImapCheckRequested(about), now)?;
    }
    Ok(true)
}

/// A placeholder: the row has the credentials sealed already, and nobody reads these.
fn no_credentials() -> crate::domain::Credentials {
    use crate::domain::{Credentials, LoginSecret, Password};
    let nobody = || LoginSecret { username: String::new(), password: Password::new("") };
    Credentials { smtp: nobody(), imap: nobody() }
}

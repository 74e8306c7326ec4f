//! Login tests of sending accounts: requested, made at most once, and forgotten after a week. A refused password is not
//! sent to its server again until something about the login has changed. Until then a test ends with the known refusal.
//! Functions for the verifier take the test's id alone: its events come from us.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::sending_accounts::SendingAccount;
use crate::domain::sending_accounts::{LoginTest, LoginTestJob, LoginTestResult, TestOutcome};
use crate::domain::{CoreError, LoginSecret, LoginTestId, SendingAccountId, Timestamp, WorkspaceId};
use crate::events::{Event, LoginTestRef, SendingAccountRef};
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::settled::Settled;
use crate::store::schema::{provider_tests, providers};
use crate::store::sending_accounts::rows::{LoginColumns, locked, save};

/// Tests are kept for a week.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// A request joins a test that was requested within this time and has no result yet. No login takes a minute.
const JOINED: Duration = Duration::from_secs(60);
/// The message of a test whose login was accepted.
const ACCEPTED: &str = "The server accepted the login.";
/// The message of a test whose verifier died.
const INTERRUPTED: &str = "The test was broken off before the server's answer was stored. Test the account again.";

/// The stored words for the states.
mod state {
    pub(crate) const ASKED: &str = "asked";
    pub(crate) const RUNNING: &str = "running";
    pub(crate) const DONE: &str = "done";
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = provider_tests)]
struct LoginTestRow {
    id: String,
    provider_id: String,
    workspace_id: String,
    state: String,
    login_version: i32,
    success: Option<bool>,
    message: Option<String>,
    latency_ms: Option<i64>,
    tested_at: Option<i64>,
    created_at: i64,
}

impl Store {
    /// Requests a test. It is done at once if the answer is known. It is the test that is under way, if there is one.
    pub async fn request_login_test(
        &self,
        workspace: WorkspaceId,
        id: SendingAccountId,
    ) -> Result<LoginTest, CoreError> {
        self.write(move |tx| {
            let (account, login) = locked(tx.conn, Some(workspace), id)?.ok_or(CoreError::NotFound("provider"))?;
            let about = SendingAccountRef { sending_account_id: id, workspace_id: workspace };
            let now = Timestamp::now();
            if let Some(known) = known_refusal(&login) {
                let about = insert(tx, about, login.login_version, now)?;
                finish(tx, about, &known)?;
                return Ok(LoginTest { id: about.login_test_id, sending_account_id: account.id, result: Some(known) });
            }
            let id = ask_unless_under_way(tx, about, login.login_version, now)?;
            Ok(LoginTest { id, sending_account_id: account.id, result: None })
        })
        .await
    }

    /// Reads a test of the last week.
    pub async fn login_test(&self, workspace: WorkspaceId, id: LoginTestId) -> Result<LoginTest, CoreError> {
        self.read(move |conn| {
            let row: Option<LoginTestRow> = provider_tests::table
                .find(id.to_string())
                .filter(provider_tests::workspace_id.eq(workspace.to_string()))
                .select(LoginTestRow::as_select())
                .first(conn)
                .optional()?;
            row.ok_or(CoreError::NotFound("test"))?.read()
        })
        .await
    }

    /// Begins a test, which is possible once, by the holder of the account's claim. `None` if the test is over, if the
    /// account is gone, or if the answer is known, with which the test ends. A test that was begun before ends, too:
    /// its verifier died, and the server's answer is not known.
    pub async fn begin_login_test(&self, id: LoginTestId) -> Result<Option<LoginTestJob>, CoreError> {
        let store = self.clone();
        self.write(move |tx| {
            let Some(asked) = find(tx.conn, id)? else { return Ok(None) };
            let about = asked.reference()?;
            // The account is locked first, because every change of the login locks it.
            let Some((account, login)) = locked(tx.conn, None, about.sending_account_id)? else { return Ok(None) };
            if !advance(tx.conn, id, state::ASKED, state::RUNNING)? {
                if is_in(tx.conn, id, state::RUNNING)? {
                    interrupt(tx, about, account, Timestamp::now())?;
                }
                return Ok(None);
            }
            if let Some(known) = known_refusal(&login) {
                finish(tx, about, &known)?;
                return Ok(None);
            }
            // The login may have changed since the request. The newest one counts.
            let version = provider_tests::login_version.eq(login.login_version);
            diesel::update(provider_tests::table.find(id.to_string())).set(version).execute(tx.conn)?;
            let password = store.password(account.id, &login)?;
            let secret = LoginSecret { username: account.username, password };
            Ok(Some(LoginTestJob { smtp: account.smtp, secret }))
        })
        .await
    }

    /// Stores the result of a test and the standing that follows, unless the login was changed since. Repeating it
    /// changes nothing.
    pub async fn settle_login_test(
        &self,
        id: LoginTestId,
        outcome: TestOutcome,
        latency_ms: u64,
    ) -> Result<Settled, CoreError> {
        self.write(move |tx| {
            let Some(running) = find(tx.conn, id)? else { return Ok(Settled::Superseded) };
            let about = running.reference()?;
            let Some((account, login)) = locked(tx.conn, None, about.sending_account_id)? else {
                return Ok(Settled::Superseded);
            };
            if !is_in(tx.conn, id, state::RUNNING)? {
                return Ok(Settled::Superseded);
            }
            let now = Timestamp::now();
            let (success, message) = match &outcome {
                TestOutcome::Accepted => (true, ACCEPTED),
                TestOutcome::Refused { reason, .. } | TestOutcome::Unreached(reason) | TestOutcome::Unclear(reason) => {
                    (false, reason.as_str())
                }
            };
            let latency_ms = i64::try_from(latency_ms).unwrap_or(i64::MAX);
            let result = LoginTestResult { success, message: message.to_owned(), latency_ms, tested_at: now };
            if login.login_version == running.login_version {
                if let TestOutcome::Refused { reason, of_password: true } = &outcome {
                    let refused = (providers::refusal.eq(reason), providers::refused_at.eq(now.millis()));
                    diesel::update(providers::table.find(account.id.to_string())).set(refused).execute(tx.conn)?;
                }
                let accepted = match &outcome {
                    TestOutcome::Accepted => Some(login.login_version),
                    TestOutcome::Refused { .. } => None,
                    TestOutcome::Unreached(_) | TestOutcome::Unclear(_) => login.accepted_version,
                };
                diesel::update(providers::table.find(account.id.to_string()))
                    .set(providers::accepted_version.eq(accepted))
                    .execute(tx.conn)?;
                let mut after = account.clone();
                after.standing = after.standing.tested(&outcome);
                after.last_tested_at = Some(now);
                if after.standing != account.standing {
                    after.updated_at = now;
                }
                save(tx.conn, &after)?;
            }
            finish(tx, about, &result)?;
            Ok(Settled::Stored)
        })
        .await
    }

    /// Forgets tests after a week. Returns how many.
    pub async fn purge_login_tests(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let old = provider_tests::created_at.lt(Timestamp::now().minus(KEPT).millis());
            Ok(diesel::delete(provider_tests::table.filter(old)).execute(tx.conn)?)
        })
        .await
    }
}

/// Requests a test of this version of the login.
pub(crate) fn ask_for_test(
    tx: &mut Tx<'_>,
    about: SendingAccountRef,
    login_version: i32,
    now: Timestamp,
) -> Result<LoginTestId, TxError> {
    let about = insert(tx, about, login_version, now)?;
    tx.append(Event::LoginTestRequested(about), now)?;
    Ok(about.login_test_id)
}

/// As [`ask_for_test`], unless a test will have a result soon. Then returns that one.
pub(crate) fn ask_unless_under_way(
    tx: &mut Tx<'_>,
    about: SendingAccountRef,
    login_version: i32,
    now: Timestamp,
) -> Result<LoginTestId, TxError> {
    match under_way(tx.conn, about.sending_account_id, login_version, now)? {
        Some(id) => Ok(id),
        None => ask_for_test(tx, about, login_version, now),
    }
}

/// Forgets the tests of an account whose row was just deleted.
pub(crate) fn forget_tests(conn: &mut Conn, account: SendingAccountId) -> Result<(), TxError> {
    diesel::delete(provider_tests::table.filter(provider_tests::provider_id.eq(account.to_string()))).execute(conn)?;
    Ok(())
}

fn insert(
    tx: &mut Tx<'_>,
    about: SendingAccountRef,
    login_version: i32,
    now: Timestamp,
) -> Result<LoginTestRef, TxError> {
    let about = LoginTestRef {
        login_test_id: LoginTestId::new(),
        sending_account_id: about.sending_account_id,
        workspace_id: about.workspace_id,
    };
    let row = LoginTestRow {
        id: about.login_test_id.to_string(),
        provider_id: about.sending_account_id.to_string(),
        workspace_id: about.workspace_id.to_string(),
        state: state::ASKED.to_owned(),
        login_version,
        success: None,
        message: None,
        latency_ms: None,
        tested_at: None,
        created_at: now.millis(),
    };
    diesel::insert_into(provider_tests::table).values(&row).execute(tx.conn)?;
    Ok(about)
}

/// The result of a test that need not be made: the server refused this login before.
fn known_refusal(login: &LoginColumns) -> Option<LoginTestResult> {
    let (reason, at) = (login.refusal.as_ref()?, Timestamp::from_millis(login.refused_at?));
    let message = format!(
        "{reason} It was not tried again: the server refused this login at {}, and it has not been changed since.",
        at.to_rfc3339()
    );
    Some(LoginTestResult { success: false, message, latency_ms: 0, tested_at: at })
}

/// Ends a test whose result nobody will know.
fn interrupt(tx: &mut Tx<'_>, about: LoginTestRef, account: SendingAccount, now: Timestamp) -> Result<(), TxError> {
    let message = INTERRUPTED.to_owned();
    finish(tx, about, &LoginTestResult { success: false, message, latency_ms: 0, tested_at: now })?;
    let standing = account.standing.clone().tested(&TestOutcome::Unclear(INTERRUPTED.to_owned()));
    save(tx.conn, &SendingAccount { standing, last_tested_at: Some(now), updated_at: now, ..account })
}

fn finish(tx: &mut Tx<'_>, about: LoginTestRef, result: &LoginTestResult) -> Result<(), TxError> {
    let end = (
        provider_tests::state.eq(state::DONE),
        provider_tests::success.eq(result.success),
        provider_tests::message.eq(&result.message),
        provider_tests::latency_ms.eq(result.latency_ms),
        provider_tests::tested_at.eq(result.tested_at.millis()),
    );
    diesel::update(provider_tests::table.find(about.login_test_id.to_string())).set(end).execute(tx.conn)?;
    tx.append(Event::SendingAccountTested(about), Timestamp::now())
}

/// The test of this login that will have a result soon, if there is one.
fn under_way(
    conn: &mut Conn,
    account: SendingAccountId,
    login_version: i32,
    now: Timestamp,
) -> Result<Option<LoginTestId>, TxError> {
    let id: Option<String> = provider_tests::table
        .filter(provider_tests::provider_id.eq(account.to_string()))
        .filter(provider_tests::state.ne(state::DONE))
        .filter(provider_tests::login_version.eq(login_version))
        .filter(provider_tests::created_at.gt(now.minus(JOINED).millis()))
        .order(provider_tests::id.desc())
        .select(provider_tests::id)
        .first(conn)
        .optional()?;
    id.map(|id| id.parse()).transpose().map_err(|_| corrupt("test id"))
}

fn find(conn: &mut Conn, id: LoginTestId) -> QueryResult<Option<LoginTestRow>> {
    provider_tests::table.find(id.to_string()).select(LoginTestRow::as_select()).first(conn).optional()
}

fn is_in(conn: &mut Conn, id: LoginTestId, state: &str) -> QueryResult<bool> {
    let there = provider_tests::table.find(id.to_string()).filter(provider_tests::state.eq(state));
    Ok(there.count().get_result::<i64>(conn)? == 1)
}

/// Moves a test from one state to another; false if it is not in the first one.
fn advance(conn: &mut Conn, id: LoginTestId, from: &str, to: &str) -> QueryResult<bool> {
    let test = provider_tests::table.find(id.to_string()).filter(provider_tests::state.eq(from));
    Ok(diesel::update(test).set(provider_tests::state.eq(to)).execute(conn)? == 1)
}

impl LoginTestRow {
    fn reference(&self) -> Result<LoginTestRef, TxError> {
        Ok(LoginTestRef {
            login_test_id: self.id.parse().map_err(|_| corrupt("test id"))?,
            sending_account_id: self.provider_id.parse().map_err(|_| corrupt("provider id"))?,
            workspace_id: self.workspace_id.parse().map_err(|_| corrupt("workspace id"))?,
        })
    }

    fn read(self) -> Result<LoginTest, TxError> {
        let about = self.reference()?;
        let result = match (self.state.as_str(), self.success, self.message, self.latency_ms, self.tested_at) {
            (state::ASKED | state::RUNNING, ..) => None,
            (state::DONE, Some(success), Some(message), Some(latency_ms), Some(at)) => {
                Some(LoginTestResult { success, message, latency_ms, tested_at: Timestamp::from_millis(at) })
            }
            _ => return Err(corrupt("provider test")),
        };
        Ok(LoginTest { id: about.login_test_id, sending_account_id: about.sending_account_id, result })
    }
}

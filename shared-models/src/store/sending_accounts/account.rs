//! Sending accounts: added, changed, listed, counted. Their tests are in
//! [`crate::store::sending_accounts::login_tests`].
//!
//! Lock order: an account before its tests.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::domain::sending_accounts::{
    NewSendingAccount, SendingAccount, SendingAccountChange, SendingAccountStatus, Standing,
};
use crate::domain::{CoreError, Password, SendingAccountId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::schema::providers;
use crate::store::sending_accounts::limits::limit_of;
use crate::store::sending_accounts::login_tests::{ask_for_test, ask_unless_under_way, forget_tests};
use crate::store::sending_accounts::rows::{
    SendingAccountColumns, SendingAccountRow, locked, password_location, reference, save,
};
use crate::store::tenancy::workspace_locks::lock;

/// The filter and the page of a list of accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendingAccountQuery {
    /// Only accounts of this status.
    pub status: Option<SendingAccountStatus>,
    /// Only accounts that are older than this one.
    pub after: Option<SendingAccountId>,
    /// Accounts to return at most.
    pub limit: i64,
}

impl Store {
    /// Adds a sending account and requests the first test of its login.
    ///
    /// # Errors
    /// `LimitExceeded` if the workspace has as many as it may have.
    pub async fn create_sending_account(
        &self,
        workspace: WorkspaceId,
        new: NewSendingAccount,
        answer: PendingAnswer<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        let (id, now) = (SendingAccountId::new(), Timestamp::now());
        let sealed = self.vault().seal(&password_location(id), new.secret.password.expose().as_bytes())?;
        let account = added(id, workspace, new, now);
        self.write(move |tx| {
            // The lock keeps two requests of the same moment from taking the last slot both.
            if !lock(tx.conn, &workspace.to_string())? {
                return Err(CoreError::NotFound("workspace").into());
            }
            let limit = limit_of(tx.conn, workspace)?;
            if limit.is_reached() {
                let (usage, limit) = (limit.usage, limit.max_allowed);
                return Err(CoreError::LimitExceeded { usage, limit, requested: 1 }.into());
            }
            let values = (
                providers::id.eq(id.to_string()),
                providers::workspace_id.eq(workspace.to_string()),
                providers::password_key_id.eq(sealed.key_id),
                providers::password.eq(sealed.bytes),
                providers::login_version.eq(1),
                providers::created_at.eq(now.millis()),
                SendingAccountColumns::new(&account)?,
            );
            both!(&mut *tx.conn, |c| diesel::insert_into(providers::table).values(values).execute(c))?;
            tx.append(Event::SendingAccountCreated(reference(&account)), now)?;
            ask_for_test(tx, reference(&account), 1, now)?;
            answer.complete(tx, &account)?;
            Ok(account)
        })
        .await
    }

    /// Reads one sending account of a workspace.
    pub async fn sending_account(
        &self,
        workspace: WorkspaceId,
        id: SendingAccountId,
    ) -> Result<SendingAccount, CoreError> {
        self.read(move |conn| {
            let row: Option<SendingAccountRow> = providers::table
                .find(id.to_string())
                .filter(providers::workspace_id.eq(workspace.to_string()))
                .select(SendingAccountRow::as_select())
                .first(conn)
                .optional()?;
            row.ok_or(CoreError::NotFound("provider"))?.read()
        })
        .await
    }

    /// One page of a workspace's accounts, newest first, and true if more follow.
    pub async fn list_sending_accounts(
        &self,
        workspace: WorkspaceId,
        query: SendingAccountQuery,
    ) -> Result<(Vec<SendingAccount>, bool), CoreError> {
        self.read(move |conn| {
            let mut wanted = providers::table
                .filter(providers::workspace_id.eq(workspace.to_string()))
                .select(SendingAccountRow::as_select())
                .into_boxed();
            if let Some(status) = query.status {
                wanted = wanted.filter(providers::status.eq(status.as_str()));
            }
            if let Some(after) = query.after {
                wanted = wanted.filter(providers::id.lt(after.to_string()));
            }
            let mut rows: Vec<SendingAccountRow> =
                wanted.order(providers::id.desc()).limit(query.limit + 1).load(conn)?;
            let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
            let has_more = rows.len() > wanted;
            rows.truncate(wanted);
            Ok((rows.into_iter().map(SendingAccountRow::read).collect::<Result<_, _>>()?, has_more))
        })
        .await
    }

    /// The ids of all accounts of a workspace, newest first.
    pub async fn sending_account_ids(&self, workspace: WorkspaceId) -> Result<Vec<SendingAccountId>, CoreError> {
        self.read(move |conn| {
            let ids: Vec<String> = providers::table
                .filter(providers::workspace_id.eq(workspace.to_string()))
                .order(providers::id.desc())
                .select(providers::id)
                .load(conn)?;
            ids.iter().map(|id| id.parse().map_err(|_| corrupt("provider id"))).collect()
        })
        .await
    }

    /// The number of accounts of a workspace by status; statuses without any are left out.
    pub async fn count_sending_accounts(
        &self,
        workspace: WorkspaceId,
    ) -> Result<HashMap<SendingAccountStatus, i64>, CoreError> {
        self.read(move |conn| {
            let counts: Vec<(String, i64)> = providers::table
                .filter(providers::workspace_id.eq(workspace.to_string()))
                .group_by(providers::status)
                .select((providers::status, diesel::dsl::count_star()))
                .load(conn)?;
            let read = |(word, count): (String, i64)| {
                Ok((SendingAccountStatus::parse(&word).ok_or_else(|| corrupt("provider status"))?, count))
            };
            counts.into_iter().map(read).collect()
        })
        .await
    }

    /// Changes an account and returns it as it is now. A change of its login is followed by a test.
    ///
    /// # Errors
    /// `Conflict` if it is not as `expected`.
    pub async fn change_sending_account(
        &self,
        workspace: WorkspaceId,
        id: SendingAccountId,
        change: SendingAccountChange,
        expected: Option<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        let store = self.clone();
        self.write(move |tx| {
            let (before, login) = locked(tx.conn, Some(workspace), id)?.ok_or(CoreError::NotFound("provider"))?;
            if expected.is_some_and(|expected| expected != before) {
                return Err(CoreError::Conflict("The provider was changed meanwhile").into());
            }
            let password = match change.password.clone() {
                Some(new) if new == store.password(id, &login)? => None,
                other => other,
            };
            let mut after = change
                .applied_to(before.clone())
                .map_err(|error| CoreError::Internal(format!("a host was not parsed before: {error}")))?;
            if after == before && password.is_none() {
                return Ok(before);
            }
            let now = Timestamp::now();
            after.updated_at = now;
            if let Some(password) = &password {
                store.replace_password(tx, id, password)?;
            }
            if after.is_other_login(&before, password.is_some(), login.refusal.is_some()) {
                after.standing = Standing::untried(after.standing.is_active);
                let version = login.login_version.wrapping_add(1);
                let untried = (
                    providers::login_version.eq(version),
                    providers::refusal.eq(None::<String>),
                    providers::refused_at.eq(None::<i64>),
                );
                diesel::update(providers::table.find(id.to_string())).set(untried).execute(tx.conn)?;
                if after.standing.is_active {
                    ask_for_test(tx, reference(&after), version, now)?;
                }
            }
            save(tx.conn, &after)?;
            Ok(after)
        })
        .await
    }

    /// Switches an account on or off. A refused login does not become active by that. Neither does one that was never
    /// accepted: it is tested first.
    pub async fn switch_sending_account(
        &self,
        workspace: WorkspaceId,
        id: SendingAccountId,
        on: bool,
    ) -> Result<SendingAccount, CoreError> {
        self.write(move |tx| {
            let (before, login) = locked(tx.conn, Some(workspace), id)?.ok_or(CoreError::NotFound("provider"))?;
            let was_accepted = login.accepted_version == Some(login.login_version);
            let standing =
                if on { Standing::switched_on(login.refusal, was_accepted) } else { Standing::deactivated() };
            if standing == before.standing {
                return Ok(before);
            }
            let after = SendingAccount { standing, updated_at: Timestamp::now(), ..before };
            save(tx.conn, &after)?;
            if after.standing.status == SendingAccountStatus::Pending {
                ask_unless_under_way(tx, reference(&after), login.login_version, after.updated_at)?;
            }
            Ok(after)
        })
        .await
    }

    /// Removes an account, its password and its tests.
    pub async fn delete_sending_account(&self, workspace: WorkspaceId, id: SendingAccountId) -> Result<(), CoreError> {
        self.write(move |tx| {
            let own = providers::table.find(id.to_string()).filter(providers::workspace_id.eq(workspace.to_string()));
            if diesel::delete(own).execute(tx.conn)? == 0 {
                return Err(CoreError::NotFound("provider").into());
            }
            forget_tests(tx.conn, id)
        })
        .await
    }

    fn replace_password(&self, tx: &mut Tx<'_>, id: SendingAccountId, password: &Password) -> Result<(), TxError> {
        let sealed = self.vault().seal(&password_location(id), password.expose().as_bytes())?;
        let set = (providers::password_key_id.eq(sealed.key_id), providers::password.eq(sealed.bytes));
        diesel::update(providers::table.find(id.to_string())).set(set).execute(tx.conn)?;
        Ok(())
    }
}

fn added(id: SendingAccountId, workspace_id: WorkspaceId, new: NewSendingAccount, now: Timestamp) -> SendingAccount {
    SendingAccount {
        id,
        workspace_id,
        name: new.name,
        smtp: new.smtp,
        protocol: new.protocol,
        username: new.secret.username,
        standing: Standing::untried(true),
        sender: new.sender,
        quotas: new.quotas,
        percentage: new.percentage,
        tracking_domain: new.tracking_domain,
        variables: new.variables,
        last_tested_at: None,
        last_used_at: None,
        created_at: now,
        updated_at: now,
    }
}

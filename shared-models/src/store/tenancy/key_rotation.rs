//! Replacing an API key by a new one, with an overlap in which both open. The end of the old one is a
//! moment in its row, which `authenticate` compares with the clock: it stops although no process runs then.

use std::time::Duration;

use diesel::prelude::*;

use super::api_keys::{ApiKeyRow, find, insert};
use crate::domain::tenancy::{ApiKey, KeyKind, KeyText};
use crate::domain::{ApiKeyId, CoreError, Timestamp};
use crate::store::core::backend::Conn;
use crate::store::core::error::TxError;
use crate::store::schema::api_keys;
use crate::store::{NewApiKey, Store};

/// A key and the one that it replaces.
#[derive(Debug)]
pub struct RotatedKey {
    /// Opens what the replaced one opened.
    pub key: ApiKey,
    /// Its text, returned here and never again.
    pub text: KeyText,
    /// Opens until its `expires_at`.
    pub replaced: ApiKey,
}

impl Store {
    /// Makes a key of the same kind, reach and scopes as `id`, which goes on opening for `overlap`; zero = it
    /// stops at once. Its kind is one of `kinds`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the key is revoked or being replaced, when the one before it still opens (a
    /// workspace has at most two SendKit keys at a time), or when its kind is none of `kinds`.
    pub async fn rotate_api_key(
        &self,
        id: ApiKeyId,
        kinds: &[KeyKind],
        overlap: Duration,
    ) -> Result<RotatedKey, CoreError> {
        let kinds = kinds.to_vec();
        self.write(move |tx| {
            let now = Timestamp::now();
            let old = find(tx.conn, &id.to_string())?;
            check_rotatable(tx.conn, &old, now)?;
            let kind = *kinds.iter().find(|kind| kind.name == old.kind).ok_or(CoreError::Conflict(UNKNOWN_KIND))?;
            let unreplaced = api_keys::table.find(id.to_string()).filter(api_keys::revoked_at.is_null());
            let ended = diesel::update(unreplaced.filter(api_keys::expires_at.is_null()))
                .set(api_keys::expires_at.eq(now.plus(overlap).millis()))
                .execute(tx.conn)?;
            if ended == 0 {
                // Another process was quicker.
                return Err(CoreError::Conflict(UNDER_WAY).into());
            }
            let new = NewApiKey { kind, owner: old.owner_id, workspace: old.workspace_id, scopes: old.scopes };
            let (row, text) = ApiKeyRow::draw(new, Some(id))?;
            let key = insert(tx.conn, row)?;
            Ok(RotatedKey { key, text, replaced: find(tx.conn, &id.to_string())? })
        })
        .await
    }
}

const UNDER_WAY: &str = "it is being replaced already";
const UNKNOWN_KIND: &str = "no dialect has keys of its kind";
/// The kind of which the index `api_keys_one_of_workspace` lets a workspace have one that is not being replaced.
const ONE_OF_WORKSPACE: &str = "sendkit-workspace";

fn check_rotatable(conn: &mut Conn, old: &ApiKey, now: Timestamp) -> Result<(), TxError> {
    let refused = |why| Err(CoreError::Conflict(why).into());
    if old.revoked_at.is_some() {
        return refused("it is revoked");
    }
    match old.expires_at {
        Some(end) if end > now => return refused(UNDER_WAY),
        Some(_) => return refused("it has been replaced"),
        None => {}
    }
    // Not the key itself, which another process may be replacing at this moment.
    let expiring = api_keys::table
        .filter(api_keys::id.ne(old.id.to_string()))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now.millis()));
    let predecessors: i64 = match (&*old.kind, old.workspace_id) {
        // Also where the successor of an expiring key was revoked and a new key made.
        (ONE_OF_WORKSPACE, Some(workspace)) => expiring
            .filter(api_keys::kind.eq(&old.kind))
            .filter(api_keys::workspace_id.eq(workspace.to_string()))
            .count()
            .get_result(conn)?,
        _ => {
            let replaced = api_keys::table.find(old.id.to_string()).select(api_keys::replaces).first(conn)?;
            let replaced: Option<String> = replaced;
            match replaced {
                Some(replaced) => expiring.filter(api_keys::id.eq(replaced)).count().get_result(conn)?,
                None => 0,
            }
        }
    };
    if predecessors > 0 {
        return refused("the key before it still works: wait for its end or revoke it first");
    }
    Ok(())
}

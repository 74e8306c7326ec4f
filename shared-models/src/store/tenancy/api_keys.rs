//! API keys: made here, shown once, stored as SHA-256 and compared in constant time. They have at least 190 random
//! bits, so a slow hash would add nothing but delay.

use diesel::prelude::*;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::tenancy::{ApiKey, KeyKind, KeyText};
use crate::domain::{ApiKeyId, CoreError, OwnerId, Timestamp, WorkspaceId};
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt, is_duplicate};
use crate::store::core::merging::{Lane, Pending, fail};
use crate::store::schema::{api_keys, workspaces};
use crate::store::{Inner, Store};

/// Random characters after the prefix that are kept in clear to find the row.
const HINT_CHARS: usize = 8;

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub(super) struct ApiKeyRow {
    id: String,
    kind: String,
    owner_id: String,
    workspace_id: Option<String>,
    hint: String,
    key_hash: Vec<u8>,
    scopes: String,
    created_at: i64,
    revoked_at: Option<i64>,
    pub(super) last_used_at: Option<i64>,
    expires_at: Option<i64>,
    pub(super) replaces: Option<String>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = TxError;

    fn try_from(row: ApiKeyRow) -> Result<Self, TxError> {
        let workspace_id = row.workspace_id.map(|id| id.parse()).transpose();
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("key id"))?,
            kind: row.kind,
            owner_id: row.owner_id.parse().map_err(|_| corrupt("owner id"))?,
            workspace_id: workspace_id.map_err(|_| corrupt("workspace id"))?,
            hint: row.hint,
            scopes: row.scopes.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect(),
            created_at: Timestamp::from_millis(row.created_at),
            revoked_at: row.revoked_at.map(Timestamp::from_millis),
            expires_at: row.expires_at.map(Timestamp::from_millis),
        })
    }
}

/// The properties of a key that is to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct NewApiKey {
    pub kind: KeyKind,
    pub owner: OwnerId,
    /// Set if, and only if, the kind is bound to a workspace.
    pub workspace: Option<WorkspaceId>,
    /// Empty for everything that the kind allows.
    pub scopes: Vec<String>,
}

impl Store {
    /// Makes a key. The text is returned here and never again.
    ///
    /// # Errors
    /// `AlreadyExists` when the workspace has its one `sendkit-workspace` key.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<(ApiKey, KeyText), CoreError> {
        let (row, text) = ApiKeyRow::draw(new, None)?;
        let key = self.write(move |tx| insert(tx.conn, row)).await?;
        Ok((key, text))
    }

    /// Finds the key with this text, which has to be of one of the `accepted` kinds, and has its use recorded (see
    /// `KeyUses`).
    ///
    /// # Errors
    /// `Unauthenticated` for unknown, revoked and replaced keys and for those of other kinds alike.
    pub async fn authenticate(&self, text: KeyText, accepted: &[KeyKind]) -> Result<ApiKey, CoreError> {
        let kind = *KeyKind::of_text(accepted, &text).ok_or(CoreError::Unauthenticated)?;
        let sent = SentKey { kind: kind.name, hint: hint(kind, &text), hash: hash(&text) };
        let inner = self.inner.clone();
        let found = self.inner.keys.run(sent, move |batch| authenticate_all(&inner, batch)).await?;
        self.note_use(found.key.id, found.last_used_at);
        Ok(found.key)
    }

    /// Revokes a key, effective with the next request. Repeating it changes nothing.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<ApiKey, CoreError> {
        self.write(move |tx| {
            let id = id.to_string();
            diesel::update(api_keys::table.find(&id).filter(api_keys::revoked_at.is_null()))
                .set(api_keys::revoked_at.eq(Timestamp::now().millis()))
                .execute(tx.conn)?;
            find(tx.conn, &id)
        })
        .await
    }

    /// True if the workspace is open and belongs to the owner.
    pub async fn owns_workspace(&self, owner: OwnerId, workspace: WorkspaceId) -> Result<bool, CoreError> {
        self.read(move |conn| {
            let found = workspaces::table
                .find(workspace.to_string())
                .filter(workspaces::owner_id.eq(owner.to_string()))
                .filter(workspaces::deleted_at.is_null());
            Ok(found.count().get_result::<i64>(conn)? == 1)
        })
        .await
    }
}

impl ApiKeyRow {
    /// A key with a new random text.
    pub(super) fn draw(new: NewApiKey, replaces: Option<ApiKeyId>) -> Result<(Self, KeyText), CoreError> {
        let text = random_text(new.kind)?;
        let row = Self {
            id: ApiKeyId::new().to_string(),
            kind: new.kind.name.to_owned(),
            owner_id: new.owner.to_string(),
            workspace_id: new.workspace.map(|id| id.to_string()),
            hint: hint(new.kind, &text),
            key_hash: hash(&text),
            scopes: new.scopes.join(","),
            created_at: Timestamp::now().millis(),
            revoked_at: None,
            last_used_at: None,
            expires_at: None,
            replaces: replaces.map(|id| id.to_string()),
        };
        Ok((row, text))
    }
}

pub(super) fn insert(conn: &mut Conn, row: ApiKeyRow) -> Result<ApiKey, TxError> {
    match diesel::insert_into(api_keys::table).values(&row).execute(conn) {
        Ok(_) => ApiKey::try_from(row),
        Err(error) if is_duplicate(&error) => Err(CoreError::AlreadyExists.into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn find(conn: &mut Conn, id: &str) -> Result<ApiKey, TxError> {
    let row: Option<ApiKeyRow> = api_keys::table.find(id).select(ApiKeyRow::as_select()).first(conn).optional()?;
    row.ok_or(CoreError::NotFound("key"))?.try_into()
}

/// Requests that arrive together are authenticated in one query.
pub(crate) type KeyLane = Lane<SentKey, FoundKey>;

/// The parts of a sent key that are compared.
pub(crate) struct SentKey {
    kind: &'static str,
    hint: String,
    hash: Vec<u8>,
}

/// The key that fits, and when its use was last recorded.
#[derive(Clone)]
pub(crate) struct FoundKey {
    key: ApiKey,
    last_used_at: Option<Timestamp>,
}

fn authenticate_all(inner: &Inner, batch: Vec<Pending<SentKey, FoundKey>>) {
    // One moment for the whole batch: a key that expires meanwhile still opens, as if asked a moment sooner.
    let unexpired = api_keys::expires_at.is_null().or(api_keys::expires_at.gt(Timestamp::now().millis()));
    let mut hints: Vec<&str> = batch.iter().map(|pending| pending.job.hint.as_str()).collect();
    hints.sort_unstable();
    hints.dedup();
    let candidates: Result<Vec<ApiKeyRow>, CoreError> = inner.readers.read(|conn| {
        Ok(both!(conn, |c| api_keys::table
            .filter(api_keys::hint.eq_any(&hints))
            .filter(api_keys::revoked_at.is_null())
            .filter(unexpired)
            .select(ApiKeyRow::as_select())
            .load(c))?)
    });
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(error) => return fail(batch, &error),
    };
    for pending in batch {
        let SentKey { kind, hash, .. } = &pending.job;
        let key = match candidates.iter().find(|row| bool::from(row.key_hash.ct_eq(hash))) {
            Some(row) if row.kind == *kind => found_key(row).map_err(CoreError::from),
            // The text says of which kind a key is, and this text is the row's.
            Some(_) => Err(corrupt("kind of an API key").into()),
            None => Err(CoreError::Unauthenticated),
        };
        pending.answer(key);
    }
}

fn found_key(row: &ApiKeyRow) -> Result<FoundKey, TxError> {
    let last_used_at = row.last_used_at.map(Timestamp::from_millis);
    Ok(FoundKey { key: row.clone().try_into()?, last_used_at })
}

fn hint(kind: KeyKind, text: &KeyText) -> String {
    text.expose().chars().take(kind.prefix.len() + HINT_CHARS).collect()
}

fn hash(text: &KeyText) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.expose().as_bytes()).as_ref().to_vec()
}

/// The text of a new key.
pub(crate) fn random_text(kind: KeyKind) -> Result<KeyText, CoreError> {
    let mut bytes = Zeroizing::new(vec![0; kind.body.length()]);
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CoreError::Internal("the system gives no random numbers".to_owned()))?;
    Ok(KeyText::new(format!("{}{}", kind.prefix, kind.body.write(&bytes))))
}

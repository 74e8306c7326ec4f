//! API keys: made here, shown once, stored as SHA-256 (they carry at least 128 random bits, so a slow hash
//! would add nothing but delay) and compared in constant time.

use diesel::prelude::*;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::tenancy::{ApiKey, KeyKind, KeyText};
use crate::domain::{ApiKeyId, CoreError, OwnerId, Timestamp, WorkspaceId};
use crate::store::core::backend::both;
use crate::store::core::error::{TxError, corrupt, is_duplicate};
use crate::store::core::merging::{Lane, Pending, fail};
use crate::store::schema::{api_keys, workspaces};
use crate::store::{Inner, Store, with_conn};

/// Random characters after the prefix that are kept in clear to find the row.
const HINT_CHARS: usize = 8;

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: String,
    kind: String,
    owner_id: String,
    workspace_id: Option<String>,
    hint: String,
    key_hash: Vec<u8>,
    scopes: String,
    created_at: i64,
    revoked_at: Option<i64>,
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
        })
    }
}

/// What a new key is to open.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Not one that reaches a hosted mailbox.
    pub kind: KeyKind,
    /// Whose key it is.
    pub owner: OwnerId,
    /// Set exactly when the kind is bound to a workspace.
    pub workspace: Option<WorkspaceId>,
    /// Empty = everything that the kind allows.
    pub scopes: Vec<String>,
}

impl Store {
    /// Makes a key. The text is returned here and never again.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<(ApiKey, KeyText), CoreError> {
        let text = random_text(new.kind)?;
        let row = ApiKeyRow {
            id: ApiKeyId::new().to_string(),
            kind: new.kind.name.to_owned(),
            owner_id: new.owner.to_string(),
            workspace_id: new.workspace.map(|id| id.to_string()),
            hint: hint(new.kind, &text),
            key_hash: hash(&text),
            scopes: new.scopes.join(","),
            created_at: Timestamp::now().millis(),
            revoked_at: None,
        };
        let key = self
            .write(move |tx| match diesel::insert_into(api_keys::table).values(&row).execute(tx.conn) {
                Ok(_) => ApiKey::try_from(row),
                Err(error) if is_duplicate(&error) => Err(CoreError::AlreadyExists.into()),
                Err(error) => Err(error.into()),
            })
            .await?;
        Ok((key, text))
    }

    /// Finds the key with this text, which has to be of one of the `accepted` kinds.
    ///
    /// # Errors
    /// `Unauthenticated` for unknown and revoked keys and those of other kinds alike.
    pub async fn authenticate(&self, text: KeyText, accepted: &[KeyKind]) -> Result<ApiKey, CoreError> {
        let kind = *KeyKind::of_text(accepted, &text).ok_or(CoreError::Unauthenticated)?;
        let sent = SentKey { kind: kind.name, hint: hint(kind, &text), hash: hash(&text) };
        let inner = self.inner.clone();
        self.inner.keys.run(sent, move |batch| authenticate_all(&inner, batch)).await
    }

    /// All keys, oldest first, revoked ones included.
    pub async fn list_api_keys(&self) -> Result<Vec<ApiKey>, CoreError> {
        self.read(|conn| {
            let rows: Vec<ApiKeyRow> = api_keys::table.order(api_keys::id).select(ApiKeyRow::as_select()).load(conn)?;
            rows.into_iter().map(ApiKey::try_from).collect()
        })
        .await
    }

    /// Revokes a key, effective with the next request. Repeating it changes nothing.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<ApiKey, CoreError> {
        self.write(move |tx| {
            let id = id.to_string();
            diesel::update(api_keys::table.find(&id).filter(api_keys::revoked_at.is_null()))
                .set(api_keys::revoked_at.eq(Timestamp::now().millis()))
                .execute(tx.conn)?;
            let row: Option<ApiKeyRow> =
                api_keys::table.find(&id).select(ApiKeyRow::as_select()).first(tx.conn).optional()?;
            row.ok_or(CoreError::NotFound("key"))?.try_into()
        })
        .await
    }

    /// Whether an owner may act in a workspace.
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

/// Requests that arrive together ask together.
pub(crate) type KeyLane = Lane<SentKey, ApiKey>;

/// What there is to compare of a key that a caller sent.
pub(crate) struct SentKey {
    kind: &'static str,
    hint: String,
    hash: Vec<u8>,
}

fn authenticate_all(inner: &Inner, batch: Vec<Pending<SentKey, ApiKey>>) {
    let mut hints: Vec<&str> = batch.iter().map(|pending| pending.job.hint.as_str()).collect();
    hints.sort_unstable();
    hints.dedup();
    let candidates: Result<Vec<ApiKeyRow>, CoreError> = with_conn(&inner.readers, |conn| {
        Ok(both!(conn, |c| api_keys::table
            .filter(api_keys::hint.eq_any(&hints))
            .filter(api_keys::revoked_at.is_null())
            .select(ApiKeyRow::as_select())
            .load(c))?)
    });
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(error) => return fail(batch, &error),
    };
    for pending in batch {
        let SentKey { kind, hash, .. } = &pending.job;
        let found = candidates.iter().find(|row| bool::from(row.key_hash.ct_eq(hash)) && row.kind == *kind);
        let key = match found {
            Some(row) => ApiKey::try_from(row.clone()).map_err(CoreError::from),
            None => Err(CoreError::Unauthenticated),
        };
        pending.answer(key);
    }
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

//! Access to hosted mailboxes: keys, suspension, deletion.
//!
//! A key has 200 random bits. The mail servers' queries and logs may show the 60 bits of its prefix, and the API shows
//! the 20 of its suffix. So SHA-256 protects the rest as well as a slow hash would, and a login costs nothing.

use diesel::prelude::*;
use ring::digest;

use crate::domain::hosted::{
    HostedMailbox, HostedStatus, IssuedKey, KEY_PREFIX_CHARS, MAX_KEYS, MailboxKey, name_fault, refused,
};
use crate::domain::tenancy::{KeyKind, KeyText};
use crate::domain::{CoreError, CredentialId, FieldError, HostedMailboxId, Timestamp, WorkspaceId};
use crate::events::Event;
use crate::store::Store;
use crate::store::core::backend::{Conn, Tx, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::core::idempotency::PendingAnswer;
use crate::store::core::vault::hex;
use crate::store::hosted::rows::{NewKeyRow, locked, locked_present, reference, save};
use crate::store::schema::{hosted_mailboxes, mailbox_keys};
use crate::store::sending_domains::filters;
use crate::store::tenancy::api_keys::random_text;
use crate::store::tenancy::owners::return_slots;

/// Characters at the end of a key that are shown later on.
const SUFFIX_CHARS: usize = 4;

/// A key that is made and not stored yet.
pub(crate) struct PreparedKey {
    text: KeyText,
    hash: String,
}

impl PreparedKey {
    pub(crate) fn new(kind: KeyKind) -> Result<Self, CoreError> {
        let text = random_text(kind)?;
        let hash = hash(&text);
        Ok(Self { text, hash })
    }
}

impl Store {
    /// Makes another key for a mailbox, and stores the answer.
    ///
    /// # Errors
    /// In this order: `LimitExceeded` for a mailbox with [`MAX_KEYS`]; `Invalid` for a name with control characters and
    /// for a suspended mailbox.
    pub async fn create_mailbox_key(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
        kind: KeyKind,
        app_name: String,
        answer: PendingAnswer<IssuedKey>,
    ) -> Result<IssuedKey, CoreError> {
        let key = PreparedKey::new(kind)?;
        self.write(move |tx| {
            let mailbox = locked_present(tx.conn, workspace, id)?;
            let keys = mailbox_keys::table
                .filter(mailbox_keys::mailbox_id.eq(id.to_string()))
                .filter(mailbox_keys::revoked_at.is_null());
            let usage: i64 = both!(&mut *tx.conn, |c| keys.count().get_result(c))?;
            if usage >= MAX_KEYS {
                return Err(CoreError::LimitExceeded { usage, limit: MAX_KEYS, requested: 1 }.into());
            }
            let mut faults: Vec<FieldError> = name_fault("app_name", &app_name).into_iter().collect();
            if mailbox.status != HostedStatus::Active {
                faults.push(FieldError::new("status", "must be active: the mailbox is suspended"));
            }
            refused(faults)?;
            let issued = insert_key(tx.conn, &mailbox, app_name, key)?;
            answer.complete(tx, &issued)?;
            Ok(issued)
        })
        .await
    }

    /// Revokes a key: it opens nothing from now on, and its open sessions are closed. Repeating it changes nothing.
    pub async fn revoke_mailbox_key(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
        key: CredentialId,
    ) -> Result<(), CoreError> {
        self.write(move |tx| {
            let mailbox = locked_present(tx.conn, workspace, id)?;
            let key = mailbox_keys::table.find(key.to_string()).filter(mailbox_keys::mailbox_id.eq(id.to_string()));
            let revoked_at: Option<Option<i64>> =
                key.clone().select(mailbox_keys::revoked_at).first(tx.conn).optional()?;
            match revoked_at {
                None => return Err(CoreError::NotFound("key").into()),
                Some(Some(_)) => return Ok(()),
                Some(None) => {}
            }
            let now = Timestamp::now();
            diesel::update(key).set(mailbox_keys::revoked_at.eq(now.millis())).execute(tx.conn)?;
            tx.append(Event::HostedMailboxAccessChanged(reference(&mailbox)), now)
        })
        .await
    }

    /// Suspends a mailbox, or lets a suspended one work again. Repeating it changes nothing.
    ///
    /// # Errors
    /// `Conflict` for a deleted mailbox.
    pub async fn suspend_mailbox(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
        suspend: bool,
    ) -> Result<HostedMailbox, CoreError> {
        self.write(move |tx| {
            let before = locked(tx.conn, workspace, id)?;
            let status = if suspend { HostedStatus::Suspended } else { HostedStatus::Active };
            if before.status == HostedStatus::Deleted {
                return Err(CoreError::Conflict("The mailbox is deleted").into());
            }
            if before.status == status {
                return Ok(before);
            }
            let after = HostedMailbox { status, updated_at: Timestamp::now(), ..before };
            save(tx.conn, &after)?;
            let about = reference(&after);
            let event =
                if suspend { Event::HostedMailboxAccessChanged(about) } else { Event::HostedMailboxResumed(about) };
            tx.append(event, after.updated_at)?;
            Ok(after)
        })
        .await
    }

    /// Deletes a mailbox with its keys and rules, and returns its slot. The record of the mailbox stays.
    pub async fn delete_hosted_mailbox(&self, workspace: WorkspaceId, id: HostedMailboxId) -> Result<(), CoreError> {
        self.write(move |tx| {
            let mailbox = locked_present(tx.conn, workspace, id)?;
            delete(tx, mailbox, Timestamp::now())
        })
        .await
    }

    /// The id of the key with this text, if it opens a mailbox now.
    pub async fn mailbox_key(&self, text: KeyText) -> Result<Option<CredentialId>, CoreError> {
        self.read(move |conn| {
            let id: Option<String> = mailbox_keys::table
                .inner_join(hosted_mailboxes::table)
                .filter(mailbox_keys::key_hash.eq(hash(&text)))
                .filter(mailbox_keys::key_prefix.eq(prefix(&text)))
                .filter(mailbox_keys::revoked_at.is_null())
                .filter(hosted_mailboxes::status.eq(HostedStatus::Active.as_str()))
                .select(mailbox_keys::id)
                .first(conn)
                .optional()?;
            id.map(|id| id.parse()).transpose().map_err(|_| corrupt("key id"))
        })
        .await
    }
}

/// Stores a key of a mailbox whose row the caller holds.
pub(crate) fn insert_key(
    conn: &mut Conn,
    mailbox: &HostedMailbox,
    app_name: String,
    key: PreparedKey,
) -> QueryResult<IssuedKey> {
    let PreparedKey { text, hash } = key;
    let key = MailboxKey {
        id: CredentialId::new(),
        mailbox_id: mailbox.id,
        app_name,
        prefix: prefix(&text),
        suffix: text.expose()[text.expose().len() - SUFFIX_CHARS..].to_owned(),
        created_at: Timestamp::now(),
    };
    let row = NewKeyRow::new(&key, hash);
    both!(conn, |c| diesel::insert_into(mailbox_keys::table).values(&row).execute(c))?;
    Ok(IssuedKey { key, text, username: mailbox.email.clone() })
}

/// Ends a mailbox whose row the caller holds.
pub(crate) fn delete(tx: &mut Tx<'_>, mailbox: HostedMailbox, now: Timestamp) -> Result<(), TxError> {
    let gone = HostedMailbox { status: HostedStatus::Deleted, updated_at: now, ..mailbox };
    save(tx.conn, &gone)?;
    let id = gone.id.to_string();
    diesel::update(hosted_mailboxes::table.find(&id))
        .set(hosted_mailboxes::deleted_at.eq(now.millis()))
        .execute(tx.conn)?;
    let keys = mailbox_keys::table.filter(mailbox_keys::mailbox_id.eq(&id));
    diesel::update(keys.filter(mailbox_keys::revoked_at.is_null()))
        .set(mailbox_keys::revoked_at.eq(now.millis()))
        .execute(tx.conn)?;
    filters::forget(tx.conn, &id)?;
    tx.append(Event::HostedMailboxDeleted(reference(&gone)), now)?;
    return_slots(tx.conn, gone.workspace_id, 1)
}

fn prefix(text: &KeyText) -> String {
    text.expose().chars().take(KEY_PREFIX_CHARS).collect()
}

fn hash(text: &KeyText) -> String {
    hex(digest::digest(&digest::SHA256, text.expose().as_bytes()).as_ref())
}

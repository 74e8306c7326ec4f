//! Owners, their plans and the slots on them.

use diesel::prelude::*;

use crate::domain::tenancy::{Owner, Plan};
use crate::domain::{CoreError, OwnerId, Timestamp, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt, is_duplicate};
use crate::store::schema::{owners, workspaces};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = owners)]
pub(super) struct OwnerRow {
    id: String,
    email: String,
    name: String,
    subscription_active: bool,
    max_mailboxes: Option<i64>,
    mailbox_usage: i64,
    created_at: i64,
}

impl TryFrom<OwnerRow> for Owner {
    type Error = TxError;

    fn try_from(row: OwnerRow) -> Result<Self, TxError> {
        Ok(Self {
            id: row.id.parse().map_err(|_| corrupt("owner id"))?,
            email: row.email,
            name: row.name,
            plan: Plan { subscription_active: row.subscription_active, max_mailboxes: row.max_mailboxes },
            mailbox_usage: row.mailbox_usage,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

impl Store {
    /// Adds an owner with a plan.
    ///
    /// # Errors
    /// `AlreadyExists` if the address is taken.
    pub async fn create_owner(&self, email: &str, plan: Plan) -> Result<Owner, CoreError> {
        let row = OwnerRow {
            id: OwnerId::new().to_string(),
            email: email.to_owned(),
            name: email.split('@').next().unwrap_or(email).to_owned(),
            subscription_active: plan.subscription_active,
            max_mailboxes: plan.max_mailboxes,
            mailbox_usage: 0,
            created_at: Timestamp::now().millis(),
        };
        self.write(move |tx| match diesel::insert_into(owners::table).values(&row).execute(tx.conn) {
            Ok(_) => Owner::try_from(row),
            Err(error) if is_duplicate(&error) => Err(CoreError::AlreadyExists.into()),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Changes an owner's plan. Mailboxes over a smaller limit stay, and no more can be added.
    pub async fn set_plan(&self, email: &str, plan: Plan) -> Result<Owner, CoreError> {
        let email = email.to_owned();
        self.write(move |tx| {
            diesel::update(owners::table.filter(owners::email.eq(&email)))
                .set((
                    owners::subscription_active.eq(plan.subscription_active),
                    owners::max_mailboxes.eq(plan.max_mailboxes),
                ))
                .execute(tx.conn)?;
            owner_by_email(tx.conn, &email)
        })
        .await
    }

    /// Reads the owner with this address.
    pub async fn owner_by_email(&self, email: &str) -> Result<Owner, CoreError> {
        let email = email.to_owned();
        self.read(move |conn| owner_by_email(conn, &email)).await
    }

    /// Reads the owner with this id.
    pub async fn owner(&self, id: OwnerId) -> Result<Owner, CoreError> {
        self.read(move |conn| owner_by_id(conn, &id.to_string())).await
    }

    /// Changes the shown name of an owner.
    pub async fn rename_owner(&self, id: OwnerId, name: String) -> Result<Owner, CoreError> {
        self.write(move |tx| {
            let id = id.to_string();
            diesel::update(owners::table.find(&id)).set(owners::name.eq(name)).execute(tx.conn)?;
            owner_by_id(tx.conn, &id)
        })
        .await
    }

    /// True if no owner was ever added.
    pub async fn is_empty(&self) -> Result<bool, CoreError> {
        self.read(|conn| Ok(owners::table.count().get_result::<i64>(conn)? == 0)).await
    }
}

/// Takes slots on the plan of an owner.
///
/// The UPDATE repeats the rule of [`Owner::check_room`] in SQL, because only the database can decide between requests
/// of the same moment.
pub(crate) fn take_slots(conn: &mut Conn, owner: OwnerId, slots: i64) -> Result<(), TxError> {
    let owner = owner.to_string();
    let fits = owners::max_mailboxes.is_null().or((owners::mailbox_usage + slots).nullable().le(owners::max_mailboxes));
    let taken = both!(&mut *conn, |c| diesel::update(
        owners::table.find(&owner).filter(owners::subscription_active).filter(fits)
    )
    .set(owners::mailbox_usage.eq(owners::mailbox_usage + slots))
    .execute(c))?;
    if taken == 1 {
        return Ok(());
    }
    let owner = owner_by_id(conn, &owner)?;
    owner.check_room(slots)?;
    // Somebody made room after the UPDATE had looked. The refusal stands.
    let limit = owner.plan.max_mailboxes.unwrap_or(i64::MAX);
    Err(CoreError::LimitExceeded { usage: owner.mailbox_usage, limit, requested: slots }.into())
}

/// Checks the plan of an owner for `slots` more mailboxes without taking the slots.
pub(crate) fn check_room(conn: &mut Conn, owner: OwnerId, slots: i64) -> Result<(), TxError> {
    Ok(owner_by_id(conn, &owner.to_string())?.check_room(slots)?)
}

/// Returns slots to the owner of a workspace, after the rows that held them were deleted.
pub(crate) fn return_slots(conn: &mut Conn, workspace: WorkspaceId, slots: i64) -> Result<(), TxError> {
    let owner = workspaces::table.find(workspace.to_string()).select(workspaces::owner_id);
    diesel::update(owners::table.filter(owners::id.eq_any(owner)))
        .set(owners::mailbox_usage.eq(owners::mailbox_usage - slots))
        .execute(conn)?;
    Ok(())
}

fn owner_by_id(conn: &mut Conn, id: &str) -> Result<Owner, TxError> {
    let row: Option<OwnerRow> = owners::table.find(id).select(OwnerRow::as_select()).first(conn).optional()?;
    row.ok_or(CoreError::NotFound("owner"))?.try_into()
}

fn owner_by_email(conn: &mut Conn, email: &str) -> Result<Owner, TxError> {
    let row: Option<OwnerRow> =
        owners::table.filter(owners::email.eq(email)).select(OwnerRow::as_select()).first(conn).optional()?;
    row.ok_or(CoreError::NotFound("owner"))?.try_into()
}

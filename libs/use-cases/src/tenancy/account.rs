//! The owner behind a platform key.

use shared_models::domain::tenancy::Owner;
use shared_models::domain::{CoreError, OwnerId};

use crate::{Account, UseCases};

impl Account {
    /// The owner, for an action that only an owner-wide key may take.
    ///
    /// # Errors
    /// `Forbidden` for the key of one workspace.
    pub fn as_owner(&self) -> Result<OwnerId, CoreError> {
        match self.bound_to {
            None => Ok(self.owner),
            Some(_) => Err(CoreError::Forbidden("This needs a platform key")),
        }
    }
}

impl UseCases {
    /// # Errors
    /// `Forbidden` for the key of one workspace.
    pub async fn owner(&self, account: Account) -> Result<Owner, CoreError> {
        self.store.owner(account.as_owner()?).await
    }

    /// Changes the owner's display name.
    ///
    /// # Errors
    /// `Forbidden` for the key of one workspace.
    pub async fn rename_owner(&self, account: Account, name: String) -> Result<Owner, CoreError> {
        self.store.rename_owner(account.as_owner()?, name).await
    }
}

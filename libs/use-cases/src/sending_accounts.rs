//! Sending accounts: logins at other mail providers through which a tenant sends. Sendmux calls them providers.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::domain::sending_accounts::{
    LoginTestResult, NewSendingAccount, SendingAccount, SendingAccountChange, SendingAccountStatus,
};
use shared_models::domain::{CoreError, SendingAccountId};
use shared_models::events::Event;
use shared_models::store::{LimitIncrease, PendingAnswer, SendingAccountAllowance, SendingAccountQuery};

use crate::{Tenant, UseCases};

/// Suggested to a client whose test has no result in time.
const TEST_RETRY: Duration = Duration::from_secs(5);

impl UseCases {
    /// Adds an account; the first test of its login starts by itself.
    pub async fn create_sending_account(
        &self,
        tenant: Tenant,
        new: NewSendingAccount,
        answer: PendingAnswer<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        let added = self.store.create_sending_account(tenant.workspace, new, answer).await?;
        log::info!("sending_account.id={} added", added.id);
        Ok(added)
    }

    /// # Errors
    /// `NotFound` when the workspace has no such account.
    pub async fn sending_account(&self, tenant: Tenant, id: SendingAccountId) -> Result<SendingAccount, CoreError> {
        self.store.sending_account(tenant.workspace, id).await
    }

    /// One page of accounts, newest first, and true if more follow.
    pub async fn list_sending_accounts(
        &self,
        tenant: Tenant,
        query: SendingAccountQuery,
    ) -> Result<(Vec<SendingAccount>, bool), CoreError> {
        self.store.list_sending_accounts(tenant.workspace, query).await
    }

    /// The ids of all accounts, newest first.
    pub async fn sending_account_ids(&self, tenant: Tenant) -> Result<Vec<SendingAccountId>, CoreError> {
        self.store.sending_account_ids(tenant.workspace).await
    }

    /// Accounts by status; a status without any is left out.
    pub async fn count_sending_accounts(
        &self,
        tenant: Tenant,
    ) -> Result<HashMap<SendingAccountStatus, i64>, CoreError> {
        self.store.count_sending_accounts(tenant.workspace).await
    }

    /// Changes an account; a login that changed is tested by itself.
    ///
    /// # Errors
    /// `Conflict` when the account is not as `expected` any more.
    pub async fn change_sending_account(
        &self,
        tenant: Tenant,
        id: SendingAccountId,
        change: SendingAccountChange,
        expected: Option<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        self.store.change_sending_account(tenant.workspace, id, change, expected).await
    }

    /// Enables or disables an account.
    pub async fn switch_sending_account(
        &self,
        tenant: Tenant,
        id: SendingAccountId,
        on: bool,
    ) -> Result<SendingAccount, CoreError> {
        let switched = self.store.switch_sending_account(tenant.workspace, id, on).await?;
        log::info!("sending_account.id={id} switched {}", if on { "on" } else { "off" });
        Ok(switched)
    }

    /// # Errors
    /// `NotFound` when the workspace has no such account.
    pub async fn delete_sending_account(&self, tenant: Tenant, id: SendingAccountId) -> Result<(), CoreError> {
        self.store.delete_sending_account(tenant.workspace, id).await?;
        log::info!("sending_account.id={id} deleted");
        Ok(())
    }

    /// Tests the login of an account and waits for the result.
    ///
    /// # Errors
    /// `Unavailable` when there is no result in time.
    pub async fn test_sending_account(
        &self,
        tenant: Tenant,
        id: SendingAccountId,
    ) -> Result<LoginTestResult, CoreError> {
        let events = self.events();
        let test = self.store.request_login_test(tenant.workspace, id).await?;
        if let Some(known) = test.result {
            return Ok(known);
        }
        let settles =
            |event: &Event| matches!(event, Event::SendingAccountTested(about) if about.login_test_id == test.id);
        let settled = async || Ok(self.store.login_test(tenant.workspace, test.id).await?.result);
        let result = self.wait_for(events, self.patience, settles, settled).await?;
        result.ok_or_else(|| CoreError::Unavailable {
            retry_after: TEST_RETRY,
            cause: format!("the login test of sending account {id} has no result yet"),
        })
    }

    /// The number of accounts that there are, and that the plan allows.
    pub async fn sending_account_allowance(&self, tenant: Tenant) -> Result<SendingAccountAllowance, CoreError> {
        self.store.sending_account_allowance(tenant.workspace).await
    }

    /// Requests a larger plan. The request stands in the log; the operator changes the owner's plan by hand.
    pub async fn request_limit_increase(&self, tenant: Tenant) -> Result<LimitIncrease, CoreError> {
        let asked = self.store.request_limit_increase(tenant.workspace).await?;
        if let LimitIncrease::Asked(id, allowance) = asked {
            let (workspace, limit) = (tenant.workspace, allowance.limit);
            log::warn!(
                "workspace.id={workspace} asks for more sending accounts than {} (request {id})",
                limit.max_allowed
            );
        }
        Ok(asked)
    }
}

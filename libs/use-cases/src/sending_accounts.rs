//! Sending providers of a tenant.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::domain::sending_accounts::LoginTestResult;
use shared_models::domain::sending_accounts::{
    NewSendingAccount, SendingAccount, SendingAccountChange, SendingAccountStatus,
};
use shared_models::domain::{CoreError, SendingAccountId};
use shared_models::events::Event;
use shared_models::store::{LimitIncrease, PendingAnswer, SendingAccountAllowance, SendingAccountQuery};

use crate::{Tenant, UseCases};

/// When to ask again after that.
const TEST_RETRY: Duration = Duration::from_secs(5);

impl UseCases {
    /// Adds a provider; the first test of its login starts by itself.
    pub async fn create_sending_account(
        &self,
        tenant: Tenant,
        new: NewSendingAccount,
        answer: PendingAnswer<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        let added = self.store.create_sending_account(tenant.workspace, new, answer).await?;
        log::info!("provider.id={} added", added.id);
        Ok(added)
    }

    /// One provider.
    pub async fn provider(&self, tenant: Tenant, id: SendingAccountId) -> Result<SendingAccount, CoreError> {
        self.store.sending_account(tenant.workspace, id).await
    }

    /// Providers, newest first, and whether more follow.
    pub async fn list_sending_accounts(
        &self,
        tenant: Tenant,
        query: SendingAccountQuery,
    ) -> Result<(Vec<SendingAccount>, bool), CoreError> {
        self.store.list_sending_accounts(tenant.workspace, query).await
    }

    /// All of them by id, newest first.
    pub async fn sending_account_ids(&self, tenant: Tenant) -> Result<Vec<SendingAccountId>, CoreError> {
        self.store.sending_account_ids(tenant.workspace).await
    }

    /// How many stand where; statuses without any are left out.
    pub async fn count_sending_accounts(
        &self,
        tenant: Tenant,
    ) -> Result<HashMap<SendingAccountStatus, i64>, CoreError> {
        self.store.count_sending_accounts(tenant.workspace).await
    }

    /// Changes what may be changed; another login is tested by itself.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected` any more.
    pub async fn change_sending_account(
        &self,
        tenant: Tenant,
        id: SendingAccountId,
        change: SendingAccountChange,
        expected: Option<SendingAccount>,
    ) -> Result<SendingAccount, CoreError> {
        self.store.change_sending_account(tenant.workspace, id, change, expected).await
    }

    /// Switches a provider on or off.
    pub async fn switch_sending_account(
        &self,
        tenant: Tenant,
        id: SendingAccountId,
        on: bool,
    ) -> Result<SendingAccount, CoreError> {
        let switched = self.store.switch_sending_account(tenant.workspace, id, on).await?;
        log::info!("provider.id={id} switched {}", if on { "on" } else { "off" });
        Ok(switched)
    }

    /// Removes a provider for good.
    pub async fn delete_sending_account(&self, tenant: Tenant, id: SendingAccountId) -> Result<(), CoreError> {
        self.store.delete_sending_account(tenant.workspace, id).await?;
        log::info!("provider.id={id} deleted");
        Ok(())
    }

    /// Tests a provider's login and waits for the result.
    ///
    /// # Errors
    /// `Unavailable` when there is none in time.
    pub async fn test_provider(&self, tenant: Tenant, id: SendingAccountId) -> Result<LoginTestResult, CoreError> {
        let news = self.news();
        let asked = self.store.request_login_test(tenant.workspace, id).await?;
        if let Some(known) = asked.result {
            return Ok(known);
        }
        let settles =
            |event: &Event| matches!(event, Event::SendingAccountTested(about) if about.login_test_id == asked.id);
        let settled = async || Ok(self.store.login_test(tenant.workspace, asked.id).await?.result);
        let result = self.wait_for(news, self.patience, settles, settled).await?;
        result.ok_or_else(|| CoreError::Unavailable {
            retry_after: TEST_RETRY,
            cause: format!("the test of provider {id} has no result yet"),
        })
    }

    /// How many there are and may be.
    pub async fn sending_account_allowance(&self, tenant: Tenant) -> Result<SendingAccountAllowance, CoreError> {
        self.store.sending_account_allowance(tenant.workspace).await
    }

    /// Asks for more. The operator reads of it in the log and changes the owner's plan.
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

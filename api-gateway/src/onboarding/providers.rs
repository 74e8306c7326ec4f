//! Sending providers of a tenant.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::domain::sending_accounts::ProviderTestResult;
use shared_models::domain::sending_accounts::{NewProvider, ProviderChange, ProviderStatus, SendingProvider};
use shared_models::domain::{DomainError, ProviderId};
use shared_models::events::Event;
use shared_models::store::{LimitIncrease, PendingAnswer, ProviderAllowance, ProviderQuery};

use super::{Onboarding, Tenant};

/// When to ask again after that.
const TEST_RETRY: Duration = Duration::from_secs(5);

impl Onboarding {
    /// Adds a provider; the first test of its login starts by itself.
    pub(crate) async fn create_provider(
        &self,
        tenant: Tenant,
        new: NewProvider,
        answer: PendingAnswer<SendingProvider>,
    ) -> Result<SendingProvider, DomainError> {
        let added = self.store.create_provider(tenant.workspace, new, answer).await?;
        log::info!("provider.id={} added", added.id);
        Ok(added)
    }

    /// One provider.
    pub(crate) async fn provider(&self, tenant: Tenant, id: ProviderId) -> Result<SendingProvider, DomainError> {
        self.store.provider(tenant.workspace, id).await
    }

    /// Providers, newest first, and whether more follow.
    pub(crate) async fn list_providers(
        &self,
        tenant: Tenant,
        query: ProviderQuery,
    ) -> Result<(Vec<SendingProvider>, bool), DomainError> {
        self.store.list_providers(tenant.workspace, query).await
    }

    /// All of them by id, newest first.
    pub(crate) async fn provider_ids(&self, tenant: Tenant) -> Result<Vec<ProviderId>, DomainError> {
        self.store.provider_ids(tenant.workspace).await
    }

    /// How many stand where; statuses without any are left out.
    pub(crate) async fn count_providers(&self, tenant: Tenant) -> Result<HashMap<ProviderStatus, i64>, DomainError> {
        self.store.count_providers(tenant.workspace).await
    }

    /// Changes what may be changed; another login is tested by itself.
    ///
    /// # Errors
    /// `Conflict` when it is not as `expected` any more.
    pub(crate) async fn change_provider(
        &self,
        tenant: Tenant,
        id: ProviderId,
        change: ProviderChange,
        expected: Option<SendingProvider>,
    ) -> Result<SendingProvider, DomainError> {
        self.store.change_provider(tenant.workspace, id, change, expected).await
    }

    /// Switches a provider on or off.
    pub(crate) async fn switch_provider(
        &self,
        tenant: Tenant,
        id: ProviderId,
        on: bool,
    ) -> Result<SendingProvider, DomainError> {
        let switched = self.store.switch_provider(tenant.workspace, id, on).await?;
        log::info!("provider.id={id} switched {}", if on { "on" } else { "off" });
        Ok(switched)
    }

    /// Removes a provider for good.
    pub(crate) async fn delete_provider(&self, tenant: Tenant, id: ProviderId) -> Result<(), DomainError> {
        self.store.delete_provider(tenant.workspace, id).await?;
        log::info!("provider.id={id} deleted");
        Ok(())
    }

    /// Tests a provider's login and waits for the result.
    ///
    /// # Errors
    /// `Unavailable` when there is none in time.
    pub(crate) async fn test_provider(
        &self,
        tenant: Tenant,
        id: ProviderId,
    ) -> Result<ProviderTestResult, DomainError> {
        let news = self.news();
        let asked = self.store.request_provider_test(tenant.workspace, id).await?;
        if let Some(known) = asked.result {
            return Ok(known);
        }
        let settles =
            |event: &Event| matches!(event, Event::ProviderTested(about) if about.provider_test_id == asked.id);
        let settled = async || Ok(self.store.provider_test(tenant.workspace, asked.id).await?.result);
        let result = self.wait_for(news, self.patience, settles, settled).await?;
        result.ok_or_else(|| DomainError::Unavailable {
            retry_after: TEST_RETRY,
            cause: format!("the test of provider {id} has no result yet"),
        })
    }

    /// How many there are and may be.
    pub(crate) async fn provider_allowance(&self, tenant: Tenant) -> Result<ProviderAllowance, DomainError> {
        self.store.provider_allowance(tenant.workspace).await
    }

    /// Asks for more. The operator reads of it in the log and changes the owner's plan.
    pub(crate) async fn request_provider_increase(&self, tenant: Tenant) -> Result<LimitIncrease, DomainError> {
        let asked = self.store.request_provider_increase(tenant.workspace).await?;
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

//! Domains that a tenant sends from.

use std::time::Duration;

use shared_models::domain::sending_domains::{FilterSet, NewDomain, SendingDomain};
use shared_models::domain::{CoreError, DomainId};
use shared_models::events::Event;
use shared_models::store::{DomainCheckAnswer, DomainPage, PendingAnswer};

use crate::{Tenant, UseCases};

/// Suggested to a client when DNS or the DNS checker did not answer in time.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl UseCases {
    /// Adds a domain; it is verified on request.
    pub async fn create_domain(
        &self,
        tenant: Tenant,
        new: NewDomain,
        answer: PendingAnswer<SendingDomain>,
    ) -> Result<SendingDomain, CoreError> {
        let domain = self.store.create_domain(tenant.workspace, new, answer).await?;
        log::info!("domain.id={} added", domain.id);
        Ok(domain)
    }

    /// # Errors
    /// `NotFound` when the workspace has no such domain.
    pub async fn domain(&self, tenant: Tenant, id: DomainId) -> Result<SendingDomain, CoreError> {
        self.store.domain(tenant.workspace, id).await
    }

    /// One page of domains, newest first.
    pub async fn list_domains(
        &self,
        tenant: Tenant,
        after: Option<DomainId>,
        limit: i64,
    ) -> Result<DomainPage, CoreError> {
        self.store.list_domains(tenant.workspace, after, limit).await
    }

    /// Makes a domain receive mail, too.
    ///
    /// # Errors
    /// `Conflict` when the domain is not as `expected` any more.
    pub async fn let_domain_receive(
        &self,
        tenant: Tenant,
        id: DomainId,
        expected: Option<SendingDomain>,
    ) -> Result<SendingDomain, CoreError> {
        self.store.let_domain_receive(tenant.workspace, id, expected).await
    }

    /// Removes a domain.
    ///
    /// # Errors
    /// `Conflict` while a mailbox needs it.
    pub async fn delete_domain(&self, tenant: Tenant, id: DomainId) -> Result<(), CoreError> {
        self.store.delete_domain(tenant.workspace, id).await?;
        log::info!("domain.id={id} removed");
        Ok(())
    }

    /// Requests a check of the domain's records and waits for the result.
    ///
    /// # Errors
    /// `Unavailable` when there is no result in time; `Conflict` when the records are right, but another tenant has
    /// verified the domain.
    pub async fn verify_domain(&self, tenant: Tenant, id: DomainId) -> Result<SendingDomain, CoreError> {
        let events = self.events();
        let request = self.store.request_domain_check(tenant.workspace, id).await?;
        let settles = |event: &Event| match event {
            Event::DomainVerified(about) | Event::DomainVerificationFailed(about) => about.domain_id == id,
            _ => false,
        };
        let answered = async || {
            Ok(match self.store.domain_check_answer(tenant.workspace, id, request).await? {
                DomainCheckAnswer::Waiting => None,
                DomainCheckAnswer::Unclear => Some(Err("a question to DNS was not answered")),
                DomainCheckAnswer::Answered(domain) => Some(Ok(*domain)),
            })
        };
        let answer = self.wait_for(events, self.patience, settles, answered).await?;
        match answer.unwrap_or(Err("the DNS checker did not answer in time")) {
            Ok(domain) if domain.is_taken() => Err(CoreError::Conflict("This domain is in use")),
            Ok(domain) => Ok(domain),
            Err(cause) => Err(CoreError::Unavailable { retry_after: RETRY_AFTER, cause: cause.to_owned() }),
        }
    }

    /// The rules on who may write to the domain.
    pub async fn domain_filters(&self, tenant: Tenant, id: DomainId) -> Result<FilterSet, CoreError> {
        self.store.domain_filters(tenant.workspace, id).await
    }

    /// Replaces all rules of the domain.
    ///
    /// # Errors
    /// `Conflict` when the rules are not as `expected` any more.
    pub async fn set_domain_filters(
        &self,
        tenant: Tenant,
        id: DomainId,
        set: FilterSet,
        expected: Option<FilterSet>,
    ) -> Result<FilterSet, CoreError> {
        self.store.set_domain_filters(tenant.workspace, id, set, expected).await
    }
}

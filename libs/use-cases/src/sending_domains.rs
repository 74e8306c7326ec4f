//! Domains that a tenant sends for.

use std::time::Duration;

use shared_models::domain::sending_domains::FilterSet;
use shared_models::domain::sending_domains::{NewDomain, SendingDomain};
use shared_models::domain::{CoreError, DomainId};
use shared_models::events::Event;
use shared_models::store::{DomainCheckAnswer, DomainPage, PendingAnswer};

use crate::{Tenant, UseCases};

/// When to ask again after DNS, or whoever looks into it, did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl UseCases {
    /// Adds a domain; it is verified when somebody asks for that.
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

    /// One domain.
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

    /// Lets a domain receive mail, too.
    pub async fn let_domain_receive(
        &self,
        tenant: Tenant,
        id: DomainId,
        expected: Option<SendingDomain>,
    ) -> Result<SendingDomain, CoreError> {
        self.store.let_domain_receive(tenant.workspace, id, expected).await
    }

    /// Removes a domain that no mailbox needs.
    pub async fn delete_domain(&self, tenant: Tenant, id: DomainId) -> Result<(), CoreError> {
        self.store.delete_domain(tenant.workspace, id).await?;
        log::info!("domain.id={id} removed");
        Ok(())
    }

    /// Has the records of a domain looked at, and waits for what comes out.
    ///
    /// # Errors
    /// `Unavailable` when nothing comes out in time; `Conflict` when all is well, but another tenant has the
    /// domain as verified.
    pub async fn verify_domain(&self, tenant: Tenant, id: DomainId) -> Result<SendingDomain, CoreError> {
        let news = self.news();
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
        let answer = self.wait_for(news, self.patience, settles, answered).await?;
        match answer.unwrap_or(Err("the DNS checker did not answer in time")) {
            Ok(domain) if domain.is_taken() => Err(CoreError::Conflict("This domain is in use")),
            Ok(domain) => Ok(domain),
            Err(cause) => Err(CoreError::Unavailable { retry_after: RETRY_AFTER, cause: cause.to_owned() }),
        }
    }

    /// Who may write to a domain.
    pub async fn domain_filters(&self, tenant: Tenant, id: DomainId) -> Result<FilterSet, CoreError> {
        self.store.domain_filters(tenant.workspace, id).await
    }

    /// Takes these rules in place of all that the domain had.
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

//! Checks of domains: requests, results and events.

use std::time::Duration;

use shared_models::domain::sending_domains::{CheckReason, DomainChecks, DomainMode, DomainStatus};
use shared_models::domain::{CoreError, DomainId, Timestamp};
use shared_models::events::{DOMAIN_QUEUE, DomainRef, Envelope, Event};
use shared_models::store::{DomainCheckAnswer, Settled, Store};

use crate::sending_domains::domains::COMPLETE;
use crate::support::database::TestDatabase;
use crate::support::tenant::Tenant;

contract!(
    a_request_is_answered_by_a_check_that_began_after_it,
    a_check_counts_once,
    an_unanswered_query_is_noted_and_changes_nothing,
    a_scheduled_failure_has_to_be_confirmed,
    a_domain_that_was_changed_meanwhile_is_checked_again,
    one_workspace_has_a_name_as_verified,
    a_name_that_is_lost_can_be_taken,
    stale_domains_are_asked_about,
    a_domain_that_is_gone,
);

const HOUR: Duration = Duration::from_secs(3600);
const INCOMPLETE: DomainChecks = DomainChecks { spf: false, ..COMPLETE };

/// The next event of a domain's verification.
async fn next(news: &mut tokio::sync::broadcast::Receiver<Event>) -> Event {
    tokio::time::timeout(Duration::from_secs(10), news.recv()).await.unwrap().unwrap()
}

async fn answer(
    tenant: &Tenant,
    id: DomainId,
    request: shared_models::domain::sending_domains::CheckRequest,
) -> DomainCheckAnswer {
    tenant.store.domain_check_answer(tenant.workspace, id, request).await.unwrap()
}

async fn scheduled(store: &Store, database: &TestDatabase, id: DomainId, checks: DomainChecks) {
    database.execute(&format!("UPDATE sending_domains SET asked_at = 1000, answered_at = 1000 WHERE id = '{id}'"));
    assert_eq!(store.request_stale_domain_checks(HOUR, 10).await.unwrap(), 1);
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    assert_eq!(job.reason, CheckReason::Scheduled);
    assert_eq!(store.record_domain_check(job, checks).await.unwrap(), Settled::Stored);
}

async fn a_request_is_answered_by_a_check_that_began_after_it(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.domain("acme.example").await;
    let (id, about) = (domain.id, DomainRef { domain_id: domain.id, workspace_id: tenant.workspace });
    let mut news = store.news();
    let first = store.request_domain_check(tenant.workspace, id).await.unwrap();
    assert_eq!(next(&mut news).await, Event::DomainVerificationRequested(about));
    let early = store.domain_check_job(id).await.unwrap().unwrap();
    assert_eq!((&early.domain, early.request, early.reason), (&domain, first, CheckReason::Asked));
    let second = store.request_domain_check(tenant.workspace, id).await.unwrap();
    assert!(second > first);
    assert_eq!(next(&mut news).await, Event::DomainVerificationRequested(about));
    assert_eq!(answer(&tenant, id, first).await, DomainCheckAnswer::Waiting);

    assert_eq!(store.record_domain_check(early, INCOMPLETE).await.unwrap(), Settled::Stored);
    assert_eq!(next(&mut news).await, Event::DomainVerificationFailed(about));
    let pending = store.domain(tenant.workspace, id).await.unwrap();
    assert_eq!((pending.status, pending.checks), (DomainStatus::Pending, Some(INCOMPLETE)));
    assert!(pending.checked_at.unwrap() >= pending.created_at);
    assert_eq!(answer(&tenant, id, first).await, DomainCheckAnswer::Answered(Box::new(pending)));
    assert_eq!(answer(&tenant, id, second).await, DomainCheckAnswer::Waiting);

    let late = store.domain_check_job(id).await.unwrap().unwrap();
    store.record_domain_check(late, COMPLETE).await.unwrap();
    assert_eq!(next(&mut news).await, Event::DomainVerified(about));
    let verified = store.domain(tenant.workspace, id).await.unwrap();
    assert_eq!((verified.status, verified.verified_at), (DomainStatus::Verified, verified.checked_at));
    for request in [first, second] {
        assert_eq!(answer(&tenant, id, request).await, DomainCheckAnswer::Answered(Box::new(verified.clone())));
    }
    assert!(store.domain_check_job(id).await.unwrap().is_none());
    let queued = store.claim_messages(DOMAIN_QUEUE, 10, HOUR).await.unwrap();
    let queued: Vec<Event> = queued.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event).collect();
    assert_eq!(queued, [Event::DomainVerificationRequested(about); 2]);
}

async fn a_check_counts_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    store.request_domain_check(tenant.workspace, id).await.unwrap();
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    assert_eq!(store.record_domain_check(job.clone(), COMPLETE).await.unwrap(), Settled::Stored);
    let after = store.domain(tenant.workspace, id).await.unwrap();
    assert_eq!(store.record_domain_check(job, INCOMPLETE).await.unwrap(), Settled::Superseded);
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap(), after);
}

async fn an_unanswered_query_is_noted_and_changes_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    let verified = tenant.checked(id, COMPLETE).await;
    let request = store.request_domain_check(tenant.workspace, id).await.unwrap();
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    store.note_unclear_domain_check(job.clone()).await.unwrap();
    assert_eq!(answer(&tenant, id, request).await, DomainCheckAnswer::Unclear);
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap(), verified);
    assert_eq!(store.domain_check_job(id).await.unwrap().as_ref(), Some(&job), "it is still to be made");
    let newer = store.request_domain_check(tenant.workspace, id).await.unwrap();
    assert_eq!(answer(&tenant, id, newer).await, DomainCheckAnswer::Waiting);
    store.record_domain_check(job, COMPLETE).await.unwrap();
    assert!(matches!(answer(&tenant, id, request).await, DomainCheckAnswer::Answered(_)));
}

async fn a_scheduled_failure_has_to_be_confirmed(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.domain("acme.example").await;
    let about = DomainRef { domain_id: domain.id, workspace_id: tenant.workspace };
    let asked = Event::DomainVerificationRequested(about);
    let (id, since) = (domain.id, tenant.checked(domain.id, COMPLETE).await.verified_at);
    let status = async || store.domain(tenant.workspace, id).await.unwrap().status;
    let mut news = store.news();

    scheduled(&store, &database, id, INCOMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Verified));
    scheduled(&store, &database, id, COMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Verified));
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap().verified_at, since, "it always was");
    scheduled(&store, &database, id, INCOMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Verified));
    scheduled(&store, &database, id, INCOMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Failed));
    assert_eq!(next(&mut news).await, Event::DomainVerificationFailed(about));
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap().verified_at, None);
    scheduled(&store, &database, id, INCOMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Failed));
    scheduled(&store, &database, id, COMPLETE).await;
    assert_eq!((next(&mut news).await, status().await), (asked, DomainStatus::Verified));
    assert_eq!(next(&mut news).await, Event::DomainVerified(about));
    assert!(news.is_empty(), "what stays as it is, is no news");
}

async fn a_domain_that_was_changed_meanwhile_is_checked_again(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.try_domain("acme.example", DomainMode::SendOnly).await.unwrap().id;
    store.request_domain_check(tenant.workspace, id).await.unwrap();
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    let changed = store.let_domain_receive(tenant.workspace, id, None).await.unwrap();
    assert_eq!(store.record_domain_check(job, COMPLETE).await.unwrap(), Settled::Superseded);
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap(), changed);
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    assert_eq!(job.domain.mode, DomainMode::SendReceive);
    assert_eq!(store.record_domain_check(job, COMPLETE).await.unwrap(), Settled::Stored);
}

async fn one_workspace_has_a_name_as_verified(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut rivals = vec![tenant.clone()];
    for n in 0..5 {
        let workspace = store.create_workspace(tenant.owner, &format!("rival {n}")).await.unwrap().id;
        rivals.push(Tenant { workspace, ..tenant.clone() });
    }
    let mut jobs = vec![];
    for rival in &rivals {
        let id = rival.domain("acme.example").await.id;
        store.request_domain_check(rival.workspace, id).await.unwrap();
        jobs.push(store.domain_check_job(id).await.unwrap().unwrap());
    }
    let mut recording = tokio::task::JoinSet::new();
    for job in jobs.clone() {
        let store = store.clone();
        recording.spawn(async move { store.record_domain_check(job, COMPLETE).await });
    }
    for result in recording.join_all().await {
        assert_eq!(result.unwrap(), Settled::Stored);
    }
    let mut verified = 0;
    for (rival, job) in rivals.iter().zip(jobs) {
        let domain = store.domain(rival.workspace, job.domain.id).await.unwrap();
        assert_eq!(domain.checks, Some(COMPLETE));
        match domain.status {
            DomainStatus::Verified => verified += 1,
            _ => assert!(domain.is_taken() && domain.verified_at.is_none(), "{domain:?}"),
        }
    }
    assert_eq!(verified, 1);
}

async fn a_name_that_is_lost_can_be_taken(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let (old, new) = (tenant.domain("acme.example").await.id, sibling.domain("acme.example").await.id);
    tenant.checked(old, COMPLETE).await;
    assert!(sibling.checked(new, COMPLETE).await.is_taken());
    assert_eq!(tenant.checked(old, INCOMPLETE).await.status, DomainStatus::Failed, "who asks is told at once");
    assert_eq!(sibling.checked(new, COMPLETE).await.status, DomainStatus::Verified);
    let failed = tenant.checked(old, COMPLETE).await;
    assert!(failed.status == DomainStatus::Failed && failed.is_taken());
}

async fn stale_domains_are_asked_about(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut ids = vec![];
    for name in ["a.example", "b.example", "c.example", "fresh.example"] {
        ids.push(tenant.domain(name).await.id);
    }
    assert_eq!(store.request_stale_domain_checks(HOUR, 10).await.unwrap(), 0);
    for (id, asked_at) in [(ids[1], 1000), (ids[0], 2000), (ids[2], 3000)] {
        database.execute(&format!(
            "UPDATE sending_domains SET asked_at = {asked_at}, answered_at = {asked_at} WHERE id = '{id}'"
        ));
    }
    assert_eq!(store.request_stale_domain_checks(HOUR, 2).await.unwrap(), 2);
    assert_eq!(store.request_stale_domain_checks(HOUR, 2).await.unwrap(), 1);
    assert_eq!(store.request_stale_domain_checks(HOUR, 2).await.unwrap(), 0);
    let asked = store.claim_messages(DOMAIN_QUEUE, 10, HOUR).await.unwrap();
    let about = |id| Event::DomainVerificationRequested(DomainRef { domain_id: id, workspace_id: tenant.workspace });
    let asked: Vec<Event> = asked.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event).collect();
    assert_eq!(asked, [about(ids[1]), about(ids[0]), about(ids[2])], "the oldest first");
    // A request before the scheduled check is made is answered by a check of its own kind.
    store.request_domain_check(tenant.workspace, ids[0]).await.unwrap();
    assert_eq!(store.domain_check_job(ids[0]).await.unwrap().unwrap().reason, CheckReason::Asked);
}

async fn a_domain_that_is_gone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    let request = store.request_domain_check(tenant.workspace, id).await.unwrap();
    assert!(request.0 >= Timestamp::from_millis(0));
    let job = store.domain_check_job(id).await.unwrap().unwrap();
    store.delete_domain(tenant.workspace, id).await.unwrap();
    assert!(store.domain_check_job(id).await.unwrap().is_none());
    store.note_unclear_domain_check(job.clone()).await.unwrap();
    assert_eq!(store.record_domain_check(job, COMPLETE).await.unwrap(), Settled::Superseded);
    let asked = store.domain_check_answer(tenant.workspace, id, request).await;
    assert!(matches!(asked, Err(CoreError::NotFound("domain"))));
}

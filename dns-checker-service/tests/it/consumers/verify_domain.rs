//! Verification of sending domains with a real name server, which publishes the zone file that tenants are given.

use std::sync::Arc;
use std::time::Duration;

use dns_checker_service::{DomainVerifier, DomainWorker, LiveResolver};
use mail_lab::{DnsFault, DnsFront, Knot};
use service_runtime::resolver::DnsResolverSettings;
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::sending_domains::DomainRecords;
use shared_models::domain::sending_domains::{CheckRequest, DomainMode, DomainStatus, NewDomain, SendingDomain};
use shared_models::domain::{DomainId, MailDomain, Timestamp};
use shared_models::events::{DomainRef, Envelope, Event};
use shared_models::store::{DomainCheckAnswer, PendingAnswer};

use super::check_domain::Bench;

const HOST: &str = "mail.platform.test";
const NAME: &str = "acme.test";

struct Lab {
    bench: Bench,
    knot: Knot,
    front: DnsFront,
    worker: DomainWorker,
    id: DomainId,
}

impl Lab {
    async fn start(mode: DomainMode) -> Self {
        let bench = Bench::new().await;
        let knot = Knot::start(&[(NAME, "www A 203.0.113.1")]).unwrap();
        let front = DnsFront::start(knot.addr()).unwrap();
        let settings = DnsResolverSettings { servers: vec![front.addr()], timeout: Duration::from_millis(300) };
        let verifier = DomainVerifier::new(Arc::new(LiveResolver::new(&settings).unwrap()), HOST);
        let worker = DomainWorker::new(bench.store.clone(), verifier, 1);
        let new = NewDomain { name: MailDomain::parse(NAME).unwrap(), mode };
        let id = bench.store.create_domain(bench.workspace, new, PendingAnswer::not_kept()).await.unwrap().id;
        Self { bench, knot, front, worker, id }
    }

    async fn domain(&self) -> SendingDomain {
        self.bench.store.domain(self.bench.workspace, self.id).await.unwrap()
    }

    fn publish(&self, zone: &str) {
        // The records have a time to live of an hour: a cached answer would be the old one.
        self.knot.set_zone(NAME, &format!("www A 203.0.113.1\n{zone}")).unwrap();
    }

    async fn ask(&self) -> CheckRequest {
        self.bench.store.request_domain_check(self.bench.workspace, self.id).await.unwrap()
    }

    async fn handle(&self, attempt: u32) -> Outcome {
        let about = DomainRef { domain_id: self.id, workspace_id: self.bench.workspace };
        let event = Envelope::new(Event::DomainVerificationRequested(about), Timestamp::now());
        self.worker.handle(&event, Attempt(attempt)).await.unwrap()
    }

    /// The domain after a check that was requested and has succeeded.
    async fn verified(&self) -> SendingDomain {
        self.ask().await;
        assert_eq!(self.handle(1).await, Outcome::Done);
        self.domain().await
    }
}

#[tokio::test]
async fn a_domain_is_verified_by_the_zone_file_it_was_given() {
    for mode in DomainMode::ALL {
        let lab = Lab::start(mode).await;
        let zone = DomainRecords::new(&lab.domain().await, HOST).zone_file();
        let before = lab.verified().await;
        assert_eq!(before.status, DomainStatus::Pending);
        assert_eq!(before.checks.unwrap().mx, mode == DomainMode::SendOnly);

        lab.publish(&zone);
        let after = lab.verified().await;
        let checks = after.checks.unwrap();
        assert!(checks.are_complete() && checks.dkim, "{checks:?}");
        assert_eq!((after.status, after.verified_at), (DomainStatus::Verified, after.checked_at));

        lab.publish(&zone.replace("p=quarantine", "p=none"));
        let broken = lab.verified().await;
        assert_eq!((broken.status, broken.checks.unwrap().dmarc), (DomainStatus::Failed, false));
        lab.publish(&zone.replace("v=spf1 a:", "v=spf1 ip4:203.0.113.1 a:").replace("p=quarantine", "p=reject"));
        assert_eq!(lab.verified().await.status, DomainStatus::Verified, "combined and stricter ones pass");
    }
}

#[tokio::test]
async fn a_fault_of_dns_changes_nothing() {
    let lab = Lab::start(DomainMode::SendReceive).await;
    lab.publish(&DomainRecords::new(&lab.domain().await, HOST).zone_file());
    let mut verified = lab.verified().await;
    assert_eq!(verified.status, DomainStatus::Verified);

    for fault in [DnsFault::ServFail, DnsFault::Refused, DnsFault::Drop] {
        lab.front.fault_suffix("bounce.acme.test", fault);
        let request = lab.ask().await;
        let answer = async || lab.bench.store.domain_check_answer(lab.bench.workspace, lab.id, request).await.unwrap();
        assert_eq!(lab.handle(1).await, Outcome::Retry(Duration::from_secs(1)));
        assert_eq!(answer().await, DomainCheckAnswer::Waiting);
        for attempt in [2, 3] {
            assert!(matches!(lab.handle(attempt).await, Outcome::Retry(pause) if pause > Duration::from_secs(5)));
            assert_eq!(answer().await, DomainCheckAnswer::Unclear);
        }
        assert_eq!(lab.handle(4).await, Outcome::Done);
        assert_eq!(lab.domain().await, verified);
        lab.front.clear_faults();
        assert_eq!(lab.handle(1).await, Outcome::Done, "the request is still open");
        assert!(matches!(answer().await, DomainCheckAnswer::Answered(_)));
        let after = lab.domain().await;
        assert_eq!((after.status, after.verified_at), (verified.status, verified.verified_at));
        assert_eq!(lab.handle(1).await, Outcome::Done, "nothing is to be done any more");
        assert_eq!(lab.domain().await, after);
        verified = after;
    }
}

//! The health score of a report.

use dns_checker_service::{DnsChecker, DomainHints, MemoryResolver, health_score};
use shared_models::domain::diagnosis::{DnsReport, DnsStatus};
use std::sync::Arc;

async fn report(statuses: [DnsStatus; 4]) -> DnsReport {
    let checker = DnsChecker::new(Arc::new(MemoryResolver::new()));
    let mut report = checker.check("example.com", &DomainHints::default()).await;
    [report.mx.status, report.spf.status, report.dkim.status, report.dmarc.status] = statuses;
    report
}

#[tokio::test]
async fn weighs_the_parts() {
    use DnsStatus::{Error, Fail, Pass, Warn};
    for (statuses, expected) in [
        ([Pass, Pass, Pass, Pass], Some(100)),
        ([Warn, Warn, Warn, Warn], Some(60)),
        ([Fail, Fail, Fail, Fail], Some(0)),
        ([Pass, Fail, Fail, Fail], Some(30)),
        ([Warn, Fail, Fail, Fail], Some(18)),
        ([Fail, Pass, Fail, Fail], Some(25)),
        ([Fail, Fail, Warn, Fail], Some(15)),
        ([Fail, Fail, Fail, Pass], Some(20)),
        // Left out of the sum and of the weights: 25 of 70.
        ([Error, Pass, Fail, Fail], Some(36)),
        ([Error, Error, Error, Warn], Some(60)),
        ([Error, Error, Error, Error], None),
    ] {
        assert_eq!(health_score(&report(statuses).await), expected, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_better_status_never_lowers_the_score() {
    use DnsStatus::{Error, Fail, Pass, Warn};
    let all = [Fail, Warn, Pass, Error];
    for others in 0..64 {
        let other = |shift: u32| all[(others >> shift) & 3];
        for part in 0..4 {
            let mut scores = Vec::new();
            for status in [Fail, Warn, Pass] {
                let mut statuses = [other(0), other(2), other(4), other(0)];
                statuses[part] = status;
                scores.push(health_score(&report(statuses).await).unwrap());
            }
            assert!(scores.is_sorted(), "{scores:?}");
        }
    }
}

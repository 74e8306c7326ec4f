//! Bounds of a check: it always ends, asks each question once, and a hostile domain cannot make it longer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns_checker_service::resolver::{BoundedResolver, Fault, LookupError, RecordKind, Resolver};
use dns_checker_service::{CheckLimits, DnsChecker, DomainHints, MemoryResolver};
use shared_models::domain::diagnosis::DnsStatus;

fn codes(report: &shared_models::domain::DnsReport) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[tokio::test]
async fn ends_at_the_deadline_with_what_it_knows() {
    let world = MemoryResolver::new()
        .with_mx("example.com", 10, "mail.example.com")
        .with_mx("example.com", 20, "silent.example.com")
        .with_address("mail.example.com", [203, 0, 113, 1].into())
        .with_txt("example.com", "v=spf1 include:silent.example.com -all")
        .with_txt("default._domainkey.example.com", "v=DKIM1; p=")
        .with_fault("silent.example.com", Fault::Hang)
        .with_fault("_dmarc.example.com", Fault::Hang);
    let deadline = Duration::from_millis(50);
    let limits = CheckLimits { deadline, ..CheckLimits::default() };
    let checker = DnsChecker::new(Arc::new(world)).with_limits(limits);
    let start = Instant::now();
    let report = checker.check("example.com", &DomainHints::default()).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(report.mx.status, DnsStatus::Warn);
    assert_eq!(report.spf.status, DnsStatus::Error);
    assert_eq!(report.dkim.status, DnsStatus::Fail);
    assert_eq!(report.dmarc.status, DnsStatus::Error);
    assert_eq!(codes(&report), ["mx_target_lookup_failed", "spf_lookup_failed", "dkim_revoked", "dmarc_lookup_failed"]);
}

#[tokio::test]
async fn asks_each_question_once() {
    let world = MemoryResolver::new()
        .with_mx("example.com", 10, "example.com")
        .with_address("example.com", [203, 0, 113, 1].into())
        .with_txt("example.com", "v=spf1 a mx include:example.com -all");
    let world = Arc::new(world);
    DnsChecker::new(world.clone()).check("example.com", &DomainHints::default()).await;
    let asked = world.asked();
    let different: HashSet<_> = asked.iter().collect();
    assert_eq!(asked.len(), different.len(), "{asked:?}");
}

#[tokio::test]
async fn a_hostile_tree_is_not_followed_to_its_ends() {
    // Each of 20 levels includes the next one ten times under different names: 10^20 look-ups in theory.
    let mut world = MemoryResolver::new()
        .with_mx("example.com", 10, "mail.example.com")
        .with_address("mail.example.com", [203, 0, 113, 1].into())
        .with_txt("example.com", &bush("0"));
    for level in 0..20 {
        for branch in 0..10 {
            let name = format!("b{branch}.l{level}.example.com");
            world = world.with_txt(&name, &bush(&(level + 1).to_string()));
        }
    }
    let world = Arc::new(world);
    let report = DnsChecker::new(world.clone()).check("example.com", &DomainHints::default()).await;
    assert_eq!(report.spf.status, DnsStatus::Fail);
    assert!(codes(&report).contains(&"spf_too_many_lookups"));
    assert_eq!(report.mx.status, DnsStatus::Pass);
    assert!(world.asked().len() < 150, "{}", world.asked().len());
}

fn bush(level: &str) -> String {
    let includes: Vec<String> = (0..10).map(|branch| format!("include:b{branch}.l{level}.example.com")).collect();
    format!("v=spf1 {} -all", includes.join(" "))
}

#[tokio::test]
async fn a_record_with_a_thousand_terms_costs_no_more() {
    let terms: Vec<String> = (0..1000).map(|n| format!("include:i{n}.example.com mx:m{n}.example.com")).collect();
    let world = Arc::new(MemoryResolver::new().with_txt("example.com", &format!("v=spf1 {} -all", terms.join(" "))));
    let report = DnsChecker::new(world.clone()).check("example.com", &DomainHints::default()).await;
    assert_eq!(report.spf.lookups, 2000);
    assert_eq!(report.spf.status, DnsStatus::Fail);
    assert!(world.asked().len() < 60, "{}", world.asked().len());
}

#[tokio::test]
async fn a_question_beyond_the_limit_is_a_temporary_failure() {
    let world = MemoryResolver::new().with_txt("a.example.com", "one").with_txt("b.example.com", "two");
    let bounded = BoundedResolver::new(&world, CheckLimits { max_queries: 1, ..CheckLimits::default() });
    assert!(bounded.texts("a.example.com").await.is_ok());
    assert!(bounded.texts("A.example.com").await.is_ok(), "the same question again is free");
    let refused = bounded.query("b.example.com", RecordKind::Txt).await;
    assert!(matches!(refused, Err(LookupError::Temporary(_))), "{refused:?}");
}

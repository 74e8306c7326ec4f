//! Checks against a real name server, with the faults of real networks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dns_checker_service::{DnsChecker, DomainHints, LiveResolver};
use mail_lab::{DnsFault, DnsFront, Knot};
use service_runtime::resolver::DnsResolverSettings;
use shared_models::domain::DnsReport;
use shared_models::domain::diagnosis::DnsStatus;

/// A valid set-up that uses all parts of a DNS client: an alias, a text in several strings, an answer that needs TCP.
fn zone() -> String {
    let mut zone = String::from(
        "@ MX 10 mail
@ MX 20 alias
mail A 203.0.113.1
mail AAAA 2001:db8::1
alias CNAME mail
@ TXT \"v=spf1 m\" \"x -all\"
_dmarc CNAME policy
policy TXT \"v=DMARC1; p=reject; rua=mailto:d@example.test\"
k1._domainkey TXT \"v=DKIM1; k=ed25519; p=zcMY7ptyww1/PohVWcbpn0zD0uz5NK0aIkvPUvQrUB4=\"
null MX 0 .
old SPF \"v=spf1 -all\"
old A 203.0.113.2
",
    );
    for number in 0..60 {
        zone.push_str(&format!("@ TXT \"verification-{number}={}\"\n", "0123456789abcdef".repeat(4)));
    }
    zone
}

struct Lab {
    _knot: Knot,
    front: DnsFront,
}

impl Lab {
    fn start() -> Self {
        let knot = Knot::start(&[("example.test", &zone())]).unwrap();
        let front = DnsFront::start(knot.addr()).unwrap();
        Self { _knot: knot, front }
    }

    async fn check(&self, domain: &str) -> DnsReport {
        checker(self.front.addr(), Duration::from_secs(2)).check(domain, &DomainHints::default()).await
    }
}

fn checker(server: SocketAddr, timeout: Duration) -> DnsChecker {
    let settings = DnsResolverSettings { servers: vec![server], timeout };
    DnsChecker::new(Arc::new(LiveResolver::new(&settings).unwrap()))
}

fn assert_good(report: &DnsReport) {
    let statuses = [report.mx.status, report.spf.status, report.dkim.status, report.dmarc.status];
    assert_eq!(statuses, [DnsStatus::Warn, DnsStatus::Pass, DnsStatus::Warn, DnsStatus::Pass], "{report:#?}");
    let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["mx_target_cname", "dkim_ed25519_only"]);
    assert_eq!(report.spf.record.as_deref(), Some("v=spf1 mx -all"));
    assert_eq!(report.dkim.selector.as_deref(), Some("k1"));
    assert_eq!(report.dmarc.location.as_deref(), Some("example.test"));
}

#[tokio::test]
async fn reads_a_real_zone() {
    let lab = Lab::start();
    assert_good(&lab.check("example.test").await);
    assert_eq!(lab.front.count("example.test", "MX"), 1);

    let null = lab.check("null.example.test").await;
    assert_eq!(null.findings[0].code, "mx_null");
    assert_eq!(null.mx.records[0].exchange, ".");

    let old = lab.check("old.example.test").await;
    assert!(old.findings.iter().any(|finding| finding.code == "spf_record_type"), "{old:#?}");

    let gone = lab.check("gone.example.test").await;
    assert_eq!(gone.findings[0].code, "domain_not_found");
}

#[tokio::test]
async fn gets_through_truncation_loss_and_forgery() {
    let lab = Lab::start();
    for fault in [DnsFault::Truncate, DnsFault::DropFirst, DnsFault::Spoof] {
        lab.front.clear_faults();
        lab.front.fault_suffix("example.test", fault);
        assert_good(&lab.check("example.test").await);
    }
}

#[tokio::test]
async fn an_error_code_is_an_error_and_never_a_failure() {
    let lab = Lab::start();
    for fault in [DnsFault::ServFail, DnsFault::Refused, DnsFault::NotImp] {
        lab.front.clear_faults();
        lab.front.fault_suffix("example.test", fault);
        assert_all_error(&lab.check("example.test").await);
    }
}

#[tokio::test]
async fn silence_is_an_error_and_never_a_failure() {
    let lab = Lab::start();
    lab.front.fault_suffix("example.test", DnsFault::Drop);
    let impatient = checker(lab.front.addr(), Duration::from_millis(100));
    assert_all_error(&impatient.check("example.test", &DomainHints::default()).await);
}

fn assert_all_error(report: &DnsReport) {
    let codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    let expected = ["mx_lookup_failed", "spf_lookup_failed", "dkim_lookup_failed", "dmarc_lookup_failed"];
    assert_eq!(codes, expected, "{report:#?}");
    assert!(report.findings.iter().all(|finding| finding.status == DnsStatus::Error));
}

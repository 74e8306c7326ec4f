//! The scenarios of `fixtures/domains.jsonl`, one domain a line. A part that a line does not name has the valid set-up
//! below and has to pass. A line may have:
//!
//! - `domain` and `hints`, the arguments of the check;
//! - `mx`, `spf`, `dkim`, `dmarc`: zone lines, relative to `example.com` unless they end with a dot; `@` is `example.com`;
//! - `faults`: name to `servfail` or `timeout`;
//! - `expect`: status of each part that does not pass;
//! - `findings`: exactly these codes;
//! - `values`: JSON pointers into the report;
//! - `not_asked`: names that no question may be about.

use std::collections::BTreeMap;
use std::sync::Arc;

use dns_checker_service::resolver::{Fault, MemoryResolver, RecordData, RecordKind};
use dns_checker_service::{DnsChecker, DomainHints};
use serde::Deserialize;
use serde_json::Value;
use shared_models::domain::diagnosis::{DnsFinding, DnsFindingCode, DnsPart, DnsReport, DnsStatus};

const RSA_2048: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwHoRLvy+9UUJ/WrO4GO98UZUx8jMAdl4tlDLLYtWwiJstsDl5+/0eT65lkC7UNt9hOJr2teLQgyGxatxvQ7/ibD80DPlyV82/GMumfareQavkDZqkB2/XOhjTL8zZyO7rsIYtAlTOhxWT0JuvAg68XoR3N5069RNL0OdZStFcxLIjnX9TcYmzNpu2OeAsbG7rhmQS/708ZFttK1pe2/5ilpqpYwpwZnZo05SSr51Gja6wXPjcajYkBZnzVE44vYREPreh+wsJffbdIFEyy2WWrR9XMFNeoYKQQtjzSLVkABSXx33Opamv09lgEdLlXVdp3EegepdiV02YvNy5RlZOQIDAQAB";
const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDBnyJzZP/RwNRuIT3iOy/+Ap8GHLjzi7nFqvRafzZSUs7BsywLqz+gnpV/8ZhxT+9k4mVKDsSlEjuMp5M+Nsk6Jo7FIvUGLiSqE1+P5YgSeEIpGcQWpIm2K3PrxkqxlGic+IY2IWcR5LF3k9OUy8lhB8UPilKWBaSuPyLU/WgigQIDAQAB";
const RSA_512: &str = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMpyWo1wXUSaThawT1EqZEOsONMGIqCLBhLI3MLqTbubpploWGqcbWkgV7S8M5a7vHfOYeHm8UU+CNJZkamfEIcCAwEAAQ==";
const ED25519: &str = "zcMY7ptyww1/PohVWcbpn0zD0uz5NK0aIkvPUvQrUB4=";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    why: String,
    #[serde(default = "example_com")]
    domain: String,
    #[serde(default)]
    hints: DomainHints,
    #[serde(default = "good_mx")]
    mx: Vec<String>,
    #[serde(default = "good_spf")]
    spf: Vec<String>,
    #[serde(default = "good_dkim")]
    dkim: Vec<String>,
    #[serde(default = "good_dmarc")]
    dmarc: Vec<String>,
    #[serde(default)]
    faults: BTreeMap<String, String>,
    #[serde(default)]
    expect: BTreeMap<String, DnsStatus>,
    #[serde(default)]
    findings: Vec<String>,
    #[serde(default)]
    values: BTreeMap<String, Value>,
    #[serde(default)]
    not_asked: Vec<String>,
}

fn example_com() -> String {
    "example.com".to_owned()
}

fn good_mx() -> Vec<String> {
    vec!["@ MX 10 mail".to_owned(), "mail A 203.0.113.1".to_owned()]
}

fn good_spf() -> Vec<String> {
    vec!["@ TXT v=spf1 mx -all".to_owned()]
}

fn good_dkim() -> Vec<String> {
    vec!["default._domainkey TXT v=DKIM1; k=rsa; p=$RSA2048".to_owned()]
}

fn good_dmarc() -> Vec<String> {
    vec!["_dmarc TXT v=DMARC1; p=reject; rua=mailto:d@example.com".to_owned()]
}

#[tokio::test]
async fn every_scenario_gets_its_verdict() {
    for line in include_str!("../../fixtures/domains.jsonl").lines() {
        let scenario: Scenario = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        check(&scenario).await;
    }
}

async fn check(scenario: &Scenario) {
    let why = &scenario.why;
    let resolver = Arc::new(world(scenario));
    let report = DnsChecker::new(resolver.clone()).check(&scenario.domain, &scenario.hints).await;
    let actual = serde_json::to_value(&report).unwrap();
    for part in ["mx", "spf", "dkim", "dmarc"] {
        let expected = scenario.expect.get(part).copied().unwrap_or(DnsStatus::Pass);
        assert_eq!(status_of(&report, part), expected, "{why}: {part}: {report:#?}");
    }
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, scenario.findings, "{why}: findings: {report:#?}");
    for (pointer, expected) in &scenario.values {
        assert_eq!(actual.pointer(pointer), Some(expected), "{why}: {pointer}: {report:#?}");
    }
    let asked = resolver.asked();
    for name in &scenario.not_asked {
        assert!(asked.iter().all(|(asked, _)| asked != name), "{why}: asked about {name}");
    }
    assert_consistent(why, &report);
}

/// Invariants of every report: a part has the status of its worst finding, and every finding has a remedy.
fn assert_consistent(why: &str, report: &DnsReport) {
    if !report.findings.iter().any(|finding| finding.part == DnsPart::Domain && finding.status == DnsStatus::Fail) {
        for (part, name) in
            [(DnsPart::Mx, "mx"), (DnsPart::Spf, "spf"), (DnsPart::Dkim, "dkim"), (DnsPart::Dmarc, "dmarc")]
        {
            let worst = DnsStatus::worst(report.findings.iter().filter(|finding| finding.part == part));
            assert_eq!(status_of(report, name), worst, "{why}: {name}");
        }
    }
    for DnsFinding { code, part, status, remedy, publish } in &report.findings {
        let known: DnsFindingCode = code.parse().unwrap();
        assert!(known.part() == *part && known.statuses().contains(status), "{why}: {code}: {status:?}");
        assert!(remedy.ends_with('.') && remedy.contains(' '), "{why}: {code}: {remedy:?}");
        if let Some(record) = publish {
            assert!(!record.name.ends_with('.') && !record.value.is_empty(), "{why}: {code}: {record:?}");
        }
    }
}

fn status_of(report: &DnsReport, part: &str) -> DnsStatus {
    match part {
        "mx" => report.mx.status,
        "spf" => report.spf.status,
        "dkim" => report.dkim.status,
        _ => report.dmarc.status,
    }
}

fn world(scenario: &Scenario) -> MemoryResolver {
    let lines = [&scenario.mx, &scenario.spf, &scenario.dkim, &scenario.dmarc].into_iter().flatten();
    let world = lines.fold(MemoryResolver::new(), |world, line| add(world, line));
    scenario.faults.iter().fold(world, |world, (name, fault)| {
        let fault = match fault.as_str() {
            "servfail" => Fault::ServFail,
            "timeout" => Fault::Timeout,
            other => panic!("no such fault: {other}"),
        };
        world.with_fault(&absolute(name), fault)
    })
}

fn add(world: MemoryResolver, line: &str) -> MemoryResolver {
    let mut fields = line.splitn(3, ' ');
    let [owner, kind, data] = [(); 3].map(|()| fields.next().unwrap_or_else(|| panic!("not a record: {line}")));
    let owner = absolute(owner);
    match kind {
        "A" | "AAAA" => world.with_address(&owner, data.parse().unwrap()),
        "CNAME" => world.with_alias(&owner, &absolute(data)),
        "MX" => {
            let (priority, exchange) = data.split_once(' ').unwrap();
            world.with_mx(&owner, priority.parse().unwrap(), &absolute(exchange))
        }
        "TXT" => world.with_txt(&owner, &with_keys(data)),
        "SPF" => world.with(&owner, RecordKind::SpfType, RecordData::Text(data.as_bytes().to_vec())),
        _ => panic!("no such type: {line}"),
    }
}

fn absolute(name: &str) -> String {
    match name {
        "." => String::new(),
        "@" => "example.com".to_owned(),
        _ => name.strip_suffix('.').map_or_else(|| format!("{name}.example.com"), str::to_owned),
    }
}

fn with_keys(text: &str) -> String {
    text.replace("$RSA2048", RSA_2048)
        .replace("$RSA1024", RSA_1024)
        .replace("$RSA512", RSA_512)
        .replace("$ED25519", ED25519)
}

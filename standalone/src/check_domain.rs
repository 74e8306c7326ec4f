//! `mailmoor check-domain`: the DNS check alone, without server and database.

use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dns_checker_service::{DnsChecker, DomainHints, LiveResolver};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use service_runtime::resolver::DnsResolverSettings;
use service_runtime::service::StartError;
use service_runtime::settings::Settings;
use shared_models::domain::DnsReport;
use shared_models::domain::diagnosis::DnsStatus;

use crate::cli::CheckDomainArgs;

/// A line of `--input`.
#[derive(Deserialize)]
struct Case {
    domain: String,
    #[serde(default)]
    input: DomainHints,
}

/// Exit status 0 = every part passes or warns, 1 = a part fails or could not be looked up.
pub(crate) async fn run(config: Option<&Path>, args: CheckDomainArgs) -> Result<ExitCode, StartError> {
    let settings = Settings::load(config).map_err(StartError::new)?;
    let lookups = DnsResolverSettings::from(&settings.dns);
    let checker = DnsChecker::new(Arc::new(LiveResolver::new(&lookups).map_err(StartError::new)?));
    let cases = cases(&args)?;
    let concurrency = args.concurrency.unwrap_or(settings.dns.concurrency).max(1);
    let mut good = true;
    let mut reports = check_all(checker, cases, concurrency);
    while let Some((domain, report)) = reports.next().await {
        good &= statuses(&report).iter().all(|(_, status)| matches!(status, DnsStatus::Pass | DnsStatus::Warn));
        if args.json || args.input.is_some() {
            println!("{}", to_json(&domain, &report));
        } else {
            print_words(&report);
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reports in the order of the cases.
fn check_all(
    checker: DnsChecker,
    cases: Vec<Case>,
    concurrency: usize,
) -> impl Stream<Item = (String, DnsReport)> + Unpin {
    let checks = stream::iter(cases).map(move |case| {
        let checker = checker.clone();
        async move {
            let report = checker.check(&case.domain, &case.input).await;
            (case.domain, report)
        }
    });
    Box::pin(checks.buffered(concurrency))
}

fn cases(args: &CheckDomainArgs) -> Result<Vec<Case>, StartError> {
    let hints = DomainHints {
        smtp_host: args.smtp_host.clone(),
        imap_host: args.imap_host.clone(),
        selectors: args.selectors.clone(),
    };
    let Some(path) = &args.input else {
        return Ok(args.domains.iter().map(|domain| Case { domain: domain.clone(), input: hints.clone() }).collect());
    };
    let fault = |what: String| StartError::new(format!("{}: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|e| fault(e.to_string()))?;
    let mut cases = Vec::new();
    for (number, line) in std::io::BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| fault(e.to_string()))?;
        if !line.trim().is_empty() {
            cases.push(serde_json::from_str(&line).map_err(|e| fault(format!("line {}: {e}", number + 1)))?);
        }
    }
    Ok(cases)
}

fn statuses(report: &DnsReport) -> [(&'static str, DnsStatus); 4] {
    [("mx", report.mx.status), ("spf", report.spf.status), ("dkim", report.dkim.status), ("dmarc", report.dmarc.status)]
}

fn to_json(domain: &str, report: &DnsReport) -> Value {
    json!({
        "domain": domain,
        "mx": {"status": report.mx.status, "count": report.mx.records.len(), "records": report.mx.records},
        "spf": report.spf,
        "dkim": report.dkim,
        "dmarc": report.dmarc,
        "findings": report.findings.iter().map(|finding| &finding.code).collect::<Vec<_>>(),
        "remedies": report.findings,
        "healthScore": report.health_score(),
        "ms": report.millis,
    })
}

fn print_words(report: &DnsReport) {
    let is_silent = statuses(report).iter().all(|(_, status)| *status == DnsStatus::Error);
    let score = if is_silent { "no answer".to_owned() } else { format!("{} of 100", report.health_score()) };
    println!("{}: {score}", report.domain);
    for (name, status) in statuses(report) {
        let word = match status {
            DnsStatus::Pass => "pass",
            DnsStatus::Warn => "warn",
            DnsStatus::Fail => "FAIL",
            DnsStatus::Error => "no answer",
        };
        println!("  {name:<6} {word}");
    }
    for finding in &report.findings {
        println!("  - {}", finding.remedy);
        if let Some(record) = &finding.publish {
            println!("    {} {} {}", record.name, record.record_type, record.value);
        }
    }
}

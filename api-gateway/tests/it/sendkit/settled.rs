//! Results as the verifier and the DNS checker would store them.

use std::time::Duration;

use shared_models::domain::diagnosis::{
    DkimCheck, DmarcCheck, DnsFinding, DnsFindingCode, DnsReport, DnsStatus, MxCheck, MxRecord, SpfCheck,
};
use shared_models::domain::diagnosis::{Leg, LegReport, LoginReport, Observed, Stage};
use shared_models::domain::{FailureCode, Finding};
use shared_models::store::Settlement;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn observed() -> Observed {
    Observed { host: "smtp.mail.example".to_owned(), port: 587, ip: None, tls: None }
}

pub(crate) fn finding(code: FailureCode, leg: Leg, stage: Stage) -> Finding {
    Finding {
        code,
        leg,
        stage,
        class: code.class(),
        fault: code.fault(),
        retry_after: None,
        remedy: format!("what to do about {code}"),
        cause: None,
        server_reply: None,
        observed: observed(),
    }
}

pub(crate) fn accepted(note: Option<Finding>) -> Settlement {
    let leg = || LegReport { observed: observed(), millis: 1, failure: None, warnings: vec![] };
    let report = LoginReport { smtp: leg(), imap: Some(leg()), imap_guessed: note.is_some() };
    Settlement::Accepted { report, note, imap: None }
}

pub(crate) fn refused(finding: Finding) -> Settlement {
    refused_for(finding, WEEK)
}

pub(crate) fn refused_for(finding: Finding, keep_result: Duration) -> Settlement {
    Settlement::Refused { report: None, finding, keep_result }
}

pub(crate) fn wrong_password() -> Settlement {
    refused(finding(FailureCode::AuthBadCredentials, Leg::Smtp, Stage::Auth))
}

/// A report with these verdicts on MX, SPF, DKIM and DMARC.
pub(crate) fn dns([mx, spf, dkim, dmarc]: [DnsStatus; 4]) -> DnsReport {
    let text = |text: &str| Some(text.to_owned());
    DnsReport {
        domain: "mail.example".to_owned(),
        mx: MxCheck { status: mx, records: vec![MxRecord { exchange: "mx.mail.example".to_owned(), priority: 10 }] },
        spf: SpfCheck { status: spf, record: text("v=spf1 -all"), lookups: 0, void: 0 },
        dkim: DkimCheck { status: dkim, selector: text("google"), record: text("v=DKIM1; p=AAAA") },
        dmarc: DmarcCheck {
            status: dmarc,
            policy: text("none"),
            location: text("mail.example"),
            record: text("v=DMARC1; p=none"),
        },
        findings: vec![
            DnsFinding {
                code: "spf_weak".to_owned(),
                ..DnsFinding::new(DnsFindingCode::SpfNeutralAll, "Make it stricter.")
            },
            DnsFinding::new(DnsFindingCode::DmarcMissing, "Publish one.").with_record(
                "_dmarc.mail.example",
                "TXT",
                "v=DMARC1; p=none",
            ),
        ],
        millis: 1,
    }
}

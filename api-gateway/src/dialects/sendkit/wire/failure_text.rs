//! The few error texts that SendKit's clients know, for our many codes.

use shared_models::domain::checks::{Leg, Stage};
use shared_models::domain::{FailureCode, Finding};

/// The text for a finding. The code, the remedy and the server's reply go beside it.
pub(super) fn failure_text(finding: &Finding) -> &'static str {
    let code = finding.code.as_str();
    let timed_out = [
        FailureCode::NetConnectTimeout,
        FailureCode::TlsHandshakeTimeout,
        FailureCode::ProtoGreetingTimeout,
        FailureCode::SysDeadline,
    ];
    match code.split('_').next().unwrap_or_default() {
        _ if finding.code == FailureCode::CfgFieldMissing => "Missing SMTP host or password",
        _ if timed_out.contains(&finding.code) => "Connection timed out",
        "AUTH" | "POLICY" | "OAUTH" => "Authentication failed. Check username/password.",
        "TLS" => "TLS negotiation failed",
        _ if finding.code == FailureCode::CfgPortTlsMismatch => "TLS negotiation failed",
        // What the last try of several met is told by its stage.
        "SYS" if finding.stage == Stage::Tls || finding.stage == Stage::Starttls => "TLS negotiation failed",
        "SYS" if finding.stage == Stage::Auth => "Authentication failed. Check username/password.",
        _ if finding.leg == Leg::Imap => "Could not connect to IMAP server",
        _ => "Could not connect to SMTP server",
    }
}

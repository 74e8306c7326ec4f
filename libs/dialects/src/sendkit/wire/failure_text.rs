//! The few error texts that SendKit's clients know, for our many codes.

use shared_models::domain::diagnosis::Leg;
use shared_models::domain::{FailureCode, Finding};

/// The text for a finding. The code, the remedy and the server's reply go beside it. If all attempts
/// were used up, the text describes the failure of the last one.
pub(super) fn failure_text(finding: &Finding) -> &'static str {
    let code = finding.cause.unwrap_or(finding.code);
    match code {
        FailureCode::CfgFieldMissing => "Missing SMTP host or password",
        FailureCode::CfgPortTlsMismatch => "TLS negotiation failed",
        FailureCode::NetConnectTimeout
        | FailureCode::TlsHandshakeTimeout
        | FailureCode::ProtoGreetingTimeout
        | FailureCode::SysDeadline => "Connection timed out",
        _ => match (code.as_str().split('_').next().unwrap_or_default(), finding.leg) {
            ("AUTH" | "POLICY" | "OAUTH", _) => "Authentication failed. Check username/password.",
            ("TLS", _) => "TLS negotiation failed",
            (_, Leg::Smtp) => "Could not connect to SMTP server",
            (_, Leg::Imap) => "Could not connect to IMAP server",
        },
    }
}

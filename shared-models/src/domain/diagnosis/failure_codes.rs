//! The stable codes of everything that can go wrong between a mailbox and us, with class, fault and
//! the words for the end user. Texts may change, codes never do; new ones are added, none is reused.
//!
//! A code's class, fault and remedy are defaults: the rule that recognises a server's reply may
//! know better and then says so in the [`Finding`](crate::domain::diagnosis::Finding). The codes of the DNS
//! check are in [`dns_report`](crate::domain::diagnosis).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::diagnosis::{Class, Fault};

macro_rules! failure_codes {
    ($($variant:ident, $wire:literal, $class:ident, $fault:ident, $remedy:literal;)+) => {
        /// What went wrong, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureCode {
            $(#[doc = concat!("`", $wire, "`: ", $remedy)] $variant,)+
        }

        impl FailureCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire, for example `AUTH_BAD_CREDENTIALS`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// Whether repeating can help, where nothing better is known.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class),+ }
            }

            /// Who can put it right, where nothing better is known.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault),+ }
            }

            /// The words for the end user with `{placeholders}`; see [`fill`].
            pub const fn remedy_template(self) -> &'static str {
                match self { $(Self::$variant => $remedy),+ }
            }
        }

        impl FromStr for FailureCode {
            type Err = UnknownFailureCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($wire => Ok(Self::$variant),)+ _ => Err(UnknownFailureCode) }
            }
        }
    };
}

failure_codes! {
    // Configuration, before any network.
    CfgFieldMissing, "CFG_FIELD_MISSING", Permanent, User, "Fill in the missing field: {field}.";
    CfgEmailInvalid, "CFG_EMAIL_INVALID", Permanent, User, "Enter a full address such as name@company.com.";
    CfgHostInvalid, "CFG_HOST_INVALID", Permanent, User, "Enter only the server name, e.g. mail.company.com.";
    CfgPortInvalid, "CFG_PORT_INVALID", Permanent, User, "Enter a port from 1 to 65535; usual ones are {ports}.";
    CfgValueInvalid, "CFG_VALUE_INVALID", Permanent, User, "Correct this value: {field}.";
    CfgRowMisaligned, "CFG_ROW_MISALIGNED", Permanent, User, "The row does not fit the header; put values that contain the separator in quotation marks.";
    CfgPortTlsMismatch, "CFG_PORT_TLS_MISMATCH", Permanent, User, "Port {port} expects {other_mode}. Use 465 or 993 with SSL/TLS, or 587 or 143 with STARTTLS.";
    CfgProtocolSwapped, "CFG_PROTOCOL_SWAPPED", Permanent, User, "You entered the {found} server in the {wanted} field; swap the two.";
    CfgPortNotSubmission, "CFG_PORT_NOT_SUBMISSION", Permanent, User, "Use port 587 (STARTTLS) or 465 (SSL/TLS); port {port} is not for mail programs and is often blocked.";
    CfgMxHostUsed, "CFG_MX_HOST_USED", Permanent, User, "{host} only receives mail from other servers. For {provider} use {preset}.";
    CfgUsernameForm, "CFG_USERNAME_FORM", Permanent, User, "{provider} expects {form} as the user name.";
    CfgPasswordSpaces, "CFG_PASSWORD_SPACES", Warning, Us, "The spaces inside the app password were ignored.";
    CfgWrongRegion, "CFG_WRONG_REGION", Permanent, User, "Your Zoho account lives in {region}; use imap.zoho.{tld} and smtp.zoho.{tld} (organisations: imappro and smtppro).";
    CfgAlreadyExists, "CFG_ALREADY_EXISTS", Permanent, User, "This mailbox is already connected; update it instead.";
    // Resolving, egress, connecting.
    NetHostNotFound, "NET_HOST_NOT_FOUND", Permanent, User, "There is no server named {host}. Check the spelling.";
    NetTargetForbidden, "NET_TARGET_FORBIDDEN", Permanent, User, "This server address is not allowed.";
    NetNoAddress, "NET_NO_ADDRESS", Permanent, User, "{host} has no address; ask your provider for the right server name.";
    NetDnsTemporary, "NET_DNS_TEMPORARY", Temporary, Net, "The name could not be looked up just now; we will try again.";
    NetConnectRefused, "NET_CONNECT_REFUSED", Permanent, User, "Nothing answers on {host}:{port}. Check the port; usual ones are {ports}.";
    NetConnectTimeout, "NET_CONNECT_TIMEOUT", Temporary, Server, "{host} did not answer in {seconds} s; its firewall may block us. Ask your provider to allow our addresses.";
    NetEgressBlocked, "NET_EGRESS_BLOCKED", Temporary, Us, "Temporarily unavailable; we will try again.";
    NetUnreachable, "NET_UNREACHABLE", Temporary, Net, "{host} is unreachable from here; we will try again.";
    NetReset, "NET_RESET", Temporary, Server, "The server closed the connection; we will try again.";
    NetWeAreBlocked, "NET_WE_ARE_BLOCKED", Permanent, Us, "The server refuses our address; ask your provider to allow it.";
    // TLS.
    TlsCertExpired, "TLS_CERT_EXPIRED", Permanent, Server, "The certificate of {host} expired on {date}; ask your provider to renew it.";
    TlsCertSelfSigned, "TLS_CERT_SELF_SIGNED", Permanent, Server, "{host} uses a private certificate (SHA-256 {fingerprint}). Ask your provider to install a public one, or have its CA trusted here.";
    TlsCertUntrusted, "TLS_CERT_UNTRUSTED", Permanent, Server, "The certificate chain of {host} is incomplete or from an unknown issuer; your provider must install the intermediate certificate.";
    TlsCertNameMismatch, "TLS_CERT_NAME_MISMATCH", Permanent, User, "The certificate is for {names}. Enter one of these as the server name.";
    TlsCertNotYetValid, "TLS_CERT_NOT_YET_VALID", Permanent, Server, "The certificate of {host} is not valid yet; check the server's clock.";
    TlsVersionTooOld, "TLS_VERSION_TOO_OLD", Permanent, Server, "{host} only offers outdated encryption; ask for TLS 1.2 or newer.";
    TlsNoSharedCipher, "TLS_NO_SHARED_CIPHER", Permanent, Server, "{host} and we share no modern cipher; ask your provider to enable ECDHE with AES-GCM.";
    TlsHandshakeTimeout, "TLS_HANDSHAKE_TIMEOUT", Temporary, Server, "The encrypted connection did not start in time; we will try again.";
    TlsNotOffered, "TLS_NOT_OFFERED", Permanent, Server, "{host}:{port} offers no encryption. Use port 465 (SMTP) or 993 (IMAP) or another server; we never send passwords in clear.";
    TlsStarttlsFailed, "TLS_STARTTLS_FAILED", Permanent, Server, "The server failed to start encryption; try port 465 (SMTP) or 993 (IMAP), or tell your provider.";
    TlsRequired, "TLS_REQUIRED", Permanent, User, "This server wants encryption; choose STARTTLS (587/143) or SSL/TLS (465/993).";
    TlsPlaintextInjected, "TLS_PLAINTEXT_INJECTED", Permanent, Server, "The connection was tampered with or the server is faulty; we stopped before sending your password.";
    // Greeting, capabilities.
    ProtoGreetingTimeout, "PROTO_GREETING_TIMEOUT", Temporary, Server, "The server is slow to answer; we will try again.";
    ProtoGreetingRefused, "PROTO_GREETING_REFUSED", Temporary, Server, "The server does not accept connections now.";
    ProtoUnexpected, "PROTO_UNEXPECTED", Permanent, User, "{host}:{port} is not a mail server of this kind. Check server name and port.";
    ProtoFlood, "PROTO_FLOOD", Permanent, Server, "The server's answer is not valid; check the server name.";
    ProtoHeloRefused, "PROTO_HELO_REFUSED", Permanent, Us, "The server does not accept our name; we have to put this right. Please contact our support.";
    AuthMechUnavailable, "AUTH_MECH_UNAVAILABLE", Permanent, Server, "{host}:{port} does not accept password sign-in; use the submission port 587 or 465.";
    AuthNotRequired, "AUTH_NOT_REQUIRED", Warning, User, "The server needs no password; remove it or use the authenticated port.";
    ProtoSaslArgument, "PROTO_SASL_ARGUMENT", Permanent, Us, "The server did not understand how we sign in. Please contact our support.";
    // Signing in: credentials.
    AuthBadCredentials, "AUTH_BAD_CREDENTIALS", Permanent, User, "The server refused this user name and password. Sign in to webmail with them, then paste them again.";
    AuthAppPasswordRequired, "AUTH_APP_PASSWORD_REQUIRED", Permanent, User, "{provider} wants an app password instead of your own: create one in its security settings and paste it here.";
    AuthAppPasswordLikely, "AUTH_APP_PASSWORD_LIKELY", Permanent, User, "{provider} needs an app password created in its security settings; check the user name too.";
    AuthWebLoginRequired, "AUTH_WEB_LOGIN_REQUIRED", Permanent, User, "{provider} blocked a sign-in from a new place. Sign in once in a browser, confirm that it was you, then test again.";
    AuthAccountLocked, "AUTH_ACCOUNT_LOCKED", Permanent, Admin, "The account is locked or suspended; unlock it with your provider first.";
    AuthPasswordExpired, "AUTH_PASSWORD_EXPIRED", Permanent, User, "Your mail password has expired; set a new one and update it here.";
    // Signing in: policy of the provider.
    PolicyBasicAuthDisabled, "POLICY_BASIC_AUTH_DISABLED", Permanent, Admin, "Microsoft no longer accepts passwords (not even app passwords) here. Connect with \"Sign in with Microsoft\".";
    PolicySmtpAuthDisabled, "POLICY_SMTP_AUTH_DISABLED", Permanent, Admin, "Your Microsoft 365 administrator must tick Users > {login} > Mail > Manage email apps > Authenticated SMTP.";
    PolicySecurityDefaults, "POLICY_SECURITY_DEFAULTS", Permanent, Admin, "Entra \"security defaults\" block this sign-in; use Sign in with Microsoft, or ask the administrator.";
    PolicyConditionalAccess, "POLICY_CONDITIONAL_ACCESS", Permanent, Admin, "A Conditional Access rule blocks our sign-in; ask the administrator to exempt this mailbox or our addresses.";
    PolicyImapDisabled, "POLICY_IMAP_DISABLED", Permanent, User, "IMAP is switched off: open {provider} settings > IMAP access > enable, then test again.";
    PolicyImapDisabledAdmin, "POLICY_IMAP_DISABLED_ADMIN", Permanent, Admin, "Your administrator has switched IMAP off for the whole domain.";
    PolicyImapDisabledLikely, "POLICY_IMAP_DISABLED_LIKELY", Permanent, User, "Either the password is wrong or IMAP is off. Enable IMAP in {provider} settings first, then try an app password.";
    PolicyClientAccessDisabled, "POLICY_CLIENT_ACCESS_DISABLED", Permanent, User, "Allow mail clients and app passwords in the settings of {provider} (Yandex Mail: Settings > Email clients > imap.yandex.com).";
    PolicyPlanWithoutClientAccess, "POLICY_PLAN_WITHOUT_CLIENT_ACCESS", Permanent, User, "Your plan at {provider} has no IMAP/SMTP; upgrade or use its bridge.";
    PolicyGeoBlocked, "POLICY_GEO_BLOCKED", Permanent, Admin, "Your provider blocks sign-ins from our country; allow it or ask for another region.";
    AuthOkNotConnected, "AUTH_OK_NOT_CONNECTED", Permanent, Admin, "Sign-in worked but the mailbox is not usable: check the licence, that IMAP is on, and the shared-mailbox user name.";
    PolicyClientIdRequired, "POLICY_CLIENT_ID_REQUIRED", Permanent, Us, "{provider} does not accept our program yet. Allow third-party mail clients in its settings, then test again.";
    OauthTokenInvalid, "OAUTH_TOKEN_INVALID", Permanent, User, "The permission was withdrawn or expired; connect again.";
    OauthScopeMissing, "OAUTH_SCOPE_MISSING", Permanent, User, "Connect again and leave every box ticked.";
    OauthTemporary, "OAUTH_TEMPORARY", Temporary, Net, "{provider} is busy; we will try again.";
    // Limits and temporary states.
    LimitLoginRate, "LIMIT_LOGIN_RATE", Temporary, User, "The provider paused sign-ins; wait 60 minutes (do not retry by hand), then test again.";
    LimitConnections, "LIMIT_CONNECTIONS", Temporary, User, "Too many programs are signed in to this mailbox; close some, we try again in a few minutes.";
    LimitServerBusy, "LIMIT_SERVER_BUSY", Temporary, Server, "The provider is busy; we will try again.";
    LimitAuthBackend, "LIMIT_AUTH_BACKEND", Temporary, Server, "The provider could not check the password just now; we will try again.";
    LimitGreylisted, "LIMIT_GREYLISTED", Temporary, Server, "The receiving server asks to wait (greylisting); this is normal.";
    LimitSendQuota, "LIMIT_SEND_QUOTA", Temporary, User, "The mailbox has used its sending quota; it opens again later, at most after a day.";
    LimitBandwidth, "LIMIT_BANDWIDTH", Temporary, User, "The daily IMAP allowance is used up; we will try again tomorrow.";
    LimitPlanFull, "LIMIT_PLAN_FULL", Permanent, User, "Your plan has no place for another mailbox; remove one or upgrade, then import this row again.";
    LimitNoSubscription, "LIMIT_NO_SUBSCRIPTION", Permanent, User, "Your subscription has ended; renew it, then import this row again.";
    // After sign-in: sender and folders.
    SendFromNotOwned, "SEND_FROM_NOT_OWNED", Permanent, User, "{login} may not send as {from}; add {from} as an alias at your provider or use the same address.";
    SendRelayDenied, "SEND_RELAY_DENIED", Permanent, User, "The server treats us as a stranger: use the submission port and sign in.";
    SendAccountBlocked, "SEND_ACCOUNT_BLOCKED", Permanent, Admin, "Your provider suspended sending for this mailbox; contact its support.";
    SendTestRecipientRefused, "SEND_TEST_RECIPIENT_REFUSED", Warning, Us, "The recipient of our test message was refused; this says nothing about your mailbox.";
    ImapInboxUnavailable, "IMAP_INBOX_UNAVAILABLE", Permanent, Admin, "The mailbox has no readable inbox; open it once in webmail.";
    ImapSessionEnded, "IMAP_SESSION_ENDED", Temporary, Server, "The session ended early; we will try again.";
    ImapMailboxFull, "IMAP_MAILBOX_FULL", Warning, User, "The mailbox is full; incoming mail is being refused.";
    // Our own system.
    SysQueueUnavailable, "SYS_QUEUE_UNAVAILABLE", Temporary, Us, "Saved; verification starts as soon as the service is back.";
    SysDeadline, "SYS_DEADLINE", Temporary, Us, "The check took too long; we will try again.";
    SysAttemptsExhausted, "SYS_ATTEMPTS_EXHAUSTED", Permanent, Us, "We could not reach {host} for {hours} h. Check it and press Test again.";
    SysSecretUnreadable, "SYS_SECRET_UNREADABLE", Permanent, Us, "Enter the password again.";
    SysSuperseded, "SYS_SUPERSEDED", Warning, Us, "A newer test is running.";
}

/// What stands for a placeholder when no value is known, so that a sentence never shows a brace.
const DEFAULTS: &[(&str, &str)] = &[
    ("date", "a day in the past"),
    ("field", "server, user name or password"),
    ("fingerprint", "unknown"),
    ("form", "another form of the address"),
    ("found", "other"),
    ("from", "this sender"),
    ("host", "the server"),
    ("hours", "several"),
    ("login", "this user"),
    ("names", "another server name"),
    ("other_mode", "the other kind of encryption"),
    ("port", "this port"),
    ("ports", "465 and 587 for SMTP, 993 and 143 for IMAP"),
    ("preset", "the server named in its help pages"),
    ("provider", "Your provider"),
    ("region", "another region"),
    ("seconds", "several"),
    ("tld", "eu, .in or .com"),
    ("wanted", "wrong"),
];

/// Replaces each `{placeholder}` of a remedy by its value in `values`, or by a neutral word.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let value = values.iter().chain(DEFAULTS).find(|(key, _)| *key == name);
        out.push_str(value.map_or("", |(_, text)| text));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The text is no failure code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown failure code")]
pub struct UnknownFailureCode;

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FailureCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FailureCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_survive_the_wire() {
        let mut seen = HashSet::new();
        for &code in FailureCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(code.as_str().parse(), Ok(code));
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<FailureCode>(&json).unwrap(), code);
        }
        assert_eq!("AUTH_NO_SUCH_CODE".parse::<FailureCode>(), Err(UnknownFailureCode));
    }

    #[test]
    fn every_remedy_reads_well_without_values() {
        for &code in FailureCode::ALL {
            let text = fill(code.remedy_template(), &[]);
            assert!(!text.contains(['{', '}']) && !text.contains("  "), "{code}: {text}");
            assert!(text.ends_with(['.', ')']) && !text.starts_with('('), "{code}: {text}");
        }
    }

    #[test]
    fn values_take_the_place_of_placeholders() {
        let text = fill(
            FailureCode::NetConnectRefused.remedy_template(),
            &[("host", "h.example"), ("port", "2525"), ("ports", "465, 587")],
        );
        assert_eq!(text, "Nothing answers on h.example:2525. Check the port; usual ones are 465, 587.");
        assert_eq!(fill("open { brace", &[]), "open { brace");
    }
}

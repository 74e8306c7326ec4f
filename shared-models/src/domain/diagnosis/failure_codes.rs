//! The stable codes of everything that can go wrong between a mailbox and us: one named row for each.
//!
//! Codes never change and none is used twice; texts may change. Class, fault and remedy of a row are defaults: the rule
//! that recognises a server's reply may know better, and then says so in the
//! [`Finding`](crate::domain::diagnosis::Finding). The DNS check has findings of its own.
//!
//! To add a code, add a row, and make it where the fault is recognised. A test finds rows that nothing makes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::diagnosis::category::Category;
use crate::domain::diagnosis::fault::{Class, Fault};

macro_rules! failure_codes {
    ($($variant:ident {
        wire: $wire:literal, category: $category:ident, class: $class:ident, fault: $fault:ident,
        $(reserved: $reserved:literal,)?
        remedy: $remedy:literal
    })+) => {
        /// A stable code. Its string is its identity; the name in the code may change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureCode {
            $(#[doc = concat!("`", $wire, "`: ", $remedy)] $variant,)+
        }

        impl FailureCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code on the wire, for example `AUTH_BAD_CREDENTIALS`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }

            /// The name of the variant, for example `AuthBadCredentials`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The part of a connection attempt that it belongs to.
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category),+ }
            }

            /// True if repeating can help, unless a finding says otherwise.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class),+ }
            }

            /// The party that can put it right, unless a finding says otherwise.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault),+ }
            }

            /// The words for the end user with `{placeholders}`; see [`fill`](crate::domain::diagnosis::fill).
            pub const fn remedy_template(self) -> &'static str {
                match self { $(Self::$variant => $remedy),+ }
            }

            /// The feature that will make this code; `None` for a code that is made today.
            pub const fn reserved_for(self) -> Option<&'static str> {
                match self { $(Self::$variant => failure_codes!(@reserved $($reserved)?)),+ }
            }
        }

        impl FromStr for FailureCode {
            type Err = UnknownFailureCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($wire => Ok(Self::$variant),)+ _ => Err(UnknownFailureCode) }
            }
        }
    };
    (@reserved $reserved:literal) => { Some($reserved) };
    (@reserved) => { None };
}

failure_codes! {
    // Configuration, before any network.
    CfgFieldMissing { wire: "CFG_FIELD_MISSING", category: Config, class: Permanent, fault: User,
        remedy: "Fill in the missing field: {field}." }
    CfgEmailInvalid { wire: "CFG_EMAIL_INVALID", category: Config, class: Permanent, fault: User,
        remedy: "Enter a full address such as name@company.com." }
    CfgHostInvalid { wire: "CFG_HOST_INVALID", category: Config, class: Permanent, fault: User,
        remedy: "Enter only the server name, e.g. mail.company.com." }
    CfgPortInvalid { wire: "CFG_PORT_INVALID", category: Config, class: Permanent, fault: User,
        remedy: "Enter a port from 1 to 65535; usual ones are {ports}." }
    CfgValueInvalid { wire: "CFG_VALUE_INVALID", category: Config, class: Permanent, fault: User,
        remedy: "Correct this value: {field}." }
    CfgRowMisaligned { wire: "CFG_ROW_MISALIGNED", category: Config, class: Permanent, fault: User,
        remedy: "The row does not fit the header; put values that contain the separator in quotation marks." }
    CfgPortTlsMismatch { wire: "CFG_PORT_TLS_MISMATCH", category: Config, class: Permanent, fault: User,
        remedy: "Port {port} expects {other_mode}. Use 465 or 993 with SSL/TLS, or 587 or 143 with STARTTLS." }
    CfgProtocolSwapped { wire: "CFG_PROTOCOL_SWAPPED", category: Config, class: Permanent, fault: User,
        remedy: "You entered the {found} server in the {wanted} field; swap the two." }
    CfgPortNotSubmission { wire: "CFG_PORT_NOT_SUBMISSION", category: Config, class: Permanent, fault: User,
        remedy: "Use port 587 (STARTTLS) or 465 (SSL/TLS); port {port} is not for mail programs and is often \
            blocked." }
    CfgMxHostUsed { wire: "CFG_MX_HOST_USED", category: Config, class: Permanent, fault: User,
        remedy: "{host} only receives mail from other servers. For {provider} use {preset}." }
    CfgUsernameForm { wire: "CFG_USERNAME_FORM", category: Config, class: Permanent, fault: User,
        remedy: "{provider} expects {form} as the user name." }
    CfgPasswordSpaces { wire: "CFG_PASSWORD_SPACES", category: Config, class: Warning, fault: Us,
        reserved: "spaces in app passwords are left out",
        remedy: "The spaces inside the app password were ignored." }
    CfgWrongRegion { wire: "CFG_WRONG_REGION", category: Config, class: Permanent, fault: User,
        reserved: "known mail providers have regions",
        remedy: "Your Zoho account lives in {region}; use imap.zoho.{tld} and smtp.zoho.{tld} (organisations: \
            imappro and smtppro)." }
    // Resolving, egress, connecting.
    NetHostNotFound { wire: "NET_HOST_NOT_FOUND", category: Network, class: Permanent, fault: User,
        remedy: "There is no server named {host}. Check the spelling." }
    NetTargetForbidden { wire: "NET_TARGET_FORBIDDEN", category: Network, class: Permanent, fault: User,
        remedy: "This server address is not allowed." }
    NetNoAddress { wire: "NET_NO_ADDRESS", category: Network, class: Permanent, fault: User,
        remedy: "{host} has no address; ask your provider for the right server name." }
    NetDnsTemporary { wire: "NET_DNS_TEMPORARY", category: Network, class: Temporary, fault: Net,
        remedy: "The name could not be looked up just now; we will try again." }
    NetConnectRefused { wire: "NET_CONNECT_REFUSED", category: Network, class: Permanent, fault: User,
        remedy: "Nothing answers on {host}:{port}. Check the port; usual ones are {ports}." }
    NetConnectTimeout { wire: "NET_CONNECT_TIMEOUT", category: Network, class: Temporary, fault: Server,
        remedy: "{host} did not answer in {seconds} s; its firewall may block us. Ask your provider to allow our \
            addresses." }
    NetEgressBlocked { wire: "NET_EGRESS_BLOCKED", category: Network, class: Temporary, fault: Us,
        remedy: "Temporarily unavailable; we will try again." }
    NetUnreachable { wire: "NET_UNREACHABLE", category: Network, class: Temporary, fault: Net,
        remedy: "{host} is unreachable from here; we will try again." }
    NetReset { wire: "NET_RESET", category: Network, class: Temporary, fault: Server,
        remedy: "The server closed the connection; we will try again." }
    NetWeAreBlocked { wire: "NET_WE_ARE_BLOCKED", category: Network, class: Permanent, fault: Us,
        remedy: "The server refuses our address; ask your provider to allow it." }
    // TLS.
    TlsCertExpired { wire: "TLS_CERT_EXPIRED", category: Tls, class: Permanent, fault: Server,
        remedy: "The certificate of {host} expired on {date}; ask your provider to renew it." }
    TlsCertSelfSigned { wire: "TLS_CERT_SELF_SIGNED", category: Tls, class: Permanent, fault: Server,
        remedy: "{host} uses a private certificate (SHA-256 {fingerprint}). Ask your provider to install a public \
            one, or have its CA trusted here." }
    TlsCertUntrusted { wire: "TLS_CERT_UNTRUSTED", category: Tls, class: Permanent, fault: Server,
        remedy: "The certificate chain of {host} is incomplete or from an unknown issuer; your provider must \
            install the intermediate certificate." }
    TlsCertNameMismatch { wire: "TLS_CERT_NAME_MISMATCH", category: Tls, class: Permanent, fault: User,
        remedy: "The certificate is for {names}. Enter one of these as the server name." }
    TlsCertNotYetValid { wire: "TLS_CERT_NOT_YET_VALID", category: Tls, class: Permanent, fault: Server,
        remedy: "The certificate of {host} is not valid yet; check the server's clock." }
    TlsVersionTooOld { wire: "TLS_VERSION_TOO_OLD", category: Tls, class: Permanent, fault: Server,
        remedy: "{host} only offers outdated encryption; ask for TLS 1.2 or newer." }
    TlsNoSharedCipher { wire: "TLS_NO_SHARED_CIPHER", category: Tls, class: Permanent, fault: Server,
        remedy: "{host} and we share no modern cipher; ask your provider to enable ECDHE with AES-GCM." }
    TlsHandshakeTimeout { wire: "TLS_HANDSHAKE_TIMEOUT", category: Tls, class: Temporary, fault: Server,
        remedy: "The encrypted connection did not start in time; we will try again." }
    TlsNotOffered { wire: "TLS_NOT_OFFERED", category: Tls, class: Permanent, fault: Server,
        remedy: "{host}:{port} offers no encryption. Use port 465 (SMTP) or 993 (IMAP) or another server; we never \
            send passwords in clear." }
    TlsStarttlsFailed { wire: "TLS_STARTTLS_FAILED", category: Tls, class: Permanent, fault: Server,
        remedy: "The server failed to start encryption; try port 465 (SMTP) or 993 (IMAP), or tell your provider." }
    TlsRequired { wire: "TLS_REQUIRED", category: Tls, class: Permanent, fault: User,
        remedy: "This server wants encryption; choose STARTTLS (587/143) or SSL/TLS (465/993)." }
    TlsPlaintextInjected { wire: "TLS_PLAINTEXT_INJECTED", category: Tls, class: Permanent, fault: Server,
        remedy: "The connection was tampered with or the server is faulty; we stopped before sending your password." }
    // Greeting, capabilities.
    ProtoGreetingTimeout { wire: "PROTO_GREETING_TIMEOUT", category: Protocol, class: Temporary, fault: Server,
        remedy: "The server is slow to answer; we will try again." }
    ProtoGreetingRefused { wire: "PROTO_GREETING_REFUSED", category: Protocol, class: Temporary, fault: Server,
        remedy: "The server does not accept connections now." }
    ProtoUnexpected { wire: "PROTO_UNEXPECTED", category: Protocol, class: Permanent, fault: User,
        remedy: "{host}:{port} is not a mail server of this kind. Check server name and port." }
    ProtoFlood { wire: "PROTO_FLOOD", category: Protocol, class: Permanent, fault: Server,
        remedy: "The server's answer is not valid; check the server name." }
    ProtoHeloRefused { wire: "PROTO_HELO_REFUSED", category: Protocol, class: Permanent, fault: Us,
        remedy: "The server does not accept our name; we have to put this right. Please contact our support." }
    AuthMechUnavailable { wire: "AUTH_MECH_UNAVAILABLE", category: SignIn, class: Permanent, fault: Server,
        remedy: "{host}:{port} does not accept password sign-in; use the submission port 587 or 465." }
    AuthNotRequired { wire: "AUTH_NOT_REQUIRED", category: SignIn, class: Warning, fault: User,
        remedy: "The server needs no password; remove it or use the authenticated port." }
    ProtoSaslArgument { wire: "PROTO_SASL_ARGUMENT", category: Protocol, class: Permanent, fault: Us,
        remedy: "The server did not understand how we sign in. Please contact our support." }
    // Signing in: credentials.
    AuthBadCredentials { wire: "AUTH_BAD_CREDENTIALS", category: SignIn, class: Permanent, fault: User,
        remedy: "The server refused this user name and password. Sign in to webmail with them, then paste them \
            again." }
    AuthAppPasswordRequired { wire: "AUTH_APP_PASSWORD_REQUIRED", category: SignIn, class: Permanent, fault: User,
        remedy: "{provider} wants an app password instead of your own: create one in its security settings and \
            paste it here." }
    AuthAppPasswordLikely { wire: "AUTH_APP_PASSWORD_LIKELY", category: SignIn, class: Permanent, fault: User,
        remedy: "{provider} needs an app password created in its security settings; check the user name too." }
    AuthWebLoginRequired { wire: "AUTH_WEB_LOGIN_REQUIRED", category: SignIn, class: Permanent, fault: User,
        remedy: "{provider} blocked a sign-in from a new place. Sign in once in a browser, confirm that it was you, \
            then test again." }
    AuthAccountLocked { wire: "AUTH_ACCOUNT_LOCKED", category: SignIn, class: Permanent, fault: Admin,
        remedy: "The account is locked or suspended; unlock it with your provider first." }
    AuthPasswordExpired { wire: "AUTH_PASSWORD_EXPIRED", category: SignIn, class: Permanent, fault: User,
        remedy: "Your mail password has expired; set a new one and update it here." }
    // Signing in: policy of the provider.
    PolicyBasicAuthDisabled { wire: "POLICY_BASIC_AUTH_DISABLED", category: Policy, class: Permanent, fault: Admin,
        remedy: "Microsoft no longer accepts passwords (not even app passwords) here. Connect with \"Sign in with \
            Microsoft\"." }
    PolicySmtpAuthDisabled { wire: "POLICY_SMTP_AUTH_DISABLED", category: Policy, class: Permanent, fault: Admin,
        remedy: "Your Microsoft 365 administrator must tick Users > {login} > Mail > Manage email apps > \
            Authenticated SMTP." }
    PolicySecurityDefaults { wire: "POLICY_SECURITY_DEFAULTS", category: Policy, class: Permanent, fault: Admin,
        remedy: "Entra \"security defaults\" block this sign-in; use Sign in with Microsoft, or ask the \
            administrator." }
    PolicyConditionalAccess { wire: "POLICY_CONDITIONAL_ACCESS", category: Policy, class: Permanent, fault: Admin,
        remedy: "A Conditional Access rule blocks our sign-in; ask the administrator to exempt this mailbox or our \
            addresses." }
    PolicyImapDisabled { wire: "POLICY_IMAP_DISABLED", category: Policy, class: Permanent, fault: User,
        remedy: "IMAP is switched off: open {provider} settings > IMAP access > enable, then test again." }
    PolicyImapDisabledAdmin { wire: "POLICY_IMAP_DISABLED_ADMIN", category: Policy, class: Permanent, fault: Admin,
        remedy: "Your administrator has switched IMAP off for the whole domain." }
    PolicyImapDisabledLikely { wire: "POLICY_IMAP_DISABLED_LIKELY", category: Policy, class: Permanent, fault: User,
        remedy: "Either the password is wrong or IMAP is off. Enable IMAP in {provider} settings first, then try an \
            app password." }
    PolicyClientAccessDisabled { wire: "POLICY_CLIENT_ACCESS_DISABLED", category: Policy, class: Permanent, fault: User,
        remedy: "Allow mail clients and app passwords in the settings of {provider} (Yandex Mail: Settings > Email \
            clients > imap.yandex.com)." }
    PolicyPlanWithoutClientAccess { wire: "POLICY_PLAN_WITHOUT_CLIENT_ACCESS",
        category: Policy, class: Permanent, fault: User,
        remedy: "Your plan at {provider} has no IMAP/SMTP; upgrade or use its bridge." }
    PolicyGeoBlocked { wire: "POLICY_GEO_BLOCKED", category: Policy, class: Permanent, fault: Admin,
        remedy: "Your provider blocks sign-ins from our country; allow it or ask for another region." }
    AuthOkNotConnected { wire: "AUTH_OK_NOT_CONNECTED", category: SignIn, class: Permanent, fault: Admin,
        remedy: "Sign-in worked but the mailbox is not usable: check the licence, that IMAP is on, and the \
            shared-mailbox user name." }
    PolicyClientIdRequired { wire: "POLICY_CLIENT_ID_REQUIRED", category: Policy, class: Permanent, fault: Us,
        remedy: "{provider} does not accept our program yet. Allow third-party mail clients in its settings, then \
            test again." }
    OauthTokenInvalid { wire: "OAUTH_TOKEN_INVALID", category: Oauth, class: Permanent, fault: User,
        reserved: "sign-in with OAuth 2",
        remedy: "The permission was withdrawn or expired; connect again." }
    OauthScopeMissing { wire: "OAUTH_SCOPE_MISSING", category: Oauth, class: Permanent, fault: User,
        reserved: "sign-in with OAuth 2",
        remedy: "Connect again and leave every box ticked." }
    OauthTemporary { wire: "OAUTH_TEMPORARY", category: Oauth, class: Temporary, fault: Net,
        reserved: "sign-in with OAuth 2",
        remedy: "{provider} is busy; we will try again." }
    // Limits and temporary states.
    LimitLoginRate { wire: "LIMIT_LOGIN_RATE", category: Limit, class: Temporary, fault: User,
        remedy: "The provider paused sign-ins; wait 60 minutes (do not retry by hand), then test again." }
    LimitConnections { wire: "LIMIT_CONNECTIONS", category: Limit, class: Temporary, fault: User,
        remedy: "Too many programs are signed in to this mailbox; close some, we try again in a few minutes." }
    LimitServerBusy { wire: "LIMIT_SERVER_BUSY", category: Limit, class: Temporary, fault: Server,
        remedy: "The provider is busy; we will try again." }
    LimitAuthBackend { wire: "LIMIT_AUTH_BACKEND", category: Limit, class: Temporary, fault: Server,
        remedy: "The provider could not check the password just now; we will try again." }
    LimitGreylisted { wire: "LIMIT_GREYLISTED", category: Limit, class: Temporary, fault: Server,
        remedy: "The receiving server asks to wait (greylisting); this is normal." }
    LimitSendQuota { wire: "LIMIT_SEND_QUOTA", category: Limit, class: Temporary, fault: User,
        remedy: "The mailbox has used its sending quota; it opens again later, at most after a day." }
    LimitBandwidth { wire: "LIMIT_BANDWIDTH", category: Limit, class: Temporary, fault: User,
        remedy: "The daily IMAP allowance is used up; we will try again tomorrow." }
    LimitPlanFull { wire: "LIMIT_PLAN_FULL", category: Limit, class: Permanent, fault: User,
        remedy: "Your plan has no place for another mailbox; remove one or upgrade, then import this row again." }
    LimitNoSubscription { wire: "LIMIT_NO_SUBSCRIPTION", category: Limit, class: Permanent, fault: User,
        remedy: "Your subscription has ended; renew it, then import this row again." }
    // After sign-in: sender and folders.
    SendFromNotOwned { wire: "SEND_FROM_NOT_OWNED", category: Sending, class: Permanent, fault: User,
        remedy: "{login} may not send as {from}; add {from} as an alias at your provider or use the same address." }
    SendRelayDenied { wire: "SEND_RELAY_DENIED", category: Sending, class: Permanent, fault: User,
        remedy: "The server treats us as a stranger: use the submission port and sign in." }
    SendAccountBlocked { wire: "SEND_ACCOUNT_BLOCKED", category: Sending, class: Permanent, fault: Admin,
        remedy: "Your provider suspended sending for this mailbox; contact its support." }
    SendTestRecipientRefused { wire: "SEND_TEST_RECIPIENT_REFUSED", category: Sending, class: Warning, fault: Us,
        remedy: "The recipient of our test message was refused; this says nothing about your mailbox." }
    ImapInboxUnavailable { wire: "IMAP_INBOX_UNAVAILABLE", category: Folders, class: Permanent, fault: Admin,
        remedy: "The mailbox has no readable inbox; open it once in webmail." }
    ImapSessionEnded { wire: "IMAP_SESSION_ENDED", category: Folders, class: Temporary, fault: Server,
        remedy: "The session ended early; we will try again." }
    ImapMailboxFull { wire: "IMAP_MAILBOX_FULL", category: Folders, class: Warning, fault: User,
        remedy: "The mailbox is full; incoming mail is being refused." }
    // Our own system.
    SysDeadline { wire: "SYS_DEADLINE", category: System, class: Temporary, fault: Us,
        remedy: "The check took too long; we will try again." }
    SysAttemptsExhausted { wire: "SYS_ATTEMPTS_EXHAUSTED", category: System, class: Permanent, fault: Us,
        remedy: "We could not reach {host} for {hours} h. Check it and press Test again." }
    SysSuperseded { wire: "SYS_SUPERSEDED", category: System, class: Warning, fault: Us,
        remedy: "A newer test is running." }
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
    fn every_code_begins_with_the_prefix_of_its_category() {
        for &code in FailureCode::ALL {
            let prefix = code.as_str().split('_').next();
            assert_eq!(prefix, Some(code.category().prefix()), "{code}");
        }
    }
}

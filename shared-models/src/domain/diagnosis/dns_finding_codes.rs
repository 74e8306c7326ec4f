//! The stable codes of everything that the DNS check can find in a mail domain. Remedies may change, codes never do; new
//! ones are added, none is reused.
//!
//! The table holds what is the same for every domain. The remedy names hosts and records, so it is made with the finding,
//! in the modules `mx`, `spf`, `dkim`, `dmarc` and `report` of the DNS checker.

use std::fmt;
use std::str::FromStr;

use super::{DnsPart, DnsStatus};

macro_rules! dns_finding_codes {
    ($($part:ident: { $($variant:ident, $wire:literal, [$status:ident $(or $other:ident)*], $meaning:literal;)+ })+) => {
        /// A finding of the DNS check, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DnsFindingCode {
            $($(#[doc = concat!("`", $wire, "`: ", $meaning)] $variant,)+)+
        }

        impl DnsFindingCode {
            /// Every code, part by part.
            pub const ALL: &[Self] = &[$($(Self::$variant),+),+];

            /// The code on the wire, for example `spf_missing`.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $wire),+),+ }
            }

            /// The record that a finding with this code is about.
            pub const fn part(self) -> DnsPart {
                match self { $($(Self::$variant)|+ => DnsPart::$part),+ }
            }

            /// The statuses that a finding with this code can have. The first one is usual; the others are for
            /// circumstances that `meaning` names. [`DnsStatus::Pass`] is a hint only.
            pub const fn statuses(self) -> &'static [DnsStatus] {
                match self { $($(Self::$variant => &[DnsStatus::$status $(, DnsStatus::$other)*]),+),+ }
            }

            /// One sentence on what was found, for reference pages.
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$variant => $meaning),+),+ }
            }
        }

        impl FromStr for DnsFindingCode {
            type Err = UnknownDnsFindingCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($($wire => Ok(Self::$variant),)+)+ _ => Err(UnknownDnsFindingCode) }
            }
        }
    };
}

#[rustfmt::skip]
dns_finding_codes! {
    Domain: {
        DomainInvalid, "domain_invalid", [Fail], "The text is not a domain name, so nothing was looked up.";
        DomainNotFound, "domain_not_found", [Fail], "The domain does not exist (NXDOMAIN).";
        ParkedDomain, "parked_domain", [Pass], "A null MX and an SPF record of only \"-all\": the domain is meant neither to receive nor to send mail.";
    }
    Mx: {
        MxLookupFailed, "mx_lookup_failed", [Error], "The MX records could not be looked up just now.";
        MxMissing, "mx_missing", [Fail], "There is neither an MX record nor an address to fall back to (RFC 5321 section 5.1).";
        MxImplicitA, "mx_implicit_a", [Warn], "There is no MX record; senders fall back to the address of the domain itself.";
        MxNull, "mx_null", [Fail], "The only MX record says that the domain accepts no mail (RFC 7505).";
        MxNullMixed, "mx_null_mixed", [Warn], "A null MX stands beside MX records that name mail servers.";
        MxTargetCname, "mx_target_cname", [Warn], "The name of a mail server is an alias (CNAME), which some senders refuse.";
        MxTargetIpLiteral, "mx_target_ip_literal", [Fail or Warn], "An MX record holds an IP address instead of a host name; a warning while another target may work.";
        MxTargetUnresolvable, "mx_target_unresolvable", [Fail or Warn], "The name of a mail server has no address; a warning while another target may work.";
        MxTargetPrivateIp, "mx_target_private_ip", [Fail or Warn], "A mail server has only addresses that are not public; a warning while another target may work.";
        MxTargetLookupFailed, "mx_target_lookup_failed", [Error or Warn], "The address of a mail server could not be looked up just now; a warning while another target works.";
        MxOtherProvider, "mx_other_provider", [Warn], "Mail for the domain is delivered to another provider than the one that the connected mailbox is at.";
    }
    Spf: {
        SpfLookupFailed, "spf_lookup_failed", [Error], "The SPF record, or one that it includes or redirects to, could not be looked up just now.";
        SpfMissing, "spf_missing", [Fail], "There is no SPF record.";
        SpfRecordType, "spf_record_type", [Fail], "The record is published only in the withdrawn type SPF (RFC 7208 section 3.1).";
        SpfMultiple, "spf_multiple", [Fail], "The domain, or one that its record includes, has more than one SPF record (RFC 7208 section 4.5).";
        SpfSyntax, "spf_syntax", [Fail], "The record, or one that it includes, contains a term that is not valid.";
        SpfTooManyLookups, "spf_too_many_lookups", [Fail], "Evaluation needs more than 10 DNS look-ups (RFC 7208 section 4.6.4).";
        SpfTooManyVoid, "spf_too_many_void", [Fail], "More than two look-ups find nothing (RFC 7208 section 4.6.4).";
        SpfVoidLookup, "spf_void_lookup", [Warn], "One or two look-ups find nothing.";
        SpfIncludeLoop, "spf_include_loop", [Fail], "Includes or redirects lead back to a record that they came from.";
        SpfIncludeNoRecord, "spf_include_no_record", [Fail], "An included domain has no SPF record.";
        SpfRedirectNoRecord, "spf_redirect_no_record", [Fail], "The domain that the record redirects to has no SPF record.";
        SpfMxTooManyHosts, "spf_mx_too_many_hosts", [Fail], "A term \"mx\" stands for more than 10 mail servers (RFC 7208 section 4.6.4).";
        SpfAllowsEveryone, "spf_allows_everyone", [Fail], "The record, or one that it includes, allows every address to send.";
        SpfMissingProvider, "spf_missing_provider", [Fail], "The connected mailbox sends through a known provider that the record does not include.";
        SpfNoSenders, "spf_no_senders", [Fail or Warn], "The record is only \"-all\" although a mailbox sends; a warning without a connected mailbox, if the domain receives mail.";
        SpfSenderNotAuthorised, "spf_sender_not_authorised", [Warn], "No address of the server that the connected mailbox sends through passes the record.";
        SpfNeutralAll, "spf_neutral_all", [Warn], "The record ends with \"?all\", which says nothing about other servers.";
        SpfNoAll, "spf_no_all", [Warn], "The record has neither \"all\" nor a redirect.";
        SpfTermsAfterAll, "spf_terms_after_all", [Warn], "Terms after \"all\" are never evaluated (RFC 7208 section 5.1).";
        SpfRedirectIgnored, "spf_redirect_ignored", [Warn], "The record has both \"all\" and a redirect, which is then ignored (RFC 7208 section 6.1).";
        SpfPtr, "spf_ptr", [Warn], "The record uses \"ptr\", which should not be used (RFC 7208 section 5.5).";
        SpfTooLong, "spf_too_long", [Warn], "The record is longer than 512 octets (RFC 7208 section 3.4).";
    }
    Dkim: {
        DkimLookupFailed, "dkim_lookup_failed", [Error], "No key was found because look-ups failed just now.";
        DkimMissing, "dkim_missing", [Fail], "No key was found, and the name \"_domainkey\" does not exist, so there can be none (RFC 8020).";
        DkimSelectorMissing, "dkim_selector_missing", [Fail], "There is no key at the selector that was given.";
        DkimSelectorUnknown, "dkim_selector_unknown", [Warn], "No key was found at usual selectors, but there may be one at another.";
        DkimWrongRecord, "dkim_wrong_record", [Fail], "The text at the selector that was given is not a key.";
        DkimMultiple, "dkim_multiple", [Warn], "There is more than one key at a selector (RFC 6376 section 3.6.2.2).";
        DkimRevoked, "dkim_revoked", [Fail], "The key has been revoked: \"p=\" is empty.";
        DkimBadKey, "dkim_bad_key", [Fail], "The key cannot be read.";
        DkimKeyTooShort, "dkim_key_too_short", [Fail], "The RSA key has fewer than 1024 bits (RFC 8301 section 3.2).";
        DkimKeyShort, "dkim_key_short", [Warn], "The RSA key has fewer than 2048 bits (RFC 8301 section 3.2).";
        DkimUnknownKeyType, "dkim_unknown_key_type", [Fail], "The key is of a type that receivers do not know.";
        DkimSha1Only, "dkim_sha1_only", [Fail], "The key record does not allow SHA-256 (RFC 8301 section 3.1).";
        DkimNotForEmail, "dkim_not_for_email", [Fail], "The key record excludes e-mail by its tag \"s=\".";
        DkimEd25519Only, "dkim_ed25519_only", [Warn], "The best key found is an Ed25519 key, which many receivers cannot check.";
        DkimTesting, "dkim_testing", [Warn], "The key is in testing mode: \"t=y\".";
    }
    Dmarc: {
        DmarcLookupFailed, "dmarc_lookup_failed", [Error], "A look-up that decides which DMARC record applies failed just now.";
        DmarcMissing, "dmarc_missing", [Fail], "No DMARC record applies to the domain.";
        DmarcMultiple, "dmarc_multiple", [Fail], "There is more than one DMARC record at one name, so receivers use none of them.";
        DmarcBadVersion, "dmarc_bad_version", [Fail], "The record does not begin with exactly \"v=DMARC1\".";
        DmarcWrongPlace, "dmarc_wrong_place", [Fail], "The record is at the domain itself instead of below \"_dmarc\".";
        DmarcDuplicateTag, "dmarc_duplicate_tag", [Fail], "A tag is there twice, which makes the record invalid.";
        DmarcBadPolicy, "dmarc_bad_policy", [Fail], "The policy, or the one for subdomains, is none of none, quarantine and reject.";
        DmarcPolicyNone, "dmarc_policy_none", [Warn], "The policy in force is none: forged mail is only reported.";
        DmarcSubdomainWeaker, "dmarc_subdomain_weaker", [Warn], "The policy for subdomains is weaker than the one for the domain.";
        DmarcPct, "dmarc_pct", [Warn], "The tag \"pct\" is below 100 (RFC 7489; removed by RFC 9989).";
        DmarcTesting, "dmarc_testing", [Warn], "The record is in testing mode: \"t=y\".";
        DmarcBadRua, "dmarc_bad_rua", [Warn], "An address for reports cannot be used.";
        DmarcNoRua, "dmarc_no_rua", [Pass], "The record asks for no reports.";
        DmarcExternalRuaUnauthorised, "dmarc_external_rua_unauthorised", [Warn], "Reports are to go to another organisation that has not agreed to receive them.";
    }
}

/// The text is no code of a DNS finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown code of a DNS finding")]
pub struct UnknownDnsFindingCode;

impl fmt::Display for DnsFindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_survive_the_wire() {
        let mut seen = HashSet::new();
        for &code in DnsFindingCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        assert_eq!("spf_no_such_code".parse::<DnsFindingCode>(), Err(UnknownDnsFindingCode));
    }

    #[test]
    fn every_code_is_explained() {
        for &code in DnsFindingCode::ALL {
            let text = code.meaning();
            assert!(text.ends_with('.') && text.split(' ').count() <= 25, "{code}: {text}");
            let (first, rest) = code.statuses().split_first().unwrap_or((&DnsStatus::Pass, &[]));
            assert!(!code.statuses().is_empty() && !rest.contains(first), "{code}");
        }
    }

    #[test]
    fn the_part_is_in_the_code() {
        for &code in DnsFindingCode::ALL {
            let prefix = match code.part() {
                DnsPart::Mx => "mx_",
                DnsPart::Spf => "spf_",
                DnsPart::Dkim => "dkim_",
                DnsPart::Dmarc => "dmarc_",
                DnsPart::Domain => "",
            };
            assert!(code.as_str().starts_with(prefix), "{code}");
        }
    }
}

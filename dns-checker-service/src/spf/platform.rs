//! The mail platform as a sender of a domain: the domain's record authorises it, whatever else it contains.

use super::evaluate::{MAX_LOOKUPS, SpfResult, check_host};
use super::parse::{is_spf, parse};
use super::tree::{Defect, walk};
use crate::resolver::{LookupError, Resolver};

/// True if the SPF record of `domain` authorises the host `platform`. Either it contains `term`, which names the host, or
/// all addresses of the host pass it in another way, such as by an include.
///
/// # Errors
/// If a look-up that decides it failed just now.
pub async fn authorises(
    domain: &str,
    platform: &str,
    term: &str,
    resolver: &dyn Resolver,
) -> Result<bool, LookupError> {
    let texts = match resolver.texts(domain).await {
        Err(error) if error.is_temporary() => return Err(error),
        texts => texts.unwrap_or_default(),
    };
    let mut records = texts.iter().filter(|text| is_spf(text));
    // Section 4.5: of several records none counts.
    let (Some(text), None) = (records.next(), records.next()) else { return Ok(false) };
    match without_term(text, term) {
        Some(rest) => Ok(is_evaluated(domain, &rest, resolver).await),
        None => passes(domain, platform, resolver).await,
    }
}

/// The record without the term, if it contains the term before `all` (section 5.1). The term is removed before the record
/// is parsed, because a host such as `localhost` is no domain-spec.
fn without_term(text: &[u8], term: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let terms: Vec<&str> = text.split(' ').collect();
    let bare = |term: &str| term.trim_start_matches(['+', '-', '~', '?']).to_ascii_lowercase();
    let end = terms.iter().position(|term| bare(term) == "all").unwrap_or(terms.len());
    let is_ours = |given: &str| given.strip_prefix('+').unwrap_or(given).eq_ignore_ascii_case(term);
    let at = terms.iter().take(end).position(|given| is_ours(given))?;
    let rest = terms.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, term)| *term).collect::<Vec<_>>();
    Some(rest.join(" ").into_bytes())
}

/// True if receivers can evaluate the record with one look-up more. A part that could not be looked up just now counts as
/// valid.
async fn is_evaluated(domain: &str, text: &[u8], resolver: &dyn Resolver) -> bool {
    let Ok(record) = parse(text) else { return false };
    let tree = walk(domain, record, resolver).await;
    tree.lookups < MAX_LOOKUPS && tree.defects.iter().all(|defect| matches!(defect, Defect::LookupFailed { .. }))
}

async fn passes(domain: &str, platform: &str, resolver: &dyn Resolver) -> Result<bool, LookupError> {
    let host = resolver.host_addresses(platform).await;
    let unknown = || LookupError::Temporary(format!("the addresses of {platform} are not known"));
    if host.addresses.is_empty() && host.incomplete {
        return Err(unknown());
    }
    let sender = format!("postmaster@{domain}");
    for ip in &host.addresses {
        match check_host(resolver, *ip, domain, &sender, platform).await {
            SpfResult::Pass => {}
            SpfResult::TempError => return Err(LookupError::Temporary(format!("the SPF record of {domain}"))),
            _ => return Ok(false),
        }
    }
    Ok(!host.addresses.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::resolver::{Fault, MemoryResolver};

    const HOST: &str = "mail.platform.example";

    fn world() -> MemoryResolver {
        MemoryResolver::new()
            .with_address(HOST, [203, 0, 113, 1].into())
            .with_address(HOST, "2001:db8::1".parse().unwrap())
            .with_txt("ours.example", "v=spf1 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all")
            .with_txt("half.example", "v=spf1 ip4:203.0.113.1 -all")
            .with_txt("theirs.example", "v=spf1 ip4:198.51.100.1 -all")
            .with_address("web.example", [198, 51, 100, 2].into())
            .with_txt("broken.example", "v=spf1 ip4:1.2.3.444 -all")
            .with_txt("loop.example", "v=spf1 include:loop.example -all")
            .with_fault("silent.example", Fault::Timeout)
            .with_fault("silent.platform.example", Fault::ServFail)
    }

    async fn judge(record: &str, platform: &str) -> Result<bool, LookupError> {
        let world = world().with_txt("acme.example", record).with_txt("acme.example", "something else");
        authorises("acme.example", platform, &format!("a:{platform}"), &world).await
    }

    #[tokio::test]
    async fn a_record_may_be_combined_with_others() {
        for record in [
            "v=spf1 a:mail.platform.example ~all",
            "V=SPF1 include:theirs.example +A:Mail.Platform.Example -all",
            "v=spf1 a:mail.platform.example include:theirs.example include:silent.example ?all",
            "v=spf1 a:mail.platform.example redirect=theirs.example",
            "v=spf1 include:ours.example -all",
            "v=spf1 redirect=ours.example",
            "v=spf1 ip4:203.0.113.1 ip6:2001:db8::1 -all",
            "v=spf1 +all",
        ] {
            assert_eq!(judge(record, HOST).await, Ok(true), "{record}");
        }
    }

    #[tokio::test]
    async fn a_record_that_does_not_let_us_send() {
        let eleven = format!("v=spf1{} a:mail.platform.example -all", " a:web.example".repeat(10));
        for record in [
            "v=spf1 -all",
            "v=spf1 -all a:mail.platform.example",
            "v=spf1 ~a:mail.platform.example -all",
            "v=spf1 include:half.example -all",
            "v=spf1 include:theirs.example ~all",
            "v=spf1 a:mail.platform.example include:broken.example -all",
            "v=spf1 a:mail.platform.example include:nothing.example -all",
            "v=spf1 a:mail.platform.example include:loop.example -all",
            "v=spf1 a:mail.platform.example ip4:1.2.3.444 -all",
            "v=spf2 a:mail.platform.example",
            &eleven,
        ] {
            assert_eq!(judge(record, HOST).await, Ok(false), "{record}");
        }
        assert_eq!(judge(&eleven.replacen(" a:web.example", "", 1), HOST).await, Ok(true));
        let twice = world().with_txt("acme.example", "v=spf1 +all").with_txt("acme.example", "v=spf1 -all");
        assert_eq!(authorises("acme.example", HOST, "a:mail.platform.example", &twice).await, Ok(false));
        assert_eq!(authorises("nowhere.example", HOST, "a:mail.platform.example", &world()).await, Ok(false));
    }

    #[tokio::test]
    async fn silence_says_nothing() {
        for record in ["v=spf1 include:silent.example -all", "v=spf1 include:ours.example include:silent.example -all"]
        {
            let expected = record.contains("ours");
            assert_eq!(judge(record, HOST).await.ok(), expected.then_some(true), "{record}");
        }
        assert!(judge("v=spf1 include:ours.example -all", "silent.platform.example").await.is_err());
        assert_eq!(judge("v=spf1 a:silent.platform.example -all", "silent.platform.example").await, Ok(true));
        assert!(authorises("silent.example", HOST, "a:mail.platform.example", &world()).await.is_err());
    }

    #[tokio::test]
    async fn a_host_without_a_domain_can_be_named() {
        assert_eq!(judge("v=spf1 a:localhost ~all", "localhost").await, Ok(true));
        assert_eq!(judge("v=spf1 mx ~all", "localhost").await, Ok(false));
    }
}

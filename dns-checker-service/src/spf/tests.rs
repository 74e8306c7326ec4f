//! Grammar, macros and `check_host()`; the verdicts on whole records are in `fixtures/domains.jsonl`.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::net::IpAddr;

use super::macros::{DomainSpec, MacroValues};
use super::*;
use crate::resolver::{Fault, MemoryResolver, RecordData, RecordKind};

#[test]
fn spf_records_differ_from_other_texts() {
    for text in ["v=spf1", "v=spf1 ", "V=SPF1 -all", "v=spf1  -all"] {
        assert!(is_spf(text.as_bytes()), "{text:?}");
    }
    for text in ["", "v=spf", "v=spf10", " v=spf1", "\"v=spf1 -all\"", "v=spf1-all", "v=spf1\t-all"] {
        assert!(!is_spf(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn reads_what_the_grammar_allows() {
    for terms in [
        "",
        "+all",
        "-ALL",
        "a a/24 a//64 a/24//64 a:example.com a:example.com/0 mx:example.com//0",
        "a:example.com. a:example-1.c0m a:a.xn--p1ai",
        "ip4:192.0.2.1 ip4:192.0.2.0/24 ip6:2001:db8::1 ip6:2001:db8::/32 ip6:::ffff:192.0.2.1",
        "ptr ptr:example.com exists:%{ir}.%{v}._spf.%{d2}",
        "include:%{d} include:%{l1r-}.example.com include:example.com%{o} include:a%%b%_c%-d.example.com",
        "exists:%{d1r/}",
        "redirect=example.com exp=why.%{d} name=value other.name-2=%{s} empty=",
        "a=b",
    ] {
        let record = format!("v=spf1 {terms}");
        assert!(parse(record.as_bytes()).is_ok(), "{record:?}");
    }
}

#[test]
fn refuses_the_rest_with_the_term() {
    for term in [
        "ipv4:192.0.2.1",
        "foo",
        "all:example.com",
        "all/8",
        "-redirect=example.com",
        "include",
        "include:",
        "include:example.com/24",
        "include:example",
        "include:192.0.2.1",
        "include:example.com:25",
        "include:example.-com",
        "a:",
        "a/",
        "a/33",
        "a/08",
        "a/+8",
        "a//129",
        "a/24/64",
        "mx:example.com/x",
        "ptr/24",
        "ptr:",
        "exists",
        "exists:%{x}.example.com",
        "exists:%{c}.example.com",
        "exists:%{d0}.example.com",
        "exists:%{drr}.example.com",
        "exists:%{d!}.example.com",
        "exists:%{d.example.com",
        "exists:%d.example.com",
        "exists:example.com%",
        "ip4:",
        "ip4:192.0.2",
        "ip4:192.0.2.256",
        "ip4:192.0.2.01",
        "ip4:192.0.2.0/33",
        "ip4:2001:db8::1",
        "ip6:192.0.2.1",
        "ip6:2001:db8::/129",
        "redirect=",
        "exp=",
        "name=%",
        "=value",
        "1name=value",
        "–all",
        "a\tmx",
    ] {
        let record = format!("v=spf1 mx {term} -all");
        let error = parse(record.as_bytes()).expect_err(term);
        assert_eq!(error.term, term);
    }
    assert!(parse(b"v=spf1 redirect=a.example redirect=b.example").is_err());
    assert!(parse(b"v=spf1 exp=a.example exp=b.example").is_err());
    assert!(parse(b"v=spf1 a:\x80.example -all").is_err());
}

/// The examples of RFC 7208 section 7.4.
#[test]
fn expands_macros() {
    let values = |ip: &str| MacroValues {
        sender: "strong-bad@email.example.com",
        domain: "email.example.com",
        ip: ip.parse().unwrap(),
        helo: "mail.example.net",
        validated_name: "mx.example.org",
    };
    for (spec, expected) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{h}.%{p}", "mail.example.net.mx.example.org"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net.", "example.com.trusted-domains.example.net"),
        ("a%%b%-c.example.net", "a%b%20c.example.net"),
    ] {
        let spec = DomainSpec::parse(spec).unwrap();
        assert_eq!(spec.expand(&values("192.0.2.3")), expected);
    }
    let spec = DomainSpec::parse("%{ir}.%{v}._spf.%{d2}").unwrap();
    assert_eq!(
        spec.expand(&values("2001:db8::cb01")),
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    );
    let long = DomainSpec::parse(&format!("{}.%{{d}}", vec!["label"; 50].join("."))).unwrap();
    assert!(long.expand(&values("192.0.2.3")).len() <= 253);
}

#[test]
fn knows_which_names_do_not_depend_on_the_message() {
    let fixed = |spec: &str| DomainSpec::parse(spec).unwrap().fixed("mail.example.com");
    assert_eq!(fixed("_spf.example.net.").as_deref(), Some("_spf.example.net"));
    assert_eq!(fixed("_spf.%{d2}").as_deref(), Some("_spf.example.com"));
    assert_eq!(fixed("%{i}._spf.%{d2}"), None);
}

fn world() -> MemoryResolver {
    MemoryResolver::new()
        .with_mx("example.com", 10, "mail.example.com")
        .with_address("mail.example.com", [203, 0, 113, 1].into())
        .with_address("mail.example.com", "2001:db8::1".parse().unwrap())
        .with_address("1.113.0.203.ok.example.com", [127, 0, 0, 2].into())
        .with_txt("pass.example.com", "v=spf1 +all")
        .with_txt("fail.example.com", "v=spf1 -all")
        .with_txt("broken.example.com", "v=spf1 foo")
        .with_txt("text.example.com", "hello")
        .with_fault("slow.example.com", Fault::Timeout)
        .with("1.113.0.203.in-addr.arpa", RecordKind::Ptr, RecordData::Name("mail.example.com".to_owned()))
}

#[tokio::test]
async fn evaluates_records() {
    use SpfResult::{Fail, Neutral, None, Pass, PermError, SoftFail, TempError};
    let v4 = "203.0.113.1";
    let v6 = "2001:db8::1";
    for (terms, ip, expected) in [
        ("", v4, Neutral),
        ("ip4:203.0.113.1 -all", v4, Pass),
        ("ip4:203.0.112.0/23 -all", v4, Pass),
        ("ip4:203.0.112.0/24 ~all", v4, SoftFail),
        ("ip4:0.0.0.0/0 -all", v6, Fail),
        ("ip6:2001:db8::/32 -all", v6, Pass),
        ("ip4:203.0.113.1 -all", "::ffff:203.0.113.1", Pass),
        ("a:mail.example.com -all", v6, Pass),
        ("a:mail.example.com/24 -all", "203.0.113.77", Pass),
        ("mx -all", v4, Pass),
        ("?mx -all", v4, Neutral),
        ("mx//64 -all", "2001:db8::2", Pass),
        ("exists:%{ir}.ok.%{d} -all", v4, Pass),
        ("exists:%{ir}.ok.%{d} -all", "203.0.113.2", Fail),
        ("ptr -all", v4, Pass),
        ("ptr:example.org -all", v4, Fail),
        ("exists:%{p}.example.com -all", "203.0.113.9", Fail),
        ("include:pass.example.com -all", v4, Pass),
        ("include:fail.example.com ?all", v4, Neutral),
        ("include:broken.example.com ?all", v4, PermError),
        ("include:text.example.com ?all", v4, PermError),
        ("include:slow.example.com ?all", v4, TempError),
        ("ip4:203.0.113.1 include:slow.example.com", v4, Pass),
        ("redirect=fail.example.com", v4, Fail),
        ("redirect=text.example.com", v4, PermError),
        ("redirect=pass.example.com -all", v4, Fail),
        ("include:example.com -all", v4, PermError),
        ("a a a a a a a a a a ip4:203.0.113.1", v4, PermError),
        ("a:v1.example.com a:v2.example.com ip4:203.0.113.1", v4, Pass),
        ("a:v1.example.com a:v2.example.com a:v3.example.com ip4:203.0.113.1", v4, PermError),
    ] {
        let resolver = world().with_txt("example.com", &format!("v=spf1 {terms}"));
        let ip: IpAddr = ip.parse().unwrap();
        let result = check_host(&resolver, ip, "Example.com.", "user@example.com", "mail.example.com").await;
        assert_eq!(result, expected, "{terms} for {ip}");
    }
    let nobody = check_host(&world(), v4.parse().unwrap(), "text.example.com", "", "x").await;
    assert_eq!(nobody, None);
    let no_name = check_host(&world(), v4.parse().unwrap(), "localhost", "", "x").await;
    assert_eq!(no_name, None);
}

#[tokio::test]
async fn ten_look_ups_are_allowed_and_eleven_are_not() {
    for (terms, expected) in [(10, SpfResult::Pass), (11, SpfResult::PermError)] {
        let record = format!("v=spf1 {} ip4:203.0.113.9", "a:mail.example.com ".repeat(terms));
        let resolver = world().with_txt("example.com", &record);
        let result = check_host(&resolver, [203, 0, 113, 9].into(), "example.com", "", "x").await;
        assert_eq!(result, expected, "{terms}");
    }
}

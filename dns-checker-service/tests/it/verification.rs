//! The records that a verified domain needs, rule by rule.

use std::sync::Arc;

use dns_checker_service::resolver::Fault;
use dns_checker_service::{DomainVerifier, MemoryResolver, Unclear};
use shared_models::domain::sending_domains::{DkimPublicKey, DomainChecks, DomainMode, DomainStatus, SendingDomain};
use shared_models::domain::{DomainId, MailDomain, Timestamp, WorkspaceId};

const HOST: &str = "mail.platform.example";
/// An RSA key of 1024 bits.
const KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC5d3tj49uiCQYaIDSvx7zC5q6cAlRggz2wbKy/4XBmbxC8h4G5Sz1FVyVHmV4DDJSFa465vdI1VuPknzgjjzTSCUAt4U6WrcXJ++0fteqWvr6R/3WSIn17FQGzvV6oQqvYqSe24Xw09RDYDXPOnWpuleBmpT3Bl7I9Afm6oU/U5wIDAQAB";
const ALL: DomainChecks = DomainChecks {
    verification_txt: true,
    spf: true,
    dmarc: true,
    mx: true,
    mail_from_mx: true,
    mail_from_spf: true,
    dkim: true,
};
const NONE: DomainChecks = DomainChecks {
    verification_txt: false,
    spf: false,
    dmarc: false,
    mx: false,
    mail_from_mx: false,
    mail_from_spf: false,
    dkim: false,
};

fn domain(name: &str, mode: DomainMode) -> SendingDomain {
    SendingDomain {
        id: DomainId::new(),
        workspace_id: WorkspaceId::new(),
        name: MailDomain::parse(name).unwrap(),
        mode,
        status: DomainStatus::Pending,
        ownership_token: "0123abcd".to_owned(),
        dkim: DkimPublicKey { selector: "mm1".to_owned(), base64: KEY.to_owned() },
        checks: None,
        checked_at: None,
        verified_at: None,
        failures: 0,
        mailbox_count: 0,
        created_at: Timestamp::from_millis(0),
    }
}

/// One record of the zone.
#[derive(Clone, Copy)]
enum Record<'a> {
    Txt(&'a str, &'a str),
    Mx(&'a str, u16, &'a str),
}
use Record::{Mx, Txt};

/// The records that `acme.example` needs, in the order of the checks.
const NEEDED: [Record<'_>; 6] = [
    Txt("_sendmux.acme.example", "sendmux-verify=0123abcd"),
    Txt("acme.example", "v=spf1 a:mail.platform.example ~all"),
    Txt("_dmarc.acme.example", "v=DMARC1; p=quarantine"),
    Mx("acme.example", 10, HOST),
    Mx("bounce.acme.example", 10, HOST),
    Txt("bounce.acme.example", "v=spf1 a:mail.platform.example -all"),
];

fn world(records: &[Record<'_>]) -> MemoryResolver {
    records.iter().fold(MemoryResolver::new(), |world, record| match *record {
        Txt(name, text) => world.with_txt(name, text),
        Mx(name, priority, exchange) => world.with_mx(name, priority, exchange),
    })
}

async fn check_in(world: MemoryResolver, domain: &SendingDomain) -> Result<DomainChecks, Unclear> {
    DomainVerifier::new(Arc::new(world), "Mail.Platform.example.").check(domain).await
}

async fn check(records: &[Record<'_>]) -> DomainChecks {
    check_in(world(records), &domain("acme.example", DomainMode::SendReceive)).await.unwrap()
}

/// The check with all needed records but one, which is replaced.
async fn with(at: usize, record: Record<'_>) -> DomainChecks {
    let mut records = NEEDED;
    records[at] = record;
    check(&records).await
}

#[tokio::test]
async fn each_record_counts_by_itself() {
    let key = format!("v=DKIM1; k=rsa; p={KEY}");
    let complete = [&NEEDED[..], &[Txt("mm1._domainkey.acme.example", &key)]].concat();
    assert_eq!(check(&complete).await, ALL);
    assert_eq!(check(&[]).await, NONE);
    let missing: [DomainChecks; 7] = [
        DomainChecks { verification_txt: false, ..ALL },
        DomainChecks { spf: false, ..ALL },
        DomainChecks { dmarc: false, ..ALL },
        DomainChecks { mx: false, ..ALL },
        DomainChecks { mail_from_mx: false, ..ALL },
        DomainChecks { mail_from_spf: false, ..ALL },
        DomainChecks { dkim: false, ..ALL },
    ];
    for (at, expected) in missing.into_iter().enumerate() {
        let rest: Vec<Record<'_>> =
            complete.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, record)| *record).collect();
        assert_eq!(check(&rest).await, expected, "{at}");
    }
}

#[tokio::test]
async fn a_domain_that_only_sends_needs_no_exchanger() {
    let acme = domain("acme.example", DomainMode::SendOnly);
    let checks = check_in(MemoryResolver::new(), &acme).await.unwrap();
    assert_eq!(checks, DomainChecks { mx: true, ..NONE });
}

#[tokio::test]
async fn the_token_is_this_very_one() {
    let name = "_sendmux.acme.example";
    for (text, expected) in [
        (" sendmux-verify=0123abcd ", true),
        ("sendmux-verify=0123ABCD", false),
        ("sendmux-verify=0123abcd0", false),
        ("0123abcd", false),
    ] {
        assert_eq!(with(0, Txt(name, text)).await.verification_txt, expected, "{text}");
    }
    let several = [&NEEDED[..], &[Txt(name, "sendmux-verify=ffff")]].concat();
    assert!(check(&several).await.verification_txt, "another team's may be beside it");
}

#[tokio::test]
async fn a_stricter_policy_passes_and_a_weaker_one_does_not() {
    let name = "_dmarc.acme.example";
    for (text, expected) in [
        ("v=DMARC1; p=reject; rua=mailto:d@acme.example", true),
        ("v=DMARC1; p=quarantine; sp=none", true),
        ("v=DMARC1; p=none", false),
        ("v=DMARC1", false),
        ("v=DMARC1; p=reject; p=none", false),
        ("p=reject", false),
    ] {
        assert_eq!(with(2, Txt(name, text)).await.dmarc, expected, "{text}");
    }
    let two = [&NEEDED[..], &[Txt(name, "v=DMARC1; p=reject")]].concat();
    assert!(!check(&two).await.dmarc, "of two records none counts");
}

#[tokio::test]
async fn a_policy_is_inherited() {
    let below = domain("eu.acme.example", DomainMode::SendReceive);
    for (text, expected) in [("v=DMARC1; p=reject", true), ("v=DMARC1; p=reject; sp=none", false)] {
        // The records of a registry do not matter, not even a fault of its name servers.
        let world = world(&[Txt("_dmarc.acme.example", text)]).with_fault("_dmarc.example", Fault::ServFail);
        assert_eq!(check_in(world, &below).await.unwrap().dmarc, expected, "{text}");
    }
}

#[tokio::test]
async fn mail_has_to_come_here_first() {
    let others = |priority| [&NEEDED[..], &[Mx("acme.example", priority, "mx.other.example")]].concat();
    assert!(check(&others(20)).await.mx);
    assert!(check(&others(10)).await.mx);
    assert!(!check(&others(5)).await.mx);
    assert!(with(3, Mx("acme.example", 0, "MAIL.platform.EXAMPLE.")).await.mx);
    assert!(!with(3, Mx("acme.example", 10, "mail.platform.example.acme.example")).await.mx);
    assert!(!with(4, Mx("bounce.acme.example", 0, ".")).await.mail_from_mx);
}

#[tokio::test]
async fn the_key_is_this_very_one_and_usable() {
    let name = "mm1._domainkey.acme.example";
    let halves = KEY.split_at(100);
    for (text, expected) in [
        (format!("p={KEY}"), true),
        (format!("v=DKIM1;k=rsa;p={} {};", halves.0, halves.1), true),
        (format!("v=DKIM1; k=rsa; p={}", KEY.replacen("A4GN", "A4GM", 1)), false),
        (format!("v=DKIM1; s=tlsrpt; p={KEY}"), false),
        ("v=DKIM1; p=".to_owned(), false),
        ("hello".to_owned(), false),
    ] {
        assert_eq!(check(&[Txt(name, &text)]).await.dkim, expected, "{text}");
    }
}

/// Whatever the question is about, a partial answer is none.
#[tokio::test]
async fn a_question_without_an_answer_makes_the_whole_unclear() {
    let acme = domain("acme.example", DomainMode::SendReceive);
    for name in [
        "acme.example",
        "_sendmux.acme.example",
        "_dmarc.acme.example",
        "bounce.acme.example",
        "mm1._domainkey.acme.example",
    ] {
        for fault in [Fault::ServFail, Fault::Timeout] {
            let silent = world(&NEEDED).with_fault(name, fault);
            assert!(check_in(silent, &acme).await.is_err(), "{name}");
        }
    }
}

//! DNS verdicts on mailboxes: what is kept, and what counts as a change.

use std::time::Duration;

use shared_models::domain::diagnosis::{
    DkimCheck, DmarcCheck, DnsFinding, DnsFindingCode, DnsReport, DnsStatus, MxCheck, MxRecord, SpfCheck,
};
use shared_models::domain::{CoreError, MailboxId, MailboxStatus};
use shared_models::events::{DNS_CHECKER_QUEUE, Envelope, Event, WEBHOOK_QUEUE};

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, mailbox};

contract!(
    a_verdict_is_kept_whole,
    an_unknown_part_keeps_the_earlier_verdict,
    an_error_without_an_earlier_verdict_stays_one,
    a_mailbox_that_is_gone,
    stale_verdicts_are_asked_for_again,
    only_what_is_new_is_a_change,
);

const HOUR: Duration = Duration::from_secs(3600);

/// Every part with its own text, all of them of one status.
fn verdict(status: DnsStatus, mark: &str) -> DnsReport {
    let text = Some(format!("{mark} \"ü\""));
    let finding =
        |code| DnsFinding { code: format!("{code}_{mark}"), ..DnsFinding::new(code, "do this").with_status(status) };
    DnsReport {
        domain: "mail.example".to_owned(),
        mx: MxCheck { status, records: vec![MxRecord { exchange: format!("{mark}.mail.example"), priority: 10 }] },
        spf: SpfCheck { status, record: text.clone(), lookups: 3, void: 1 },
        dkim: DkimCheck { status, selector: Some(mark.to_owned()), record: text.clone() },
        dmarc: DmarcCheck { status, policy: Some("none".to_owned()), location: None, record: text },
        findings: vec![
            finding(DnsFindingCode::MxMissing).with_record("mail.example", "MX", "10 mx.mail.example"),
            finding(DnsFindingCode::SpfMissing),
            finding(DnsFindingCode::DkimMissing),
            finding(DnsFindingCode::DmarcMissing),
        ],
        millis: 5,
    }
}

/// A verdict with this many working records, 0-4.
pub(crate) fn with_working_records(working: usize) -> DnsReport {
    let mut report = verdict(DnsStatus::Fail, "x");
    let statuses = [&mut report.mx.status, &mut report.spf.status, &mut report.dkim.status, &mut report.dmarc.status];
    statuses.into_iter().take(working).for_each(|status| *status = DnsStatus::Pass);
    report
}

async fn a_verdict_is_kept_whole(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let before = tenant.add(mailbox("dana")).await;
    let bystander = tenant.add(mailbox("otto")).await;
    assert_eq!(store.mailbox_for_dns_check(before.id).await.unwrap().as_ref(), Some(&before));
    for (report, working) in [(verdict(DnsStatus::Warn, "a"), "4"), (with_working_records(3), "3")] {
        store.record_dns_check(before.id, report.clone()).await.unwrap();
        let after = store.find_mailbox(tenant.workspace, before.id).await.unwrap();
        let dns = after.dns.unwrap();
        assert_eq!(dns.report, report);
        assert!(dns.checked_at >= before.created_at && after.updated_at == dns.checked_at);
        assert_eq!((after.status, after.sending_enabled), (MailboxStatus::Unverified, false));
        let stored = database
            .text(&format!("SELECT CAST(dns_sound_parts AS TEXT) AS value FROM mailboxes WHERE id = '{}'", before.id));
        assert_eq!(stored, working);
    }
    assert_eq!(store.find_mailbox(tenant.workspace, bystander.id).await.unwrap(), bystander);
}

async fn an_unknown_part_keeps_the_earlier_verdict(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    let (good, unclear, bad) =
        (verdict(DnsStatus::Pass, "good"), verdict(DnsStatus::Error, "unclear"), verdict(DnsStatus::Fail, "bad"));
    store.record_dns_check(id, good.clone()).await.unwrap();
    let mixed = DnsReport {
        mx: bad.mx.clone(),
        findings: [&bad.findings[..1], &unclear.findings[1..]].concat(),
        ..unclear.clone()
    };
    store.record_dns_check(id, mixed).await.unwrap();
    let kept = store.find_mailbox(tenant.workspace, id).await.unwrap().dns.unwrap().report;
    assert_eq!(kept.mx, bad.mx);
    assert_eq!((&kept.spf, &kept.dkim, &kept.dmarc), (&good.spf, &good.dkim, &good.dmarc));
    assert_eq!(kept.findings, [&bad.findings[..1], &good.findings[1..]].concat());
    assert_eq!(kept.working_records(), 3);

    store.record_dns_check(id, unclear).await.unwrap();
    let still = store.find_mailbox(tenant.workspace, id).await.unwrap().dns.unwrap().report;
    assert_eq!((&still.mx, &still.spf, still.findings.len()), (&kept.mx, &kept.spf, 4));
}

async fn an_error_without_an_earlier_verdict_stays_one(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    let unclear = verdict(DnsStatus::Error, "unclear");
    store.record_dns_check(id, unclear.clone()).await.unwrap();
    let stored = store.find_mailbox(tenant.workspace, id).await.unwrap().dns.unwrap().report;
    assert_eq!((&stored, stored.working_records()), (&unclear, 0));
}

async fn a_mailbox_that_is_gone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    assert!(store.mailbox_for_dns_check(id).await.unwrap().is_none());
    let unknown = store.mailbox_for_dns_check(MailboxId::new()).await;
    assert!(matches!(unknown, Err(CoreError::NotFound("mailbox"))));
    for id in [id, MailboxId::new()] {
        store.record_dns_check(id, verdict(DnsStatus::Pass, "late")).await.unwrap();
    }
    assert_eq!(database.count("mailboxes"), 0);
}

async fn stale_verdicts_are_asked_for_again(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut ids = vec![];
    for name in ["first", "second", "third", "fresh"] {
        let id = tenant.add(mailbox(name)).await.id;
        store.record_dns_check(id, verdict(DnsStatus::Pass, "a")).await.unwrap();
        ids.push(id);
    }
    tenant.add(mailbox("unchecked")).await;
    database.execute("DELETE FROM queue_messages");
    assert_eq!(store.request_stale_dns_checks(HOUR, 10).await.unwrap(), 0);
    for (id, checked_at) in [(ids[1], 1000), (ids[0], 2000), (ids[2], 3000)] {
        database.execute(&format!("UPDATE mailboxes SET dns_checked_at = {checked_at} WHERE id = '{id}'"));
    }
    assert_eq!(store.request_stale_dns_checks(HOUR, 2).await.unwrap(), 2);
    assert_eq!(store.request_stale_dns_checks(HOUR, 2).await.unwrap(), 1, "those asked for have moved to the end");
    assert_eq!(store.request_stale_dns_checks(HOUR, 2).await.unwrap(), 0);
    let asked = store.claim_messages(DNS_CHECKER_QUEUE, 10, HOUR).await.unwrap();
    let asked: Vec<Event> = asked.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event).collect();
    assert!(asked.iter().all(|event| matches!(event, Event::MailboxDnsCheckRequested(_))));
    let order: Vec<MailboxId> = asked.iter().map(|event| event.mailbox().unwrap().mailbox_id).collect();
    assert_eq!(order, [ids[1], ids[0], ids[2]], "the oldest verdict first");
    assert_eq!(database.count("queue_messages"), 3);
    let shown = store.find_mailbox(tenant.workspace, ids[0]).await.unwrap().dns.unwrap();
    assert_eq!(shown.report, verdict(DnsStatus::Pass, "a"));
    assert_eq!(shown.checked_at.millis(), 2000, "asking is not checking");
    store.record_dns_check(ids[0], verdict(DnsStatus::Warn, "b")).await.unwrap();
    database.execute(&format!("UPDATE mailboxes SET dns_checked_at = 2000 WHERE id = '{}'", ids[0]));
    assert_eq!(store.request_stale_dns_checks(HOUR, 2).await.unwrap(), 0, "asked for within the hour");
}

async fn only_what_is_new_is_a_change(database: TestDatabase) {
    use DnsStatus::{Error, Fail, Pass, Warn};
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    let first = verdict(Warn, "a");
    let slower = DnsReport { millis: 900, spf: SpfCheck { lookups: 9, void: 2, ..first.spf.clone() }, ..first.clone() };
    let mut shuffled = first.clone();
    shuffled.findings.reverse();
    let worse = DnsReport { mx: MxCheck { status: Fail, ..first.mx.clone() }, ..first.clone() };
    let moved = DnsReport { mx: verdict(Warn, "b").mx, ..worse.clone() };
    let renewed = DnsReport { dkim: verdict(Warn, "b").dkim, ..moved.clone() };
    let stricter = DnsReport {
        dmarc: DmarcCheck { policy: Some("reject".to_owned()), ..renewed.dmarc.clone() },
        ..renewed.clone()
    };
    let with_finding = DnsReport { findings: stricter.findings[1..].to_vec(), ..stricter.clone() };
    for (report, changed, why) in [
        (verdict(Error, "unclear"), false, "no query was answered"),
        (first.clone(), true, "the first one"),
        (first, false, "the same again"),
        (slower, false, "what it cost to find out"),
        (shuffled, false, "in another order"),
        (verdict(Error, "unclear"), false, "no query was answered this time"),
        (worse, true, "a status"),
        (moved, true, "a record"),
        (renewed, true, "a key"),
        (stricter, true, "a policy"),
        (with_finding.clone(), true, "a finding"),
    ] {
        let mut news = store.news();
        store.record_dns_check(id, report).await.unwrap();
        assert!(matches!(news.try_recv().unwrap(), Event::MailboxDnsChecked(about) if about.mailbox_id == id));
        let change = news.try_recv();
        assert_eq!(change.is_ok(), changed, "{why}");
        assert!(change.ok().is_none_or(|event| matches!(event, Event::MailboxDnsChanged(m) if m.mailbox_id == id)));
    }
    // Of many equal verdicts at the same time, one is a change.
    let mut news = store.news();
    at_once((0..4).map(|_| {
        let store = store.clone();
        async move { store.record_dns_check(id, verdict(Pass, "c")).await.unwrap() }
    }))
    .await;
    let events: Vec<Event> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    let changes = events.iter().filter(|event| matches!(event, Event::MailboxDnsChanged(_))).count();
    assert_eq!((events.len(), changes), (5, 1), "{events:?}");
    let queued = store.claim_messages(WEBHOOK_QUEUE, 99, HOUR).await.unwrap();
    assert_eq!(queued.len(), 7, "one for each change");
}

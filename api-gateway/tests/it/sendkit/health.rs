//! `GET /v1/mailboxes/{mailboxId}/health`: DNS in the dialect's words.

use serde_json::json;
use shared_models::domain::DnsReport;
use shared_models::domain::diagnosis::DkimCheck;
use shared_models::domain::diagnosis::DnsStatus::{Error, Fail, Pass, Warn};

use super::settled::dns;
use crate::client::members;
use crate::world::{World, minimal};

#[tokio::test]
async fn before_the_first_check_all_is_pending() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    let answer = world.get(&format!("/v1/mailboxes/{id}/health")).await;
    let expected = json!({
        "email": "dana@mail.example", "status": "inactive", "sendingEnabled": false,
        "dns": {
            "mx": {"status": "pending", "records": []}, "spf": {"status": "pending", "record": null},
            "dkim": {"status": "pending", "selector": null, "record": null},
            "dmarc": {"status": "pending", "record": null},
            "healthScore": null, "checkedAt": null, "findings": [],
        },
        "warmup": {"enabled": false, "status": "not_started", "currentDay": 0, "currentVolume": 0, "metrics": {},
            "config": {"startingVolume": 0, "dailyIncrease": 0, "targetVolume": 0}},
        "deliverability": {"bounceRate": 0.0, "totalSent": 0, "totalReceived": 0, "consecutiveFailures": 0},
        "dailySendLimit": 15, "sentToday": 0, "lastError": null,
    });
    assert_eq!((answer.status, answer.data()), (200, &expected));
}

#[tokio::test]
async fn records_and_findings_are_shown() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    world.store.record_dns_check(id, dns([Pass, Warn, Pass, Fail])).await.unwrap();
    let answer = world.get(&format!("/v1/mailboxes/{id}/health")).await;
    let dns = &answer.data()["dns"];
    assert_eq!(dns["mx"], json!({"status": "pass", "records": [{"exchange": "mx.mail.example", "priority": 10}]}));
    assert_eq!(dns["spf"], json!({"status": "pass", "record": "v=spf1 -all"}));
    assert_eq!(dns["dkim"], json!({"status": "pass", "selector": "google", "record": "v=DKIM1; p=AAAA"}));
    assert_eq!(dns["dmarc"], json!({"status": "fail", "record": "v=DMARC1; p=none"}));
    assert_eq!(dns["healthScore"], 75);
    assert_eq!(dns["checkedAt"].as_str().unwrap().len(), "2026-02-03T04:05:06.000Z".len());
    let findings = json!([
        {"code": "spf_weak", "part": "spf", "remedy": "Make it stricter."},
        {"code": "dmarc_missing", "part": "dmarc", "remedy": "Publish one.", "publish": {
            "name": "_dmarc.mail.example", "type": "TXT", "value": "v=DMARC1; p=none", "ttl": 3600}},
    ]);
    assert_eq!(dns["findings"], findings);
    let item = &world.get("/v1/mailboxes").await.data()[0].clone();
    assert_eq!(item["setupStatus"]["healthScore"], 75);
    assert_eq!(members(&item["setupStatus"]), ["dkim", "dmarc", "healthScore", "mx", "spf"]);
}

/// The dialect knows no warnings: a record that works passes. A look-up that failed is an error, not a failed record.
#[tokio::test]
async fn words_and_scores() {
    let world = World::start().await;
    let no_key = |report: DnsReport| DnsReport { dkim: DkimCheck { record: None, ..report.dkim.clone() }, ..report };
    for (n, (report, words, score)) in [
        (dns([Pass, Pass, Pass, Pass]), ["pass", "pass", "pass", "pass"], 100),
        (dns([Warn, Warn, Warn, Warn]), ["pass", "pass", "pass", "pass"], 100),
        (dns([Fail, Fail, Fail, Fail]), ["fail", "fail", "fail", "fail"], 0),
        (dns([Error, Error, Error, Error]), ["error", "error", "error", "error"], 0),
        (dns([Pass, Fail, Error, Warn]), ["pass", "fail", "error", "pass"], 50),
        (no_key(dns([Pass, Pass, Warn, Pass])), ["pass", "pass", "fail", "pass"], 75),
    ]
    .into_iter()
    .enumerate()
    {
        let id = world.add(&minimal(&format!("m{n}"))).await;
        world.store.record_dns_check(id, report).await.unwrap();
        let health = world.get(&format!("/v1/mailboxes/{id}/health")).await;
        let dns = &health.data()["dns"];
        assert_eq!(["mx", "spf", "dkim", "dmarc"].map(|part| dns[part]["status"].as_str().unwrap()), words);
        assert_eq!(dns["healthScore"], score);
        let detail = world.get(&format!("/v1/mailboxes/{id}")).await;
        assert_eq!(detail.data()["setupStatus"]["healthScore"], score);
    }
}

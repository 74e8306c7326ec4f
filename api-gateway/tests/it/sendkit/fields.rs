//! The rules of each member of a create body: what is put right, and what is refused by name.

use serde_json::{Value, json};
use shared_models::events::VERIFIER_QUEUE;

use crate::world::{World, minimal, with};

/// Creates with these changes and looks at one member of the answer.
async fn accepted(rows: Vec<(Value, &str, Value)>) {
    let world = World::start().await;
    for (n, (changes, member, expected)) in rows.into_iter().enumerate() {
        let answer = world.post("/v1/mailboxes", &with(minimal(&format!("m{n}")), &changes)).await;
        assert_eq!(answer.data()[member], expected, "{changes}");
    }
}

/// Creates with these changes and looks at the fields that are complained about.
async fn refused(rows: Vec<(Value, &[&str])>) {
    let world = World::start().await;
    for (changes, fields) in rows {
        let answer = world.post("/v1/mailboxes", &with(minimal("dana"), &changes)).await;
        assert_eq!(answer.bad_fields(), fields, "{changes}");
    }
    assert_eq!((world.usage().await, world.store.queue_depth(VERIFIER_QUEUE).await.unwrap()), (0, (0, 0)));
}

#[tokio::test]
async fn daily_send_limits_are_clamped() {
    let limit = |given: Value, stored: i32| (json!({"dailySendLimit": given}), "dailySendLimit", json!(stored));
    accepted(vec![
        limit(json!(1), 1),
        limit(json!(50), 50),
        limit(json!(0), 1),
        limit(json!(-7), 1),
        limit(json!(51), 50),
        limit(json!(900), 50),
        limit(json!(20.9), 20),
        limit(json!(0.2), 1),
        limit(json!(1e300), 50),
        limit(json!(-1e300), 1),
        limit(json!(u64::MAX), 50),
    ])
    .await;
}

#[tokio::test]
async fn texts_are_put_right() {
    accepted(vec![
        (json!({"email": "  Dana@MAIL.Example  "}), "email", json!("dana@mail.example")),
        (json!({"email": "dana@MÜLLER.example"}), "email", json!("dana@xn--mller-kva.example")),
        (json!({"displayName": "  Dana  "}), "displayName", json!("Dana")),
        (json!({"displayName": " ", "email": "Otto@mail.example"}), "displayName", json!("otto")),
        (json!({"displayName": "Dänä \u{1F980}"}), "displayName", json!("Dänä \u{1F980}")),
        (json!({"provider": "gmail"}), "provider", json!("gmail")),
        (json!({"provider": "azure"}), "provider", json!("azure")),
        (json!({"smtp": {"host": "  SMTP.Mail.Example  "}}), "smtpHost", json!("smtp.mail.example")),
        (json!({"smtp": {"host": "bücher.example"}}), "smtpHost", json!("xn--bcher-kva.example")),
        (json!({"smtp": {"port": "2525"}}), "smtpPort", json!(2525)),
        (json!({"smtp": {"port": 65535}}), "smtpPort", json!(65535)),
        (json!({"smtp": {"port": 1}}), "smtpPort", json!(1)),
        (json!({"imap": {"port": "143"}}), "imapPort", json!(143)),
        (json!({"smtp": {"port": 465, "secure": false}}), "smtpSecure", json!(false)),
        (json!({"signature": ""}), "signature", json!(null)),
        (json!({"signature": "a\r\nb"}), "signature", json!("a\r\nb")),
        (json!({"signature": "x".repeat(64 * 1024)}), "signature", json!("x".repeat(64 * 1024))),
        (json!({"tags": [" north ", "", "north", "  ", "North", "süd"]}), "tags", json!(["north", "North", "süd"])),
    ])
    .await;
}

#[tokio::test]
async fn unknown_members_are_ignored() {
    accepted(vec![
        (
            json!({"status": "active", "sendingEnabled": true, "_id": "x", "nonsense": {"a": [1]}}),
            "status",
            json!("inactive"),
        ),
        (json!({"smtp": {"nonsense": 1, "tls": "no"}}), "smtpSecure", json!(true)),
        (json!({"sendingEnabled": true}), "sendingEnabled", json!(false)),
    ])
    .await;
}

#[tokio::test]
async fn what_is_missing_is_named() {
    refused(vec![
        (json!({"email": null}), &["email"]),
        (json!({"email": ""}), &["email"]),
        (json!({"smtp": null}), &["smtp"]),
        (json!({"smtp": {"host": null}}), &["smtp.host"]),
        (json!({"smtp": {"host": "  "}}), &["smtp.host"]),
        (json!({"smtp": {"password": null}}), &["smtp.password"]),
        (json!({"smtp": {"password": ""}}), &["smtp.password"]),
        (json!({"email": null, "smtp": null}), &["email", "smtp"]),
        (json!({"email": null, "smtp": {"host": null, "password": null}}), &["email", "smtp.host", "smtp.password"]),
    ])
    .await;
}

#[tokio::test]
async fn addresses_that_are_none() {
    let emails = [
        "dana",
        "@mail.example",
        "dana@",
        "dana@localhost",
        "dana@127.0.0.1",
        "dana@[127.0.0.1]",
        "a b@mail.example",
        "a@b@mail.example",
        "a..b@mail.example",
        "dana@mail..example",
        "dana@mail.example\r\nRCPT TO:<x@y.example>",
        "Dana <dana@mail.example>",
        "用户@例子.example",
        "\"a b\"@mail.example",
    ];
    let mut rows: Vec<(Value, &[&str])> = emails.map(|email| (json!({"email": email}), &["email"][..])).to_vec();
    rows.push((json!({"email": format!("{}@mail.example", "a".repeat(65))}), &["email"]));
    rows.push((json!({"email": format!("a@{}.example", ["b".repeat(60).as_str(); 5].join("."))}), &["email"]));
    refused(rows).await;
}

#[tokio::test]
async fn servers_that_are_none() {
    let hosts = [
        "https://smtp.mail.example",
        "smtp.mail.example:587",
        "smtp.mail.example/x",
        "a b",
        "dana@mail.example",
        "smtp.mail.example\r\nX",
        "smtp.mail\n.example",
        "a..b",
        "-a.example",
        "a_b.example",
        "127.1",
        "0x7f000001",
    ];
    let mut rows: Vec<(Value, &[&str])> = vec![];
    for host in hosts {
        rows.push((json!({"smtp": {"host": host}}), &["smtp.host"]));
        rows.push((json!({"imap": {"host": host}}), &["imap.host"]));
    }
    rows.push((json!({"smtp": {"host": "a".repeat(256)}}), &["smtp.host"]));
    for port in [
        json!(0),
        json!(65536),
        json!(-1),
        json!(587.5),
        json!("x"),
        json!(""),
        json!("65536"),
        json!(" 587"),
        json!(true),
        json!([587]),
    ] {
        rows.push((json!({"smtp": {"port": port}}), &["smtp.port"]));
        rows.push((json!({"imap": {"port": port}}), &["imap.port"]));
    }
    refused(rows).await;
}

#[tokio::test]
async fn line_breaks_and_other_controls_go_nowhere_near_a_mail_server() {
    let mut rows: Vec<(Value, &[&str])> = vec![];
    for control in ["\r\n", "\n", "\r", "\0", "\u{7f}"] {
        let text = format!("a{control}b");
        rows.push((json!({"smtp": {"username": text}}), &["smtp.username"]));
        rows.push((json!({"smtp": {"password": text}}), &["smtp.password"]));
        rows.push((json!({"imap": {"username": text}}), &["imap.username"]));
        rows.push((json!({"imap": {"password": text}}), &["imap.password"]));
        rows.push((json!({"displayName": text}), &["displayName"]));
        rows.push((json!({"tags": ["good", text]}), &["tags"]));
    }
    rows.push((json!({"signature": "a\0b"}), &["signature"]));
    refused(rows).await;
}

#[tokio::test]
async fn lengths_have_limits() {
    refused(vec![
        (json!({"displayName": "x".repeat(256)}), &["displayName"]),
        (json!({"signature": "x".repeat(64 * 1024 + 1)}), &["signature"]),
        (json!({"signature": "ü".repeat(32 * 1024 + 1)}), &["signature"]),
        (json!({"smtp": {"username": "x".repeat(256)}}), &["smtp.username"]),
        (json!({"smtp": {"password": "x".repeat(1025)}}), &["smtp.password"]),
        (json!({"tags": ["x".repeat(101)]}), &["tags"]),
        (json!({"tags": (0..101).map(|n| n.to_string()).collect::<Vec<_>>()}), &["tags"]),
    ])
    .await;
}

#[tokio::test]
async fn wrong_types_are_named() {
    refused(vec![
        (json!({"email": 5}), &["email"]),
        (json!({"displayName": ["Dana"]}), &["displayName"]),
        (json!({"provider": "yahoo"}), &["provider"]),
        (json!({"provider": "Gmail"}), &["provider"]),
        (json!({"provider": 1}), &["provider"]),
        (json!({"smtp": "smtp.mail.example"}), &["smtp"]),
        (json!({"smtp": [1]}), &["smtp"]),
        (json!({"smtp": {"secure": "true"}}), &["smtp.secure"]),
        (json!({"smtp": {"secure": 1}}), &["smtp.secure"]),
        (json!({"smtp": {"host": 5}}), &["smtp.host"]),
        (json!({"smtp": {"username": 5}}), &["smtp.username"]),
        (json!({"smtp": {"password": 12345678}}), &["smtp.password"]),
        (json!({"imap": true}), &["imap"]),
        (json!({"imap": {"host": 5}}), &["imap.host"]),
        (json!({"imap": {"secure": "yes"}}), &["imap.secure"]),
        (json!({"dailySendLimit": "20"}), &["dailySendLimit"]),
        (json!({"dailySendLimit": true}), &["dailySendLimit"]),
        (json!({"signature": 5}), &["signature"]),
        (json!({"tags": "north"}), &["tags"]),
        (json!({"tags": ["north", 5]}), &["tags"]),
    ])
    .await;
}

/// Every bad field at once, in the order of the documentation.
#[tokio::test]
async fn all_faults_are_told_together() {
    let everything = json!({
        "tags": 1, "signature": 2, "dailySendLimit": "x", "imap": {"port": 0, "host": "a b"},
        "smtp": {"password": 1, "username": 2, "secure": 3, "port": 99999, "host": "a b"},
        "provider": "x", "displayName": 4, "email": "nobody",
    });
    let fields = [
        "email",
        "displayName",
        "provider",
        "smtp.host",
        "smtp.port",
        "smtp.secure",
        "smtp.username",
        "smtp.password",
        "imap.host",
        "imap.port",
        "dailySendLimit",
        "signature",
        "tags",
    ];
    let world = World::start().await;
    let answer = world.post("/v1/mailboxes", &everything).await;
    let mut told = answer.bad_fields();
    assert_eq!(told[0], "email");
    let order = |field: &&str| fields.iter().position(|known| known == field).unwrap();
    told.sort_by_key(order);
    assert_eq!(told, fields);
}

/// A secret that was sent in the wrong place or shape is not sent back.
#[tokio::test]
async fn values_are_not_repeated() {
    let world = World::start().await;
    for changes in [
        json!({"smtp": {"password": "planted\n"}}),
        json!({"smtp": {"password": ["planted"]}}),
        json!({"smtp": {"host": "planted:587"}}),
        json!({"smtp": "planted"}),
        json!({"email": "planted"}),
        json!({"provider": "planted"}),
    ] {
        let answer = world.post("/v1/mailboxes", &with(minimal("dana"), &changes)).await;
        assert!(!answer.bad_fields().is_empty());
        assert!(!answer.body.to_string().contains("planted"), "{:?}", answer.body);
    }
}

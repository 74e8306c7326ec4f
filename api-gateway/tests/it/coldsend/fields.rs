//! The rules of each member of a create body, and the words for each fault.

use serde_json::{Value, json};
use shared_models::events::VERIFIER_QUEUE;

use super::{ACCOUNTS, account, changed, faults, places, without};
use crate::world::{Options, PATIENT, World};

const MEMBERS: [&str; 14] = [
    "email_address",
    "display_name",
    "inbox_type",
    "smtp_host",
    "smtp_port",
    "smtp_username",
    "smtp_password",
    "imap_host",
    "imap_port",
    "imap_username",
    "imap_password",
    "daily_limit",
    "smtp_use_tls",
    "imap_use_ssl",
];
/// With their greatest lengths.
const TEXTS: [(&str, usize); 9] = [
    ("email_address", 255),
    ("display_name", 255),
    ("smtp_host", 255),
    ("smtp_username", 255),
    ("smtp_password", 500),
    ("imap_host", 255),
    ("imap_username", 255),
    ("imap_password", 500),
    ("inbox_type", 0),
];

const MISSING: (&str, &str) = ("field required", "value_error.missing");
const NULL: (&str, &str) = ("none is not an allowed value", "type_error.none.not_allowed");
const NOT_TEXT: (&str, &str) = ("str type expected", "type_error.str");
const NOT_INTEGER: (&str, &str) = ("value is not a valid integer", "type_error.integer");
const NOT_FLAG: (&str, &str) = ("value could not be parsed to a boolean", "type_error.bool");
const NOT_EMAIL: (&str, &str) = ("value is not a valid email address", "value_error.email");
const CONTROLS: (&str, &str) = ("must not contain line breaks or other control characters", "value_error");

/// One fault of one member, with its context.
struct Refused {
    world: World,
}

impl Refused {
    async fn start() -> Self {
        Self { world: World::start().await }
    }

    async fn body(&self, body: &Value, member: &str, (msg, kind): (&str, &str), ctx: Option<Value>) {
        let answer = self.world.cs_create(body).await;
        assert_eq!(faults(&answer), [(json!(["body", member]), msg, kind)], "{body}");
        assert_eq!(answer.body["detail"][0].get("ctx"), ctx.as_ref(), "{body}");
    }

    async fn value(&self, member: &str, value: Value, words: (&str, &str), ctx: Option<Value>) {
        self.body(&changed(account("kim"), &json!({member: value})), member, words, ctx).await;
    }

    /// Nothing came of any of them.
    async fn end(self) {
        let queued = self.world.store.queue_depth(VERIFIER_QUEUE).await.unwrap();
        assert_eq!((self.world.usage().await, queued), (0, (0, 0)));
    }
}

#[tokio::test]
async fn what_is_missing_and_what_is_null() {
    let refused = Refused::start().await;
    for member in MEMBERS {
        refused.value(member, Value::Null, NULL, None).await;
        if account("kim").get(member).is_some() {
            refused.body(&without(account("kim"), member), member, MISSING, None).await;
        }
    }
    refused.end().await;
}

#[tokio::test]
async fn texts_of_the_wrong_type() {
    let refused = Refused::start().await;
    for (member, _) in TEXTS {
        for value in [json!(12_345_678), json!(true), json!(["text"]), json!({}), json!(1.5)] {
            refused.value(member, value, NOT_TEXT, None).await;
        }
    }
    refused.end().await;
}

#[tokio::test]
async fn texts_too_short_and_too_long() {
    let refused = Refused::start().await;
    for (member, max) in TEXTS.into_iter().filter(|(_, max)| *max > 0) {
        let min = if member == "email_address" { 5 } else { 1 };
        let short = (format!("ensure this value has at least {min} characters"), "value_error.any_str.min_length");
        let too_short = if min == 5 { "a@bc" } else { "" };
        let ctx = Some(json!({"limit_value": min}));
        refused.value(member, json!(too_short), (&short.0, short.1), ctx).await;
        let long = (format!("ensure this value has at most {max} characters"), "value_error.any_str.max_length");
        for value in ["x".repeat(max + 1), "\u{1F980}".repeat(max + 1), format!("kim@out.example{}", " ".repeat(max))] {
            refused.value(member, json!(value), (&long.0, long.1), Some(json!({"limit_value": max}))).await;
        }
    }
    // Nothing but space is nothing where it is trimmed.
    let nothing = ("ensure this value has at least 1 characters", "value_error.any_str.min_length");
    for member in ["smtp_host", "imap_host"] {
        refused.value(member, json!("   "), nothing, Some(json!({"limit_value": 1}))).await;
    }
    refused.value("email_address", json!("      "), NOT_EMAIL, None).await;
    refused.end().await;
}

#[tokio::test]
async fn addresses_that_are_none() {
    let refused = Refused::start().await;
    let long_local = format!("{}@out.example", "a".repeat(65));
    let long_whole = format!("a@{}.{}", ["b".repeat(60).as_str(); 4].join("."), "c".repeat(9));
    assert_eq!(long_whole.len(), 255);
    for email in [
        "nobody",
        "@out.example",
        "kim@out",
        "kim@127.0.0.1",
        "kim@[127.0.0.1]",
        "k m@out.example",
        "a@b@out.example",
        "a..b@out.example",
        "kim@out..example",
        "kim@out.example\r\nRCPT TO:<x@y.example>",
        "kim@out.example\r\n",
        "\tkim@out.example",
        "kim\0@out.example",
        "Kim <kim@out.example>",
        "用户@例子.example",
        long_local.as_str(),
        long_whole.as_str(),
    ] {
        refused.value("email_address", json!(email), NOT_EMAIL, None).await;
    }
    refused.end().await;
}

#[tokio::test]
async fn unknown_types() {
    let refused = Refused::start().await;
    let words = [
        "value is not a valid enumeration member; permitted: 'GOOGLE_WORKSPACE', 'OUTLOOK_365', 'CUSTOM_SMTP'",
        "value_error",
    ];
    let ctx = json!({"enum_values": ["GOOGLE_WORKSPACE", "OUTLOOK_365", "CUSTOM_SMTP"]});
    for kind in ["", "custom_smtp", "CUSTOM_SMTP ", "GMAIL", "OUTLOOK", "COLDSEND_NATIVE"] {
        refused.value("inbox_type", json!(kind), (words[0], words[1]), Some(ctx.clone())).await;
    }
    refused.end().await;
}

#[tokio::test]
async fn servers_that_are_none() {
    let refused = Refused::start().await;
    let words = ("must be a server name only, such as mail.example.com", "value_error");
    for member in ["smtp_host", "imap_host"] {
        for host in [
            "https://smtp.out.example",
            "smtp.out.example:587",
            "smtp.out.example/x",
            "a b",
            "kim@out.example",
            "a..b",
            "-a.example",
            "127.1",
            "0x7f000001",
        ] {
            refused.value(member, json!(host), words, None).await;
        }
    }
    refused.end().await;
}

/// They might get into the commands for a mail server.
#[tokio::test]
async fn line_breaks_and_other_controls() {
    let refused = Refused::start().await;
    for (member, _) in TEXTS.into_iter().filter(|(member, _)| !["email_address", "inbox_type"].contains(member)) {
        for value in ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\u{7f}b", "a\tb", "smtp.out.example\r\n"] {
            refused.value(member, json!(value), CONTROLS, None).await;
        }
    }
    refused.end().await;
}

#[tokio::test]
async fn numbers_that_are_none() {
    let refused = Refused::start().await;
    for member in ["smtp_port", "imap_port", "daily_limit"] {
        for value in [
            json!("x"),
            json!(""),
            json!(" 587"),
            json!("+587"),
            json!("-1"),
            json!("587.0"),
            json!("5_8_7"),
            json!("٥٨٧"),
            json!(587.5),
            json!(true),
            json!(false),
            json!([587]),
            json!({}),
        ] {
            refused.value(member, value, NOT_INTEGER, None).await;
        }
    }
    refused.end().await;
}

#[tokio::test]
async fn numbers_out_of_range() {
    let refused = Refused::start().await;
    for (member, max) in [("smtp_port", 65_535_i64), ("imap_port", 65_535), ("daily_limit", 2_147_483_647)] {
        let below = ("ensure this value is greater than or equal to 1", "value_error.number.not_ge");
        for value in [json!(0), json!(-1), json!(-1e30), json!(i64::MIN), json!("0"), json!("000")] {
            refused.value(member, value, below, Some(json!({"limit_value": 1}))).await;
        }
        let above = format!("ensure this value is less than or equal to {max}");
        let above = (above.as_str(), "value_error.number.not_le");
        for value in [json!(max + 1), json!(u64::MAX), json!(1e30), json!((max + 1).to_string()), json!("9".repeat(50))]
        {
            refused.value(member, value, above, Some(json!({"limit_value": max}))).await;
        }
    }
    refused.end().await;
}

#[tokio::test]
async fn flags_that_are_none() {
    let refused = Refused::start().await;
    for member in ["smtp_use_tls", "imap_use_ssl"] {
        for value in [json!("yes"), json!(""), json!(1), json!(0), json!("1"), json!(" true"), json!([]), json!({})] {
            refused.value(member, value, NOT_FLAG, None).await;
        }
    }
    refused.end().await;
}

/// Every bad field at once, in the order of the schema, each with one fault.
#[tokio::test]
async fn all_faults_are_told_together_and_in_order() {
    let world = World::start().await;
    let bad = json!({
        "imap_use_ssl": 1, "smtp_use_tls": "x", "daily_limit": 0, "imap_password": "", "imap_username": 1,
        "imap_port": 0, "imap_host": "a b", "smtp_password": null, "smtp_username": "\n", "smtp_port": "x",
        "smtp_host": "", "inbox_type": "x", "display_name": "", "email_address": "\n",
    });
    let all = MEMBERS.map(|member| format!("body.{member}"));
    assert_eq!(places(&world.cs_create(&bad).await), all);
    assert_eq!(places(&world.cs_create(&json!({})).await), all[..11], "all that are required");
}

/// Values that are accepted, after conversion if necessary: (changes, member of the account, its value afterwards).
#[tokio::test]
async fn what_is_good_enough() {
    let world = World::with(Options { verification_wait_ms: 0, ..PATIENT }).await;
    let at_most = format!("{}@{}.example", "a".repeat(64), ["b".repeat(59).as_str(); 3].join("."));
    for (n, (changes, member, expected)) in [
        (json!({"smtp_port": "2525"}), "smtp_port", json!(2525)),
        (json!({"smtp_port": "0587"}), "smtp_port", json!(587)),
        (json!({"smtp_port": 587.0}), "smtp_port", json!(587)),
        (json!({"smtp_port": 65_535}), "smtp_port", json!(65_535)),
        (json!({"imap_port": 1}), "imap_port", json!(1)),
        (json!({"daily_limit": "25"}), "daily_limit", json!(25)),
        (json!({"daily_limit": 25.0}), "daily_limit", json!(25)),
        (json!({"smtp_use_tls": "false"}), "smtp_use_tls", json!(false)),
        (json!({"smtp_use_tls": "True"}), "smtp_use_tls", json!(true)),
        (json!({"imap_use_ssl": false}), "imap_use_ssl", json!(false)),
        (json!({"display_name": "x"}), "display_name", json!("x")),
        (json!({"display_name": "\u{1F980}".repeat(255)}), "display_name", json!("\u{1F980}".repeat(255))),
        (json!({"display_name": " "}), "display_name", json!(" ")),
        (json!({"email_address": "a@b.c"}), "email_address", json!("a@b.c")),
        (json!({"email_address": at_most}), "email_address", json!(at_most)),
        (json!({"email_address": "kim@MÜLLER.example"}), "email_address", json!("kim@MÜLLER.example")),
        (json!({"smtp_host": "192.0.2.7"}), "smtp_host", json!("192.0.2.7")),
        (json!({"smtp_host": "[2001:db8::7]"}), "smtp_host", json!("2001:db8::7")),
        (json!({"smtp_password": "x".repeat(500), "imap_password": " "}), "overall_status", json!("PENDING")),
        (json!({"smtp_username": "ü".repeat(255)}), "overall_status", json!("PENDING")),
        (json!({"status": "ACTIVE", "inbox_id": "x", "nonsense": {"a": [1]}}), "overall_status", json!("PENDING")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = world.cs_create(&changed(account(&format!("m{n}")), &changes)).await;
        assert_eq!(answer.status, 201, "{changes} {answer:?}");
        let id = answer.body["inbox_id"].as_str().unwrap();
        assert_eq!(world.cs_get(&format!("{ACCOUNTS}/{id}")).await.body[member], expected, "{changes}");
    }
}

/// A secret that was sent in the wrong place or shape is not sent back.
#[tokio::test]
async fn values_are_not_repeated() {
    let world = World::start().await;
    for changes in [
        json!({"smtp_password": "planted\n"}),
        json!({"smtp_password": ["planted"]}),
        json!({"smtp_password": "planted".repeat(80)}),
        json!({"smtp_host": "planted:587"}),
        json!({"smtp_port": "planted"}),
        json!({"smtp_use_tls": "planted"}),
        json!({"email_address": "planted"}),
        json!({"inbox_type": "planted"}),
    ] {
        let answer = world.cs_create(&changed(account("kim"), &changes)).await;
        assert_eq!(faults(&answer).len(), 1);
        assert!(!answer.body.to_string().contains("planted"), "{:?}", answer.body);
    }
}

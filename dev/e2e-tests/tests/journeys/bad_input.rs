//! Input that a customer's program gets wrong, and input that only looks wrong. Each mistake is answered in the
//! dialect's envelope with the field named, and leaves nothing behind.

use e2e_tests::{Client, Plan, Reply, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;

/// A mailbox that would be accepted.
fn good(server: &ScriptedServer, email: &str) -> Value {
    mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

/// Sets a member by its path (`smtp.port`); adds it when it is not there.
fn with(mut body: Value, path: &str, value: Value) -> Value {
    match path.split_once('.') {
        Some((outer, inner)) => body[outer][inner] = value,
        None => body[path] = value,
    }
    body
}

/// Field and value; the answer must name the field.
fn bad_fields() -> Vec<(&'static str, Value)> {
    let long = |length| json!("a".repeat(length));
    let mut cases = vec![
        ("tags", json!([1])),
        ("tags", json!(["good", null])),
        ("tags", json!({"a": "b"})),
        ("tags", json!(["a\r\nb"])),
        ("tags", json!(["a".repeat(101)])),
        ("tags", (0..101).map(|n| n.to_string()).collect()),
        ("signature", long(64 * 1024 + 1)),
        ("signature", json!("a\u{0}b")),
        ("displayName", long(256)),
        ("displayName", json!("Dana\r\nBcc: x@y.test")),
        ("provider", json!("yahoo")),
        ("dailySendLimit", json!("x")),
        ("dailySendLimit", json!("15")),
    ];
    for email in [
        "",
        " ",
        "dana",
        "dana@",
        "@example.test",
        "a@b@example.test",
        "da na@example.test",
        "dana@localhost",
        "dana@[127.0.0.1]",
        "dana@127.0.0.1",
        "dana@example..test",
        ".dana@example.test",
        "dana@example.test\r\nRCPT TO:<x@y.test>",
        "da\nna@example.test",
        "dåna@example.test",
        "用户@example.test",
    ] {
        cases.push(("email", json!(email)));
    }
    cases.push(("email", json!(format!("{}@example.test", "a".repeat(65)))));
    cases.push(("email", json!(format!("a@{}test", "label.".repeat(50)))));
    for server in ["smtp", "imap"] {
        let field = |member: &str| -> &'static str { format!("{server}.{member}").leak() };
        for host in [
            "https://mail.example.test",
            "mail.example.test:587",
            "mail.example.test/x",
            "mail.example.test\r\nQUIT",
            "ma\nil.test",
            "me@mail.example.test",
            "a b.test",
            "-a.test",
            "a..test",
            "2130706433",
            "127.1",
            "ma\u{0}il.test",
        ] {
            cases.push((field("host"), json!(host)));
        }
        cases.push((field("host"), long(256)));
        for port in [
            json!(0),
            json!(65536),
            json!(-1),
            json!(587.5),
            json!("0"),
            json!("65536"),
            json!("x"),
            json!(""),
            json!(" 587"),
            json!("587.0"),
            json!(1e30),
        ] {
            cases.push((field("port"), port));
        }
        for secure in [json!("true"), json!(1), json!(0)] {
            cases.push((field("secure"), secure));
        }
        for text in ["a\r\nb", "a\nb", "a\rb", "a\u{0}b", "a\u{1b}b"] {
            cases.push((field("username"), json!(text)));
            cases.push((field("password"), json!(text)));
        }
        cases.push((field("username"), long(256)));
        cases.push((field("password"), long(1025)));
        for member in ["host", "username", "password"] {
            cases.extend([json!(5), json!(true), json!(["x"]), json!({"x": "y"})].map(|value| (field(member), value)));
        }
        for member in ["port", "secure"] {
            cases.extend([json!([1]), json!({"x": 1})].map(|value| (field(member), value)));
        }
    }
    // Required members.
    cases.extend([
        ("email", Value::Null),
        ("smtp", Value::Null),
        ("smtp.host", Value::Null),
        ("smtp.password", Value::Null),
    ]);
    cases.extend([("smtp.host", json!("")), ("smtp.host", json!("  ")), ("smtp.password", json!(""))]);
    // Types that do not depend on the field.
    for field in ["email", "displayName", "provider", "signature"] {
        cases.extend([json!(5), json!(true), json!(["x"]), json!({"x": "y"})].map(|value| (field, value)));
    }
    for field in ["smtp", "imap"] {
        cases.extend([json!("x"), json!(5), json!(true), json!(["x"])].map(|value| (field, value)));
    }
    cases.extend([json!(true), json!([1]), json!({"x": 1})].map(|value| ("dailySendLimit", value)));
    cases.extend([json!("a,b"), json!(5), json!(true)].map(|value| ("tags", value)));
    cases
}

/// The answer names this field, first, and does not repeat what was sent.
#[track_caller]
fn names(reply: &Reply, field: &str, value: &Value) {
    let error = reply.error(400, "VALIDATION_ERROR");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("{field} ")), "{field} = {value}: {message}");
    let details = error["details"].as_array().unwrap();
    assert!(details.iter().all(|one| one["field"] == field && one["message"].is_string()), "{value}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_and_nothing_is_written() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let good = good(&server, "dana@example.test");
    for (field, value) in bad_fields() {
        let reply = tenant.api.create(&with(good.clone(), field, value.clone())).await;
        names(&reply, field, &value);
    }
    // All at once, in the order of the contract.
    let body = json!({"email": "x", "displayName": 1, "provider": "p", "smtp": {"port": 0, "secure": "y", "username": 1},
        "imap": {"port": 65536}, "dailySendLimit": "x", "signature": 1, "tags": 1});
    let reply = tenant.api.create(&body).await;
    let details = reply.error(400, "VALIDATION_ERROR")["details"].as_array().unwrap();
    let fields: Vec<&str> = details.iter().map(|one| one["field"].as_str().unwrap()).collect();
    let expected = [
        "email",
        "displayName",
        "provider",
        "smtp.host",
        "smtp.port",
        "smtp.secure",
        "smtp.username",
        "smtp.password",
        "imap.port",
        "dailySendLimit",
        "signature",
        "tags",
    ];
    assert_eq!(fields, expected);

    assert_eq!((tenant.api.count("").await, system.usage(&tenant, Plan::Unlimited).await), (0, 0));
    assert_eq!(server.stats().connections(), 0);
    tenant.api.active(&tenant.api.add(&good).await).await;
}

async fn post(api: &Client, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Reply {
    let mut request = api.request(Method::POST, "/v1/mailboxes").body(body);
    if let Some(content_type) = content_type {
        request = request.header("Content-Type", content_type);
    }
    api.send(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_object() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let json = Some("application/json");
    let good = good(&server, "dana@example.test").to_string();
    let cut = &good[..good.len() - 1];
    let deep = "[".repeat(100_000);
    let doubled = format!("{good}{good}");
    let texts = [
        "",
        " ",
        "{",
        "}",
        "null",
        "true",
        "5",
        "\"text\"",
        "[]",
        "[{}]",
        "{'email': 1}",
        "{\"email\":}",
        cut,
        &deep,
        &doubled,
    ];
    for text in texts {
        let reply = post(&tenant.api, json, text.to_owned()).await;
        let error = reply.error(400, "VALIDATION_ERROR");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("The request body ") && message.len() < 200, "{message}");
        assert_eq!(error["details"][0]["field"], "body");
    }
    let not_utf8 = [&b"{\"email\":\"\xff\xfe"[..], &b"\"}"[..]].concat();
    post(&tenant.api, json, not_utf8).await.error(400, "VALIDATION_ERROR");

    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "json",
    ] {
        post(&tenant.api, Some(other), good.clone()).await.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    // The customer sends all of it before it reads the answer.
    let huge = |bytes: usize| json!({"email": "dana@example.test", "signature": "a".repeat(bytes)}).to_string();
    for bytes in [300 * 1024, 10 * 1024 * 1024] {
        post(&tenant.api, json, huge(bytes)).await.error(413, "PAYLOAD_TOO_LARGE");
    }
    assert_eq!((tenant.api.count("").await, system.usage(&tenant, Plan::Unlimited).await), (0, 0));
    post(&tenant.api, Some("Application/JSON; charset=utf-8"), good).await.data(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_only_looks_wrong_is_put_right() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    // The value sent, and the value that comes back by the contract.
    let long_name = "ü".repeat(255);
    let port = server.port(Listener::SmtpStarttls);
    let cases: Vec<(&str, Value, &str, Value)> = vec![
        ("email", json!("  Dana.Field@Example.TEST "), "email", json!("dana.field@example.test")),
        ("email", json!("lower@example.test"), "displayName", json!("lower")),
        ("email", json!("dana@bücher.test"), "email", json!("dana@xn--bcher-kva.test")),
        ("email", json!("a+b.c_d@x.co.test"), "email", json!("a+b.c_d@x.co.test")),
        ("displayName", json!("  Dana Field "), "displayName", json!("Dana Field")),
        ("displayName", json!(long_name), "displayName", json!(long_name)),
        ("displayName", Value::Null, "connectionType", json!("smtp")),
        ("provider", json!("gmail"), "provider", json!("gmail")),
        ("provider", json!("outlook"), "provider", json!("outlook")),
        ("provider", json!("azure"), "provider", json!("azure")),
        ("provider", json!("custom"), "provider", json!("custom")),
        ("provider", Value::Null, "provider", json!("custom")),
        ("smtp.port", json!(port.to_string()), "smtpPort", json!(port)),
        ("smtp.port", json!("587"), "smtpPort", json!(587)),
        ("smtp.port", Value::Null, "smtpPort", json!(587)),
        ("smtp.port", json!(65535), "smtpPort", json!(65535)),
        ("smtp.secure", Value::Null, "smtpSecure", json!(true)),
        ("smtp.secure", json!(false), "smtpSecure", json!(false)),
        ("smtp.host", json!(" LOCALHOST. "), "smtpHost", json!("localhost")),
        ("smtp.host", json!("müller.lab.test"), "smtpHost", json!("xn--mller-kva.lab.test")),
        ("smtp.password", json!("  spaces are part of it  "), "status", json!("inactive")),
        ("imap", Value::Null, "imapHost", json!("127.0.0.1")),
        ("imap", json!({}), "imapPort", json!(993)),
        ("imap.host", json!(" "), "imapHost", json!("127.0.0.1")),
        ("imap.secure", Value::Null, "imapSecure", json!(true)),
        ("dailySendLimit", json!(0), "dailySendLimit", json!(1)),
        ("dailySendLimit", json!(-7), "dailySendLimit", json!(1)),
        ("dailySendLimit", json!(900), "dailySendLimit", json!(50)),
        ("dailySendLimit", json!(1e300), "dailySendLimit", json!(50)),
        ("dailySendLimit", json!(7.9), "dailySendLimit", json!(7)),
        ("dailySendLimit", Value::Null, "dailySendLimit", json!(15)),
        ("signature", json!("<p>Dana\r\n</p>"), "signature", json!("<p>Dana\r\n</p>")),
        ("signature", Value::Null, "signature", Value::Null),
        ("tags", json!([" north ", "", "north", "North", "  "]), "tags", json!(["north", "North"])),
        ("tags", Value::Null, "tags", json!([])),
        ("status", json!("active"), "status", json!("inactive")),
        ("_id", json!("66c0ffee12ab34cd56ef7890"), "sendingEnabled", json!(false)),
    ];
    for (number, (field, value, told, expected)) in cases.into_iter().enumerate() {
        let body = with(good(&server, &format!("user{number}@example.test")), field, value.clone());
        let reply = api.create(&body).await;
        assert_eq!(reply.data(201)[told], expected, "{field} = {value}");
    }
    for same in ["DANA@XN--BCHER-KVA.TEST", "Dana@BÜCHER.test", "USER7@example.test"] {
        api.create(&good(&server, same)).await.error(409, "CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_checked_like_new_mailboxes() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&good(&server, "dana@example.test")).await;
    api.active(&id).await;
    api.health(&id).await;
    let path = format!("/v1/mailboxes/{id}");
    let before = api.mailbox(&id).await.data(200).clone();
    let wrong = [
        ("displayName", json!(5)),
        ("displayName", json!("a\nb")),
        ("dailySendLimit", json!("x")),
        ("signature", json!([1])),
        ("sendingEnabled", json!("yes")),
        ("sendingEnabled", json!(1)),
        ("tags", json!("north")),
        ("tags", json!([1])),
    ];
    for (field, value) in wrong {
        // The other member is good and must not be stored either.
        let reply =
            api.patch(&path, &with(json!({"dailySendLimit": 3, "displayName": "D"}), field, value.clone())).await;
        names(&reply, field, &value);
    }
    let broken = api.request(Method::PATCH, &path).header("Content-Type", "application/json").body("{\"displayName\":");
    api.send(broken).await.unwrap().error(400, "VALIDATION_ERROR");
    let nothing = api.send(api.request(Method::PATCH, &path)).await.unwrap();
    assert_eq!(nothing.data(200), &before, "an empty body changes nothing");
    assert_eq!(
        api.patch(&path, &json!({"smtp": {"host": "x"}, "email": "x@y.test", "status": "failed"})).await.data(200),
        &before
    );

    let changed = api
        .patch(
            &path,
            &json!({"displayName": " Dana F. ", "dailySendLimit": 99, "tags": ["b", "a", "b"],
        "signature": "<p>D</p>", "sendingEnabled": false}),
        )
        .await;
    let members =
        ["displayName", "dailySendLimit", "tags", "signature", "sendingEnabled"].map(|m| changed.data(200)[m].clone());
    assert_eq!(json!(members), json!(["Dana F.", 50, ["b", "a"], "<p>D</p>", false]));
    assert_eq!(api.mailbox(&id).await.data(200), changed.data(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_queries_are_named() {
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    for (field, query) in [
        ("limit", "limit=x"),
        ("limit", "limit=0"),
        ("limit", "limit=-1"),
        ("cursor", "cursor=x"),
        ("page", "page=0"),
        ("status", "status=asleep"),
        ("provider", "provider=yahoo"),
        ("tagMode", "tagMode=some"),
        ("untagged", "untagged=maybe"),
        ("sendingEnabled", "sendingEnabled=2"),
        ("connectionType", "connectionType=pigeon"),
        ("minHealthScore", "minHealthScore=x"),
    ] {
        names(&api.get(&format!("/v1/mailboxes?{query}")).await, field, &json!(query));
    }
    assert_eq!(api.list("limit=5000").await["pagination"]["limit"], 100);
}

//! Bodies that are no JSON object, or too much of one.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ACCOUNTS, FOREIGN, account, faults, places};
use crate::world::World;

/// Paths that read a body.
fn with_bodies() -> [String; 4] {
    [
        format!("{ACCOUNTS}/smtp"),
        format!("{ACCOUNTS}/smtp/bulk"),
        format!("{ACCOUNTS}/bulk/delete"),
        format!("{ACCOUNTS}/{FOREIGN}/test-email"),
    ]
}

/// (body, where reading stopped in characters)
#[tokio::test]
async fn what_is_no_json_is_told_with_its_place() {
    let world = World::start().await;
    for path in with_bodies() {
        for (body, offset) in [
            ("{", 1),
            ("{\"ä\": ", 6),
            ("{'email_address': 1}", 1),
            ("{\"a\": 1,}", 8),
            ("{\"ä\": x}", 6),
            ("{\n  \"ä\": 1,\n  \"b\": x\n}", 19),
            ("planted-secret", 0),
            ("{} x", 3),
        ] {
            let answer = world.coldsend(Method::POST, &path).raw(Some("application/json"), body).send().await;
            let [(loc, msg, kind)] = &faults(&answer)[..] else { panic!("{answer:?}") };
            assert_eq!((loc, *kind), (&json!(["body", offset]), "value_error.jsondecode"), "{path} {body}");
            assert!(msg.contains(" at line ") && !answer.body.to_string().contains("planted"), "{msg}");
        }
    }
}

#[tokio::test]
async fn what_is_no_object_or_nothing() {
    let world = World::start().await;
    let not_object = ("value is not a valid dict", "type_error.dict");
    let nothing = ("field required", "value_error.missing");
    for path in with_bodies() {
        for (kind, body, (msg, fault)) in [
            (Some("application/json"), "[]", not_object),
            (Some("application/json"), "\"text\"", not_object),
            (Some("application/json"), "5", not_object),
            (Some("application/json"), "null", nothing),
            (Some("application/json"), "", nothing),
            (None, "", nothing),
            // Not declared as JSON, it is a text.
            (Some("text/plain"), "{}", not_object),
            (Some("application/x-www-form-urlencoded"), "email_address=kim", not_object),
            (Some("multipart/form-data; boundary=x"), "{}", not_object),
        ] {
            let answer = world.coldsend(Method::POST, &path).raw(kind, body).send().await;
            assert_eq!(faults(&answer), [(json!(["body"]), msg, fault)], "{path} {kind:?} {body}");
        }
    }
}

#[tokio::test]
async fn json_goes_by_several_names() {
    let world = World::start().await;
    for kind in
        [Some("application/json; charset=utf-8"), Some("Application/JSON"), Some("application/vnd.x+json"), None]
    {
        let answer = world.coldsend(Method::POST, &format!("{ACCOUNTS}/smtp")).raw(kind, "{}").send().await;
        assert_eq!(places(&answer).len(), 11, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_no_text_or_nested_without_end_is_no_json() {
    let world = World::start().await;
    let deep = format!("{{\"inboxes\": {}{}}}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes();
    for body in [b"{\"email_address\": \"k\xffm\"}".to_vec(), deep] {
        for path in with_bodies() {
            let call = world.coldsend(Method::POST, &path).raw(Some("application/json"), body.clone());
            let answer = call.send().await;
            assert_eq!(faults(&answer)[0].2, "value_error.jsondecode");
        }
    }
}

#[tokio::test]
async fn too_much_is_refused_and_the_connection_lives() {
    let world = World::start().await;
    for (path, limit) in with_bodies().iter().zip([262_144_usize, 4_194_304, 262_144, 262_144]) {
        let text = format!("The request body is larger than {limit} bytes");
        for size in [limit + 1, 10 * 1024 * 1024] {
            let call = world.coldsend(Method::POST, path).raw(Some("application/json"), vec![b' '; size]);
            assert_eq!(call.send().await.detail(), (413, text.as_str()), "{path}");
        }
        let call = world.coldsend(Method::POST, path).raw(Some("application/json"), vec![b' '; limit]);
        assert_eq!(faults(&call.send().await)[0].2, "value_error.jsondecode");
    }
    assert_eq!(world.cs_get(ACCOUNTS).await.status, 200);
}

/// Numbers are limited before anything is kept: as a tree the second body took 370 MB.
#[tokio::test]
async fn too_many_members_and_items_are_refused() {
    let world = World::start().await;
    let bulk = format!("{ACCOUNTS}/smtp/bulk");
    let members: Vec<String> = (0..1_001).map(|n| format!("\"m{n}\":0")).collect();
    let many = format!("{{\"inboxes\":[{}{{}}]}}", "{\"\":0},".repeat(599_000));
    for (body, loc, msg, kind) in [
        (
            format!("{{\"inboxes\":[{{{}}}]}}", members.join(",")),
            json!(["body"]),
            "The request body has an object with more than 1000 members",
            "value_error",
        ),
        (many, json!(["body", "inboxes"]), "ensure this value has at most 100 items", "value_error.list.max_items"),
    ] {
        let answer = world.coldsend(Method::POST, &bulk).raw(Some("application/json"), body).send().await;
        assert_eq!(faults(&answer), [(loc, msg, kind)]);
    }
}

/// The largest list that can be right: it is read, and judged by its one bad field.
#[tokio::test]
async fn a_hundred_inboxes_of_the_greatest_lengths_fit() {
    let world = World::start().await;
    let crab = |count: usize| "\\ud83e\\udd80".repeat(count);
    let mut body = account("kim");
    for (name, length) in [
        ("display_name", 255),
        ("smtp_username", 255),
        ("smtp_password", 500),
        ("imap_username", 255),
        ("imap_password", 500),
    ] {
        body[name] = Value::String(format!("@{length}@"));
    }
    let mut inbox = body.to_string();
    for length in [255, 500] {
        inbox = inbox.replace(&format!("@{length}@"), &crab(length));
    }
    let bad = inbox.replace("587", "0");
    let list = [vec![inbox.as_str(); 99], vec![bad.as_str()]].concat().join(",");
    let call = world.coldsend(Method::POST, &format!("{ACCOUNTS}/smtp/bulk"));
    let answer = call.raw(Some("application/json"), format!("{{\"inboxes\":[{list}]}}")).send().await;
    assert_eq!(places(&answer), ["body.inboxes.99.smtp_port"]);
}

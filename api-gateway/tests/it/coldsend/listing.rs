//! `GET /sender-accounts`: items, pages, filters and orders.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::mailboxes::{MailboxChange, NewMailbox, ProviderLabel};

use super::{ACCOUNTS, faults, new_mailbox, places, text};
use crate::client::{Answer, members};
use crate::sendkit::settled::{accepted, wrong_password};
use crate::world::World;

fn names(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = answer.body["sender_accounts"].as_array().unwrap();
    items.iter().map(|item| text(&item["email_address"]).split('@').next().unwrap()).collect()
}

/// A gateway with mailboxes m0, m1, ...
async fn filled(count: usize) -> World {
    let world = World::start().await;
    for n in 0..count {
        world.unverified(new_mailbox(&format!("m{n}"))).await;
    }
    world
}

async fn listed(world: &World, query: &str) -> Answer {
    world.cs_get(&format!("{ACCOUNTS}?{query}")).await
}

#[tokio::test]
async fn an_empty_list() {
    let world = World::start().await;
    let answer = world.cs_get(ACCOUNTS).await;
    let expected = json!({
        "success": true, "message": "Sender accounts retrieved successfully", "sender_accounts": [],
        "pagination": {"page": 1, "limit": 20, "total": 0, "pages": 0, "has_next": false, "has_prev": false},
    });
    assert_eq!((answer.status, answer.body), (200, expected));
}

#[tokio::test]
async fn an_item_has_everything_but_what_opens_it() {
    let world = filled(1).await;
    let answer = world.cs_get(ACCOUNTS).await;
    let expected = [
        "created_at",
        "daily_limit",
        "display_name",
        "email_address",
        "imap_host",
        "imap_port",
        "imap_use_ssl",
        "inbox_id",
        "inbox_type",
        "last_error",
        "overall_status",
        "sent_today",
        "smtp_host",
        "smtp_port",
        "smtp_use_tls",
        "updated_at",
    ];
    let item = &answer.body["sender_accounts"][0];
    assert_eq!(members(item), expected);
    assert_eq!(item, &world.cs_get(&format!("{ACCOUNTS}/{}", text(&item["inbox_id"]))).await.body);
    assert!(!answer.body.to_string().contains("sesame"));
}

#[tokio::test]
async fn numbered_pages() {
    let world = filled(5).await;
    for (query, expected, pagination) in [
        ("", &["m4", "m3", "m2", "m1", "m0"][..], (1, 20, 1, false, false)),
        ("limit=2", &["m4", "m3"], (1, 2, 3, true, false)),
        ("page=2&limit=2", &["m2", "m1"], (2, 2, 3, true, true)),
        ("page=3&limit=2", &["m0"], (3, 2, 3, false, true)),
        ("page=4&limit=2", &[], (4, 2, 3, false, true)),
        ("page=1&limit=5", &["m4", "m3", "m2", "m1", "m0"], (1, 5, 1, false, false)),
        ("page=1000000&limit=100", &[], (1_000_000, 100, 1, false, true)),
        (
            "page=&limit=&status=&inbox_type=&search=&sort_by=&sort_order=",
            &["m4", "m3", "m2", "m1", "m0"],
            (1, 20, 1, false, false),
        ),
    ] {
        let answer = listed(&world, query).await;
        assert_eq!(names(&answer), expected, "{query}");
        let (page, limit, pages, has_next, has_prev) = pagination;
        let pagination = json!({
            "page": page, "limit": limit, "total": 5, "pages": pages, "has_next": has_next, "has_prev": has_prev,
        });
        assert_eq!(answer.body["pagination"], pagination, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for() {
    let world = filled(1).await;
    let not_integer = ("value is not a valid integer".to_owned(), "type_error.integer");
    let below = |n| (format!("ensure this value is greater than or equal to {n}"), "value_error.number.not_ge");
    let above = |n| (format!("ensure this value is less than or equal to {n}"), "value_error.number.not_le");
    let one_of = |words: &str| (format!("value is not a valid enumeration member; permitted: {words}"), "value_error");
    let statuses = || one_of("'PENDING', 'ACTIVE', 'PAUSED', 'DISABLED'");
    for (query, name, (msg, kind)) in [
        ("page=0", "page", below(1)),
        ("page=-5", "page", below(1)),
        ("page=x", "page", not_integer.clone()),
        ("page=1.5", "page", not_integer.clone()),
        ("page=1000001", "page", above(1_000_000)),
        ("page=99999999999999999999999999999999999999999999", "page", above(1_000_000)),
        ("page=-99999999999999999999999999999999999999999999", "page", below(1)),
        ("limit=0", "limit", below(1)),
        ("limit=101", "limit", above(100)),
        ("limit=ten", "limit", not_integer.clone()),
        ("limit=-", "limit", not_integer),
        ("status=active", "status", statuses()),
        ("status=ACTIVE,PAUSED", "status", statuses()),
        ("status=ERROR", "status", statuses()),
        ("inbox_type=GMAIL", "inbox_type", one_of("'GOOGLE_WORKSPACE', 'OUTLOOK_365', 'CUSTOM_SMTP'")),
        ("sort_by=id", "sort_by", one_of("'created_at', 'email_address', 'display_name', 'daily_limit'")),
        ("sort_order=DESC", "sort_order", one_of("'asc', 'desc'")),
    ] {
        let answer = listed(&world, query).await;
        assert_eq!(faults(&answer), [(json!(["query", name]), msg.as_str(), kind)], "{query}");
    }
    let everything = listed(&world, "sort_order=x&sort_by=x&inbox_type=x&status=x&limit=x&page=x").await;
    let order = ["page", "limit", "status", "inbox_type", "sort_by", "sort_order"];
    assert_eq!(places(&everything), order.map(|name| format!("query.{name}")));
}

#[tokio::test]
async fn by_status() {
    let world = World::start().await;
    world.unverified(new_mailbox("unverified")).await;
    let refused = world.unverified(new_mailbox("disabled")).await.id;
    world.settle(refused, wrong_password()).await;
    world.active(new_mailbox("active")).await;
    let paused = world.active(new_mailbox("paused")).await;
    let change = MailboxChange { sending_enabled: Some(false), ..Default::default() };
    world.store.change_mailbox(world.workspace, paused, change).await.unwrap();
    for (status, name) in
        [("PENDING", "unverified"), ("DISABLED", "disabled"), ("ACTIVE", "active"), ("PAUSED", "paused")]
    {
        let answer = listed(&world, &format!("status={status}")).await;
        assert_eq!((names(&answer), &answer.body["pagination"]["total"]), (vec![name], &json!(1)));
        assert_eq!(answer.body["sender_accounts"][0]["overall_status"], status);
    }
    let paused = &listed(&world, "status=PAUSED").await.body["sender_accounts"][0];
    assert_eq!(paused["last_error"], Value::Null);
    let disabled = &listed(&world, "status=DISABLED").await.body["sender_accounts"][0];
    assert_eq!(disabled["last_error"], "what to do about AUTH_BAD_CREDENTIALS");
}

#[tokio::test]
async fn by_type_and_by_search() {
    let world = World::start().await;
    for provider in ProviderLabel::ALL {
        world.unverified(NewMailbox { provider, ..new_mailbox(provider.as_str()) }).await;
    }
    let named = NewMailbox { display_name: "Kim Väle".to_owned(), ..new_mailbox("kim") };
    world.unverified(NewMailbox { email_as_given: Some("Kim@MÜLLER.example".to_owned()), ..named }).await;
    for (query, expected) in [
        ("inbox_type=GOOGLE_WORKSPACE", &["gmail"][..]),
        ("inbox_type=OUTLOOK_365", &["azure", "outlook"]),
        ("inbox_type=CUSTOM_SMTP", &["Kim", "custom"]),
        ("search=V%C3%84LE", &["Kim"]),
        ("search=m%C3%BCller", &["Kim"]),
        ("search=out.example&inbox_type=OUTLOOK_365", &["azure", "outlook"]),
        ("search=%25", &[]),
        ("search=nobody", &[]),
    ] {
        assert_eq!(names(&listed(&world, query).await), expected, "{query}");
    }
    let azure = &listed(&world, "search=azure").await.body["sender_accounts"][0];
    assert_eq!(azure["inbox_type"], "OUTLOOK_365");
}

#[tokio::test]
async fn every_order_both_ways() {
    let world = World::start().await;
    for (name, display_name, daily_send_limit) in [("b", "zoe", 9), ("c", "Adam", 100), ("a", "Mia", 20)] {
        let display_name = display_name.to_owned();
        let id = world.unverified(NewMailbox { display_name, daily_send_limit, ..new_mailbox(name) }).await.id;
        world.settle(id, accepted(None)).await;
    }
    for (sort, ascending) in [
        ("created_at", ["b", "c", "a"]),
        ("email_address", ["a", "b", "c"]),
        ("display_name", ["c", "a", "b"]),
        ("daily_limit", ["b", "a", "c"]),
    ] {
        let mut descending = ascending;
        descending.reverse();
        assert_eq!(names(&listed(&world, &format!("sort_by={sort}&sort_order=asc")).await), ascending);
        assert_eq!(names(&listed(&world, &format!("sort_by={sort}&sort_order=desc")).await), descending);
        assert_eq!(names(&listed(&world, &format!("sort_by={sort}")).await), descending, "great to small");
        assert_eq!(
            names(&listed(&world, &format!("sort_by={sort}&sort_order=asc&limit=1&page=3")).await),
            ascending[2..]
        );
    }
    assert_eq!(names(&listed(&world, "sort_order=asc").await), ["b", "c", "a"], "oldest first");
    assert_eq!(names(&world.cs_get(ACCOUNTS).await), ["a", "c", "b"], "newest first");
}

/// Accounts that were created through other dialects are listed, too.
#[tokio::test]
async fn a_team_sees_all_of_its_own_and_nothing_else() {
    let world = World::start().await;
    world.add(&crate::world::minimal("dana")).await;
    let (other, key) = world.other_team().await;
    world.store.create_mailbox(other, world.owner, new_mailbox("theirs")).await.unwrap();
    assert_eq!(names(&world.cs_get(ACCOUNTS).await), ["dana"]);
    assert_eq!(names(&world.client.call_with_key(Method::GET, ACCOUNTS, &key).send().await), ["theirs"]);
}

//! The list, and which addresses can be had.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::encode;
use crate::world::World;

#[tokio::test]
async fn a_list_goes_from_the_newest_to_the_oldest() {
    let world = World::with_acme().await;
    let mut ids = vec![];
    for name in ["a", "b", "c"] {
        ids.push(world.mailbox_id(&format!("{name}@acme.example")).await);
    }
    world.of_mailbox(Method::DELETE, &ids[1], "").await.ok(200);
    let list = async |query: &str| {
        let answer = world.sendmux(Method::GET, &format!("/mailboxes?{query}")).ask().await;
        let told: Vec<(String, String)> = answer
            .ok(200)
            .as_array()
            .unwrap()
            .iter()
            .map(|mailbox| {
                let text = |member: &str| mailbox[member].as_str().unwrap().to_owned();
                (text("email").split('@').next().unwrap().to_owned(), text("status"))
            })
            .collect();
        (told, answer.body["pagination"].clone())
    };
    let entry = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    let (first, pagination) = list("limit=1").await;
    assert_eq!((first, &pagination["has_more"]), (vec![entry("c", "active")], &json!(true)));
    let (rest, pagination) = list(&format!("limit=1&cursor={}", pagination["next_cursor"].as_str().unwrap())).await;
    assert_eq!((rest, pagination), (vec![entry("a", "active")], json!({"has_more": false})));
    let all = vec![entry("c", "active"), entry("b", "deleted"), entry("a", "active")];
    assert_eq!(list("include_deleted=true").await.0, all);
    for other in ["include_deleted=1", "include_deleted=TRUE", "include_deleted=false"] {
        assert_eq!(list(other).await.0.len(), 2, "{other}");
    }
    for (query, param) in [("limit=0", "limit"), ("limit=x", "limit"), ("cursor=x", "cursor")] {
        let answer = world.sendmux(Method::GET, &format!("/mailboxes?{query}")).ask().await;
        assert_eq!(answer.error(), (400, "invalid_parameter", Some(param)));
    }
}

#[tokio::test]
async fn addresses_say_whether_they_can_be_had() {
    let world = World::with_acme().await;
    world.mailbox("kim@acme.example").await;
    let ask = async |email: &str| {
        world.sendmux(Method::GET, &format!("/mailboxes/availability?email={}", encode(email))).ask().await
    };
    for (email, shown, reason) in [
        (" Ben@ACME.example", "ben@acme.example", "available"),
        ("KIM@acme.example", "kim@acme.example", "taken"),
        ("Mailer-Daemon@acme.example", "mailer-daemon@acme.example", "reserved"),
        ("ben@other.example", "ben@other.example", "domain_not_available"),
        ("No Address", "no address", "invalid_email"),
        ("a/b@acme.example", "a/b@acme.example", "invalid_email"),
    ] {
        let expected = json!({"email": shown, "available": reason == "available", "reason": reason});
        assert_eq!(ask(email).await.ok(200), &expected);
    }
    for query in ["", "?email=", "?address=kim@acme.example"] {
        let answer = world.sendmux(Method::GET, &format!("/mailboxes/availability{query}")).ask().await;
        assert_eq!(answer.error(), (400, "missing_parameter", Some("email")));
    }
    assert_eq!(world.sendmux(Method::GET, "/mailboxes").ask().await.ok(200).as_array().map(Vec::<Value>::len), Some(1));
}

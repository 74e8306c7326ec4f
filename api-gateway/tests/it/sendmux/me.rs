//! `GET /me`.

use reqwest::Method;
use serde_json::json;

use super::is_id;
use crate::world::World;

#[tokio::test]
async fn a_key_learns_what_it_is() {
    let world = World::start().await;
    let answer = world.sendmux(Method::GET, "/me").ask().await;
    let me = answer.ok(200);
    assert_eq!(me["team"]["name"], "default");
    assert!(is_id("team_", me["team"]["id"].as_str().unwrap()), "{me}");
    assert!(is_id("smx_", me["credential"]["id"].as_str().unwrap()), "{me}");
    assert_eq!((&me["credential"]["type"], &me["credential"]["name"]), (&json!("api_key"), &json!(null)));
    assert_eq!(me["label"], "Team key of default");
    assert_eq!((me["permissions"].as_array().unwrap().len(), &me["mailboxes"]), (17, &json!([])));
    assert!(!answer.body.to_string().contains(&world.sendmux_key[12..]));
}

#[tokio::test]
async fn permissions_are_told_one_by_one() {
    let world = World::start().await;
    for (granted, told) in [
        (&["root:readonly"][..], json!(["provider.read", "domain.read", "mailbox.admin.read", "webhook.read"])),
        (&["domain.*"], json!(["domain.read", "domain.create", "domain.verify", "domain.delete"])),
        (&["webhook.manage", "provider.read"], json!(["provider.read", "webhook.manage"])),
    ] {
        let key = world.sendmux_key(granted).await;
        let answer = world.sendmux_with(Method::GET, "/me", &key).ask().await;
        assert_eq!(answer.ok(200)["permissions"], told);
    }
}

#[tokio::test]
async fn what_is_known_is_not_told_again() {
    let world = World::start().await;
    let first = world.sendmux(Method::GET, "/me").ask().await;
    let tag = first.header("etag");
    let bare = tag.strip_prefix("W/").unwrap();
    let shape = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
    assert!(shape.len() == 16 && shape.bytes().all(|b| b.is_ascii_hexdigit()), "{tag}");
    for known in [tag, bare, "*", &format!("\"other\", {tag}"), &format!("W/\"a\",\"b\",{bare} , \"c\"")] {
        let answer = world.sendmux(Method::GET, "/me").header("If-None-Match", known).ask().await;
        assert_eq!((answer.status, answer.header("etag"), &answer.body), (304, tag, &json!("")), "{known}");
        assert!(!answer.headers.contains_key("content-type"));
    }
    let twice = world.sendmux(Method::GET, "/me").header("If-None-Match", "\"a\"").header("If-None-Match", tag);
    assert_eq!(twice.ask().await.status, 304, "several lines are one list");
    for other in ["\"0123456789abcdef\"", "", &tag.to_uppercase(), shape] {
        let answer = world.sendmux(Method::GET, "/me").header("If-None-Match", other).ask().await;
        assert_eq!((answer.status, answer.header("etag")), (200, tag), "{other}");
    }
    let key = world.sendmux_key(&["domain.read"]).await;
    assert_ne!(world.sendmux_with(Method::GET, "/me", &key).ask().await.header("etag"), tag);
}

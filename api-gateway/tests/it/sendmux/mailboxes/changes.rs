//! `PATCH`, and what it is compared with.

use reqwest::Method;
use serde_json::json;
use service_runtime::settings::MailPlatformSettings;

use super::{CONFLICT, GIB, text};
use crate::world::World;

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let world = World::with_acme().await;
    let mailbox = world.mailbox("kim@acme.example").await["mailbox"].clone();
    let id = text(&mailbox["id"]);
    let mut expected = mailbox.clone();
    for (body, member, value) in [
        (json!({"display_name": "Kim"}), "display_name", json!("Kim")),
        (json!({"quota_bytes": 5 * GIB}), "quota_bytes", json!(5 * GIB)),
        (json!({"send_scope": {"type": "all"}}), "send_scope", mailbox["send_scope"].clone()),
        (json!({}), "display_name", json!("Kim")),
        (json!({"quota_bytes": GIB}), "quota_bytes", json!(GIB)),
        (json!({"display_name": null}), "display_name", json!(null)),
    ] {
        expected[member] = value;
        let answer = world.patch_mailbox(id, &body).await;
        assert_eq!(answer.ok(200), &expected, "{body}");
        let read = world.of_mailbox(Method::GET, id, "").await;
        assert_eq!((read.ok(200), read.header("etag")), (&expected, answer.header("etag")));
    }
    for (body, status, field) in [
        (json!({"email": "ben@acme.example"}), 400, "email"),
        (json!({"display_name": ""}), 400, "display_name"),
        (json!({"quota_bytes": null}), 400, "quota_bytes"),
        (json!({"display_name": "Ben", "quota_bytes": GIB + 1}), 422, "quota_bytes"),
        (json!({"display_name": "Ben", "send_scope": {"type": "group"}}), 422, "send_scope.group_public_ids"),
    ] {
        let answer = world.patch_mailbox(id, &body).await;
        assert_eq!((answer.status, answer.error().2), (status, Some(field)), "{body}");
    }
    assert_eq!(world.of_mailbox(Method::GET, id, "").await.ok(200), &expected, "nothing of what was refused");
}

#[tokio::test]
async fn a_change_of_another_state_is_refused() {
    let world = World::with_acme().await;
    let id = world.mailbox_id("kim@acme.example").await;
    let path = format!("/mailboxes/{id}");
    let tag = world.of_mailbox(Method::GET, &id, "").await.header("etag").to_owned();
    let change = async |tag: &str, name: &str| {
        world.sendmux(Method::PATCH, &path).header("If-Match", tag).json(&json!({"display_name": name})).ask().await
    };
    let changed = change(&tag, "Kim").await;
    let new_tag = changed.header("etag");
    assert_ne!(new_tag, tag);
    let late = change(&tag, "Ben").await;
    assert_eq!((late.error(), late.header("etag")), (CONFLICT, new_tag));
    let known = world.sendmux(Method::GET, &path).header("If-None-Match", new_tag).ask().await;
    assert_eq!(known.status, 304);
}

/// The mail servers are unreachable here. The journeys test the quota with them.
#[tokio::test]
async fn a_quota_does_not_shrink_unseen() {
    let nobody = mail_lab::refused_port().unwrap();
    let settings = json!({
        "hostname": "mail.example", "imap_port": 993, "smtp_port": 587, "policy_listen": "",
        "doveadm_url": format!("http://{}", nobody.addr()), "doveadm_api_key": "sesame", "milter_listen": "",
    });
    let world = World::beside(serde_json::from_value::<MailPlatformSettings>(settings).unwrap()).await;
    world.receiving("acme.example").await;
    let id = world.mailbox_id("kim@acme.example").await;
    world.patch_mailbox(&id, &json!({"quota_bytes": 5 * GIB})).await.ok(200);
    let smaller = json!({"display_name": "Kim", "quota_bytes": GIB});
    assert_eq!(world.patch_mailbox(&id, &smaller).await.error(), (503, "service_unavailable", None));
    let suspended = world.of_mailbox(Method::POST, &id, "/suspend").await;
    assert_eq!(
        (&suspended.ok(200)["display_name"], &suspended.ok(200)["quota_bytes"]),
        (&json!(null), &json!(5 * GIB))
    );
    assert_eq!(world.patch_mailbox(&id, &smaller).await.error(), CONFLICT);
}

//! Access to a mailbox: keys open it; suspension, revocation and deletion close it.

use e2e_tests::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use super::programs::{are_ended, imap, inbox, quota, world, write};
use super::{GIB, Login, World, ok, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_answer_tells_signs_in_at_once() {
    let bench = World::start().await;
    let kim = bench.provision("Kim.x+y%z@acme.test").await;
    let (mut session, mut smtp) = bench.sign_in(&kim.login).await;
    assert_eq!(quota(&mut session).await, (0, GIB as u64 / 1024));
    assert!(smtp.test_connected().await);
    let changed = bench.of_mailbox(Method::PATCH, &kim, "", &json!({"quota_bytes": 5 * GIB})).await;
    ok(&changed, 200);
    assert_eq!(quota(&mut imap(&kim.login).await.unwrap()).await.1, 5 * GIB as u64 / 1024);

    let wrong = Login { password: format!("{}{}", &kim.login.password[..20], "a".repeat(28)), ..kim.login.clone() };
    bench.is_locked_out(&wrong).await;
    let ben = bench.provision("ben@acme.test").await;
    bench.is_locked_out(&Login { username: ben.login.username, ..kim.login.clone() }).await;
    for trace in [bench.platform.log(), bench.system.log()] {
        assert!(!trace.contains(&kim.login.password) && !trace.contains(&kim.login.password[20..]), "{trace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_opens_nothing_and_keeps_nothing_open() {
    let bench = World::start().await;
    let kim = bench.provision("kim@acme.test").await;
    let made = bench.of_mailbox(Method::POST, &kim, "/keys", &json!({"app_name": "Telephone"})).await;
    let second = Login::of(&ok(&made, 201)["imap_smtp_credentials"]);
    let (session, smtp) = bench.sign_in(&kim.login).await;
    let revoke = format!("/keys/{}", kim.key_id);
    ok(&bench.of_mailbox(Method::DELETE, &kim, &revoke, &Value::Null).await, 200);
    bench.is_locked_out(&kim.login).await;
    are_ended(session, smtp).await;
    bench.sign_in(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_mailbox_is_shut_and_keeps_its_mail() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision("kim@acme.test").await, bench.provision("ben@acme.test").await];
    let (_, mut from_ben) = bench.sign_in(&ben.login).await;
    write(&mut from_ben, "ben@acme.test", "kim@acme.test", "before").await.unwrap();
    let (mut session, smtp) = bench.sign_in(&kim.login).await;
    assert_eq!(inbox(&mut session, 1).await, ["before"]);

    bench.post_for(&kim, "/suspend").await;
    bench.is_locked_out(&kim.login).await;
    let refused = write(&mut from_ben, "ben@acme.test", "kim@acme.test", "meanwhile").await.unwrap_err();
    assert!(refused.contains("550") || refused.contains("5.1.1"), "{refused}");
    are_ended(session, smtp).await;

    bench.post_for(&kim, "/resume").await;
    let (mut session, _) = bench.sign_in(&kim.login).await;
    let (_, mut from_ben) = bench.sign_in(&ben.login).await;
    write(&mut from_ben, "ben@acme.test", "kim@acme.test", "later").await.unwrap();
    assert_eq!(inbox(&mut session, 2).await, ["before", "later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_mailbox_is_shut_and_its_address_starts_anew() {
    let bench = World::start().await;
    let kim = bench.provision("kim@acme.test").await;
    let mut outside = world(bench.platform.ports().mx).await;
    write(&mut outside, "x@world.test", "kim@acme.test", "before").await.unwrap();
    let (mut session, smtp) = bench.sign_in(&kim.login).await;
    inbox(&mut session, 1).await;
    ok(&bench.of_mailbox(Method::DELETE, &kim, "", &Value::Null).await, 200);
    bench.is_locked_out(&kim.login).await;
    are_ended(session, smtp).await;

    let again = bench.provision("kim@acme.test").await;
    let (mut session, _) = bench.sign_in(&again.login).await;
    assert!(inbox(&mut session, 0).await.is_empty(), "somebody else's mail");
    bench.is_locked_out(&kim.login).await;
    let listed = bench.api.get("/api/v1/mailboxes?include_deleted=true").await;
    let listed: Vec<String> = ok(&listed, 200).as_array().unwrap().iter().map(|m| text(&m["status"])).collect();
    assert_eq!(listed, ["active", "deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_once_dovecot_is_back() {
    let mut bench = World::start().await;
    let kim = bench.provision("kim@acme.test").await;
    bench.platform.stop_dovecot().unwrap();
    bench.post_for(&kim, "/suspend").await;
    bench.system.logged("sessions were not ended (attempt 1)").await;
    bench.platform.start_dovecot_again().unwrap();
    bench.system.logged("sessions ended").await;
    bench.is_locked_out(&kim.login).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_not_made_smaller_than_the_mail() {
    let bench = World::start().await;
    let kim = bench.provision_with(&json!({"email": "kim@acme.test", "quota_bytes": 5 * GIB})).await;
    let (mut session, _) = bench.sign_in(&kim.login).await;
    inbox(&mut session, 0).await;
    // Dovecot takes the size of a message from the name of its file (W=).
    let folder = bench.database.execute("SELECT folder FROM mail_accounts").unwrap()[0][0].clone().unwrap();
    let size = GIB + 4096;
    let message = bench.platform.mail_folder(&folder).join(format!("Maildir/cur/1.planted,S={size},W={size}:2,S"));
    std::fs::write(message, "Subject: large\r\n\r\n").unwrap();
    eventually("the large message to count", || async {
        let mut session = imap(&kim.login).await.unwrap();
        session.select("INBOX").await.unwrap();
        let (used, _) = quota(&mut session).await;
        if used > GIB as u64 / 1024 { Ok(()) } else { Err(used.to_string()) }
    })
    .await;
    let refused = bench.of_mailbox(Method::PATCH, &kim, "", &json!({"quota_bytes": GIB, "display_name": "Kim"})).await;
    assert_eq!((refused.status, &refused.body["error"]["param"]), (422, &json!("quota_bytes")), "{}", refused.text);
    let read = bench.of_mailbox(Method::GET, &kim, "", &Value::Null).await;
    assert_eq!(ok(&read, 200)["display_name"], Value::Null);
    ok(&bench.of_mailbox(Method::PATCH, &kim, "", &json!({"quota_bytes": 50 * GIB})).await, 200);
    ok(&bench.of_mailbox(Method::PATCH, &kim, "", &json!({"quota_bytes": 5 * GIB})).await, 200);
}

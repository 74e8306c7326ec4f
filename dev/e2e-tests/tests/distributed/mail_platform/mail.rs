//! Delivery: which senders reach which mailboxes.

use reqwest::Method;
use serde_json::{Value, json};

use super::programs::{inbox, world, write};
use super::{World, ok};

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_write_to_each_other_as_themselves() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision("kim@acme.test").await, bench.provision("ben@acme.test").await];
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    write(&mut smtp, "kim@acme.test", "ben@acme.test", "hello").await.unwrap();
    let (mut session, _) = bench.sign_in(&ben.login).await;
    assert_eq!(inbox(&mut session, 1).await, ["hello"]);
    for somebody_else in ["ben@acme.test", "nobody@acme.test", "kim@world.test"] {
        let (_, mut smtp) = bench.sign_in(&kim.login).await;
        let refused = write(&mut smtp, somebody_else, "ben@acme.test", "spoof").await.unwrap_err();
        assert!(refused.contains("not owned by user kim@acme.test"), "{refused}");
    }
    // An open connection is worth nothing once its mailbox is suspended, also before it is ended.
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    bench.post_for(&kim, "/suspend").await;
    assert!(write(&mut smtp, "kim@acme.test", "ben@acme.test", "from a suspended one").await.is_err());
    let (mut session, _) = bench.sign_in(&ben.login).await;
    assert_eq!(inbox(&mut session, 1).await, ["hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_provisioned_can_be_used() {
    let bench = World::start().await;
    for name in ["-x", "_y-", "%z%d", "a+b", "0", "A.B"] {
        let email = format!("{name}@acme.test");
        let mailbox = bench.provision(&email).await;
        let mut outside = world(bench.platform.ports().mx).await;
        write(&mut outside, "x@world.test", &email, "in").await.unwrap();
        let (mut session, mut smtp) = bench.sign_in(&mailbox.login).await;
        write(&mut smtp, &email, &email, "out").await.unwrap();
        assert_eq!(inbox(&mut session, 2).await, ["in", "out"], "{email}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_writes_in_and_is_written_to() {
    let bench = World::start().await;
    let kim = bench.provision("kim@acme.test").await;
    let port = bench.platform.ports().mx;
    write(&mut world(port).await, "x@world.test", "kim@acme.test", "hello").await.unwrap();
    let (mut session, mut smtp) = bench.sign_in(&kim.login).await;
    assert_eq!(inbox(&mut session, 1).await, ["hello"]);
    write(&mut smtp, "kim@acme.test", "y@world.test", "answer").await.unwrap();
    bench.platform.world().wait_until(|stats| stats.messages_accepted == 1).await;
    for (to, code) in [("nobody@acme.test", "5.1.1"), ("y@world.test", "5.7.1")] {
        let refused = write(&mut world(port).await, "x@world.test", to, "no").await.unwrap_err();
        assert!(refused.contains(code), "{to}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_refuse_before_the_message_is_accepted() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision("kim@acme.test").await, bench.provision("ben@acme.test").await];
    let port = bench.platform.ports().mx;
    // True where the sender reaches Kim, and Ben.
    let verdicts = async || {
        let mut verdicts = String::new();
        for sender in ["eve@bad.test", "al@good.test"] {
            for recipient in ["kim@acme.test", "ben@acme.test"] {
                verdicts += match write(&mut world(port).await, sender, recipient, "hello").await {
                    Ok(()) => "+",
                    Err(refused) => {
                        assert!(refused.contains("does not take mail from this sender"), "{refused}");
                        "-"
                    }
                };
            }
        }
        verdicts
    };
    let rules =
        |mode: &str, kind: &str, pattern: &str| json!({"mode": mode, "rules": [{"type": kind, "pattern": pattern}]});
    let of_domain = format!("/api/v1/domains/{}/filters", bench.domain);
    let put_domain = async |body: Value| {
        let request = bench.api.request(Method::PUT, &of_domain).json(&body);
        ok(&bench.api.send(request).await.unwrap(), 200);
    };
    let put_kim = async |body: Value| {
        ok(&bench.of_mailbox(Method::PUT, &kim, "/filters", &body).await, 200);
    };
    assert_eq!(verdicts().await, "++++");
    put_domain(rules("denylist", "deny", "bad.test")).await;
    assert_eq!(verdicts().await, "--++");
    put_kim(rules("allowlist", "allow", "*@bad.test")).await;
    assert_eq!(verdicts().await, "+--+");
    // Mail from within is filtered, too.
    let (_, mut smtp) = bench.sign_in(&ben.login).await;
    let refused = write(&mut smtp, "ben@acme.test", "kim@acme.test", "from within").await.unwrap_err();
    assert!(refused.contains("does not take mail from this sender"), "{refused}");
    put_kim(json!({"mode": "off", "rules": []})).await;
    put_domain(json!({"mode": "off", "rules": []})).await;
    assert_eq!(verdicts().await, "++++");
    let (mut session, _) = bench.sign_in(&kim.login).await;
    assert_eq!(inbox(&mut session, 6).await.len(), 6);
}

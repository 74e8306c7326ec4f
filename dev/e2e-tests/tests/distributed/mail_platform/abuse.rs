//! Attempts to get round the rules of the mail platform.

use reqwest::Method;
use serde_json::json;

use super::programs::{envelope, inbox, world, write};
use super::{World, ok};

const KIM: &str = "kim@acme.test";
const BEN: &str = "ben@acme.test";

#[tokio::test(flavor = "multi_thread")]
async fn the_world_writes_as_no_mailbox_of_ours() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision(KIM).await, bench.provision(BEN).await];
    // Ben takes mail from Kim, and from nobody else.
    let allowed = json!({"mode": "allowlist", "rules": [{"type": "allow", "pattern": KIM}]});
    ok(&bench.of_mailbox(Method::PUT, &ben, "/filters", &allowed).await, 200);
    let mut outside = world(bench.platform.ports().mx).await;
    for from in [KIM, "KIM@Acme.Test", "\"kim\"@acme.test"] {
        let reply = envelope(&mut outside, from, BEN).await;
        assert!(reply.contains("Sign in to write as this address"), "{from}: {reply}");
    }
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    write(&mut smtp, KIM, BEN, "it is me").await.unwrap();
    let (mut session, _) = bench.sign_in(&ben.login).await;
    assert_eq!(inbox(&mut session, 1).await, ["it is me"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dot_at_the_end_leads_round_nothing() {
    let bench = World::start().await;
    let [kim, _ben] = [bench.provision(KIM).await, bench.provision(BEN).await];
    let denied = json!({"mode": "denylist", "rules": [{"type": "deny", "pattern": "denied.test"}]});
    ok(&bench.of_mailbox(Method::PUT, &kim, "/filters", &denied).await, 200);
    let mut outside = world(bench.platform.ports().mx).await;
    let reply = envelope(&mut outside, "x@denied.test", KIM).await;
    assert!(reply.contains("does not take mail from this sender"), "{reply}");
    for (from, to) in [
        ("x@denied.test.", KIM),
        ("x@denied.test", "kim@acme.test."),
        ("x@denied.test.", "kim@acme.test."),
        ("x@\"denied.test.\"", KIM),
        ("x@denied.test", "kim@\"acme.test.\""),
        ("kim@acme.test.", BEN),
    ] {
        let reply = envelope(&mut outside, from, to).await;
        assert!(!reply.starts_with('2') && reply.contains("address syntax"), "{from} to {to}: {reply}");
    }
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    for from in ["ben@acme.test.", "\"ben\"@acme.test.", "kim@acme.test."] {
        let reply = envelope(&mut smtp, from, BEN).await;
        assert!(!reply.starts_with('2'), "{from}: {reply}");
    }
    let reply = envelope(&mut smtp, KIM, BEN).await;
    assert!(reply.starts_with("250"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_writes_to_no_ip_address() {
    let bench = World::start().await;
    let kim = bench.provision(KIM).await;
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    for to in ["x@[10.0.0.5]", "x@[IPv6:::1]", "x@0x7f.0.0.1", "postmaster", "x@mail.example.test"] {
        let reply = envelope(&mut smtp, KIM, to).await;
        assert!(!reply.starts_with('2'), "{to}: {reply}");
    }
    write(&mut smtp, KIM, "x@world.test", "hello").await.unwrap();
    bench.platform.world().wait_until(|stats| stats.messages_accepted == 1).await;
}

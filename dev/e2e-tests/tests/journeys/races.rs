//! Customers in a hurry: requests at the same moment for the last place or the same address.

use e2e_tests::{Client, Plan, Reply, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};
use serde_json::Value;

use crate::setup;

const ROUNDS: usize = 12;

fn body(server: &ScriptedServer, email: &str) -> Value {
    mailbox(email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

/// Both at once; the winner first.
async fn race(one: (&Client, &Value), other: (&Client, &Value)) -> (Reply, Reply) {
    let (first, second) = tokio::join!(one.0.create(one.1), other.0.create(other.1));
    if first.status == 201 { (first, second) } else { (second, first) }
}

async fn delete(api: &Client, reply: &Reply) {
    let id = reply.data(201)["_id"].as_str().unwrap();
    api.delete(&format!("/v1/mailboxes/{id}")).await.data(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_place_is_given_once() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Mailboxes(2)).await;
    // The plan is the owner's: the second racer stands in another workspace.
    let (_, other, _) = system.workspace(&tenant.owner, "other").await;
    tenant.api.add(&body(&server, "first@example.test")).await;
    for round in 0..ROUNDS {
        let (one, two) =
            (body(&server, &format!("a{round}@example.test")), body(&server, &format!("b{round}@example.test")));
        let (winner, loser) = race((&tenant.api, &one), (&other, &two)).await;
        let error = loser.error(403, "LIMIT_REACHED");
        let numbers = ["currentUsage", "maxMailboxes", "requested"].map(|member| error[member].as_i64());
        assert_eq!(numbers, [Some(2), Some(2), Some(1)]);
        let api = if winner.data(201)["email"].as_str().unwrap().starts_with('a') { &tenant.api } else { &other };
        delete(api, &winner).await;
    }
    assert_eq!(system.usage(&tenant, Plan::Mailboxes(2)).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_taken_once() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    for round in 0..ROUNDS {
        let email = format!("dana{round}@example.test");
        let (one, two) = (body(&server, &email), body(&server, &email.to_uppercase()));
        let (winner, loser) = race((&tenant.api, &one), (&tenant.api, &two)).await;
        winner.data(201);
        assert_eq!(loser.error(409, "CONFLICT")["message"], "Mailbox already exists");
    }
    let rounds = i64::try_from(ROUNDS).unwrap();
    assert_eq!(tenant.api.count("").await, rounds);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, rounds, "losers take no place");

    // Another workspace is another matter.
    let (_, other, _) = system.workspace(&tenant.owner, "other").await;
    other.add(&body(&server, "dana0@example.test")).await;
}

/// However often and whenever somebody asks: a mailbox that was accepted is pending or failed, never unknown.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_at_the_moment_of_the_refusal_is_answered() {
    let server = ScriptedServer::builder().start().unwrap();
    let system = setup().with("RUST_LOG", "info").start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    for number in 0..40 {
        let id = api.add(&body(&server, &format!("dana{number}@example.test"))).await;
        let poll = async || while api.connection_test(&id).await["status"] == "pending" {};
        tokio::join!(poll(), poll(), poll(), poll(), poll(), poll());
        assert_eq!(api.connection_test(&id).await["code"], "AUTH_BAD_CREDENTIALS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_subscription_nothing_is_added() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let tenant = system.tenant(Plan::Mailboxes(0)).await;
    let body = body(&server, "dana@example.test");
    // The subscription is asked for before the limit.
    system.admin(&["owner", "plan", &tenant.owner, "--subscription", "none"]).await;
    let reply = tenant.api.create(&body).await;
    let error = reply.error(403, "SUBSCRIPTION_REQUIRED");
    assert_eq!(error["message"], "Workspace owner needs an active subscription to add mailboxes");
    system.admin(&["owner", "plan", &tenant.owner, "--subscription", "active"]).await;
    tenant.api.create(&body).await.error(403, "LIMIT_REACHED");
    // And the limit before the address.
    system.set_plan(&tenant, Plan::Mailboxes(1)).await;
    tenant.api.add(&body).await;
    tenant.api.create(&body).await.error(403, "LIMIT_REACHED");
    system.set_plan(&tenant, Plan::Unlimited).await;
    tenant.api.create(&body).await.error(409, "CONFLICT");
}

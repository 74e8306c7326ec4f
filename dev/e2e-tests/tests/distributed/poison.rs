//! Messages that nobody of us sent: parked with a reason and counted, and the consumers go on.

use e2e_tests::{Plan, Setup, eventually, mailbox};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use mail_lab::RabbitMq;
use mail_lab::scripted::{Listener, ScriptedServer};

const QUEUES: [&str; 2] = ["mailmoor.verifier", "mailmoor.dns-checker"];

/// A good event about a mailbox that has never been.
const STRANGER: &str = r#"{"id":"0197d5f4-3c1b-7c1e-8f00-000000000000","source":"mailmoor","specversion":"1.0",
    "type":"mailbox.created","subject":"mailboxes/66c0ffee12ab34cd56ef7890","time":"2026-02-03T04:05:06.000Z",
    "datacontenttype":"application/json",
    "data":{"mailboxId":"66c0ffee12ab34cd56ef7890","workspaceId":"66c0ffee12ab34cd56ef7891"}}"#;

async fn put(channel: &Channel, queue: &str, body: &[u8]) {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish("".into(), queue.into(), options, body, BasicProperties::default()).await;
    assert_eq!(sent.unwrap().await.unwrap(), Confirmation::Ack(None), "{queue}");
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_and_the_consumers_go_on() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let vhost = RabbitMq::shared().unwrap().vhost().unwrap();
    let system = Setup::distributed().with("MAILMOOR__BROKER__URL", vhost.url()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;

    let connection = Connection::connect(&vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let other_version = STRANGER.replace("\"1.0\"", "\"2.0\"");
    let huge = "x".repeat(2_000_000);
    let poison = ["", "not JSON", &other_version, STRANGER, &huge];
    for queue in QUEUES {
        for body in poison {
            put(&channel, queue, body.as_bytes()).await;
        }
        // These wait a little and come into the queue like any retry.
        put(&channel, &format!("{queue}.retry.0s"), b"not JSON either").await;
        // Nobody looks at this one, but the operator.
        put(&channel, &format!("{queue}.dead"), b"put here by hand").await;
    }
    let parked = QUEUES.len() * (poison.len() + 2);
    let listed = |count: usize| {
        let system = &system;
        async move {
            let items = system.admin(&["dead-letters", "list"]).await["items"].as_array().unwrap().clone();
            if items.len() == count { Ok(items) } else { Err(format!("{items:?}")) }
        }
    };
    let letters = eventually("all of it to be parked", || listed(parked)).await;
    let reasons = |part: &str| letters.iter().filter(|l| l["reason"].as_str().unwrap().contains(part)).count();
    assert_eq!(reasons("there has never been such a mailbox"), 2);
    assert_eq!(reasons("specversion is not 1.0"), 2);
    assert_eq!(reasons("2000000 bytes are more than any event has"), 2);
    assert_eq!(reasons("not a mailmoor event"), 2 * poison.len());
    assert!(letters.iter().all(|letter| QUEUES.contains(&letter["queue"].as_str().unwrap())));
    let metrics = system.anonymous().get("/metrics").await.text;
    assert!(metrics.contains(&format!("mailmoor_dead_letters {parked}\n")), "{metrics}");

    // A mailbox that was deleted before its turn is not poison.
    let at = |user: &str| {
        let email = format!("{user}@lab.test");
        mailbox(&email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
    };
    let id = api.add(&at("dana")).await;
    api.active(&id).await;
    api.health(&id).await;

    let dropped = letters[0]["id"].as_str().unwrap();
    assert_eq!(system.admin(&["dead-letters", "drop", dropped]).await["dropped"], true);
    let replayed = system.admin(&["dead-letters", "replay", "--all"]).await;
    assert_eq!(replayed["replayed"].as_u64().unwrap() as usize, parked - 1);
    eventually("all of it to be parked again", || listed(parked - 1)).await;
}

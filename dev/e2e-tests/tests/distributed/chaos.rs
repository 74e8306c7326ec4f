//! Two gateways, three verifiers, two DNS checkers and two copies of webhook-service under fire: processes are
//! killed one after the other, RabbitMQ is away for ten seconds, PostgreSQL is restarted, and customers go on posting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e_tests::{Client, Deployment, Plan, Receiver, Setup, eventually, mailbox};
use mail_lab::scripted::{Behaviour, Listener, Protocol, ScriptedServer};
use mail_lab::{Postgres, RabbitMq};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

const MAILBOXES: usize = 2000;
/// Requests in flight.
const CUSTOMERS: usize = 12;
/// Verifications in flight in one verifier.
const CONCURRENCY: usize = 15;
/// How long RabbitMQ is away.
const OUTAGE: Duration = Duration::from_secs(10);

/// A disaster, due when another share of the mailboxes has been posted.
enum Disaster {
    /// `kill -9` and a new start.
    Kill(&'static str, usize),
    BrokerAway,
    DatabaseRestarts,
}

const DISASTERS: [Disaster; 16] = [
    Disaster::Kill("verifier-service", 0),
    Disaster::Kill("api-gateway", 0),
    Disaster::Kill("dns-checker-service", 0),
    Disaster::Kill("webhook-service", 0),
    Disaster::Kill("verifier-service", 1),
    Disaster::Kill("webhook-service", 1),
    Disaster::BrokerAway,
    Disaster::Kill("api-gateway", 1),
    Disaster::DatabaseRestarts,
    Disaster::Kill("verifier-service", 2),
    Disaster::Kill("webhook-service", 0),
    Disaster::Kill("dns-checker-service", 1),
    Disaster::Kill("api-gateway", 0),
    Disaster::Kill("verifier-service", 0),
    Disaster::Kill("webhook-service", 1),
    Disaster::DatabaseRestarts,
];

/// Every tenth has a wrong password.
fn is_wrong(number: usize) -> bool {
    number % 10 == 9
}

fn email(number: usize) -> String {
    format!("user{number}@lab.test")
}

struct Storm {
    bodies: Vec<Value>,
    next: Mutex<usize>,
    /// Accepted with an answer that arrived, by number.
    ids: Mutex<BTreeMap<usize, String>>,
    /// Wrong ones that were posted again because the answer did not arrive: the first may have been accepted,
    /// refused and deleted meanwhile, and then the second is another mailbox.
    posted_again: Mutex<u64>,
    /// Mailboxes that are known to be accepted.
    through: watch::Sender<usize>,
    /// How many may be posted for now.
    allowed: watch::Sender<usize>,
}

impl Storm {
    /// Posts one mailbox after the other to either gateway, until each is accepted.
    async fn customer(self: Arc<Self>, gateways: [Client; 2]) {
        loop {
            let number = {
                let mut next = self.next.lock().unwrap();
                *next += 1;
                *next - 1
            };
            if number >= MAILBOXES {
                return;
            }
            self.allowed.subscribe().wait_for(|allowed| *allowed > number).await.unwrap();
            let mut tries = number;
            let id = eventually("the mailbox to be accepted", || {
                tries += 1;
                self.post(number, &gateways[tries % 2])
            })
            .await;
            if let Some(id) = id {
                self.ids.lock().unwrap().insert(number, id);
            }
            self.through.send_modify(|through| *through += 1);
        }
    }

    /// `None`: accepted by an answer that never arrived.
    async fn post(&self, number: usize, gateway: &Client) -> Result<Option<String>, String> {
        let reply = gateway.try_create(&self.bodies[number]).await.map_err(|error| {
            *self.posted_again.lock().unwrap() += u64::from(is_wrong(number));
            error.to_string()
        })?;
        match reply.status {
            201 => Ok(Some(reply.data(201)["_id"].as_str().unwrap().to_owned())),
            409 => Ok(None),
            503 => Err(reply.error(503, "SERVICE_UNAVAILABLE").to_string()),
            _ => panic!("{}", reply.text),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nobody_is_asked_twice() {
    let delayed = Behaviour { reply_delay: Duration::from_millis(15), ..Behaviour::default() };
    let server = ScriptedServer::builder().behaviour(Listener::ALL, delayed).start().unwrap();
    for number in (0..MAILBOXES).filter(|number| !is_wrong(*number)) {
        server.set_account(&email(number), "right");
    }
    let (mut postgres, mut broker) = (Postgres::start().unwrap(), RabbitMq::start().unwrap());
    let (database, vhost) = (postgres.database().unwrap(), broker.vhost().unwrap());
    let mut system = Setup::distributed()
        .with_copies("api-gateway", 2)
        .with_copies("verifier-service", 3)
        .with_copies("dns-checker-service", 2)
        .with_copies("webhook-service", 2)
        .with("MAILMOOR__DATABASE__URL", database.url())
        .with("MAILMOOR__DATABASE__MAX_CONNECTIONS", 8)
        .with("MAILMOOR__BROKER__URL", vhost.url())
        .with("MAILMOOR__VERIFIER__CONCURRENCY", CONCURRENCY)
        .with("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", CONCURRENCY)
        // On a machine that is too busy to answer in time, deliveries come late and the webhook is not given up.
        .with("MAILMOOR__WEBHOOKS__TIMEOUT_MS", 30_000)
        .with("MAILMOOR__WEBHOOKS__RETRY_SECONDS", 2)
        .with("RUST_LOG", "info,lapin=off,tracing::span=warn")
        .start()
        .await;
    let tenant = system.tenant(Plan::Mailboxes(u32::try_from(MAILBOXES).unwrap())).await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({"name": "CRM", "url": receiver.url, "events": ["mailbox.activated"], "retryAttempts": 10});
    tenant.api.post("/v1/webhooks", &webhook).await.data(201);
    let password = |number| if is_wrong(number) { "wrong" } else { "right" };
    let servers = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let storm = Arc::new(Storm {
        bodies: (0..MAILBOXES).map(|n| mailbox(&email(n), password(n), servers.0, servers.1)).collect(),
        next: Mutex::new(0),
        ids: Mutex::default(),
        posted_again: Mutex::default(),
        through: watch::Sender::new(0),
        allowed: watch::Sender::new(0),
    });
    let gateways = [0, 1].map(|n| system.client_of(n).with_header("X-Api-Key", &tenant.key));
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(storm.clone().customer(gateways.clone()));
    }

    let mut verifier_kills = 0;
    for (round, disaster) in DISASTERS.iter().enumerate() {
        let share = MAILBOXES * (round + 1) / (DISASTERS.len() + 1);
        storm.allowed.send_replace(share);
        storm.through.subscribe().wait_for(|through| *through >= share.saturating_sub(CUSTOMERS)).await.unwrap();
        match disaster {
            Disaster::Kill(service, copy) => {
                system.kill9_one(service, *copy).await;
                system.start_one(service, *copy);
                verifier_kills += u64::from(*service == "verifier-service");
            }
            Disaster::BrokerAway => {
                broker.stop().unwrap();
                tokio::time::sleep(OUTAGE).await;
                broker.start_again().unwrap();
            }
            Disaster::DatabaseRestarts => {
                postgres.stop().unwrap();
                postgres.start_again().unwrap();
            }
        }
    }
    storm.allowed.send_replace(MAILBOXES);
    while let Some(customer) = customers.join_next().await {
        customer.unwrap();
    }
    system.ready().await;

    every_mailbox_is_settled(&storm, &tenant.api).await;
    let active = i64::try_from((0..MAILBOXES).filter(|number| !is_wrong(*number)).count()).unwrap();
    assert_eq!((tenant.api.count("").await, tenant.api.count("status=active").await), (active, active));
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, active, "the owner's usage is the number of mailboxes");
    every_activation_is_posted(&mut receiver).await;
    no_events_are_left(&system).await;
    // A login in flight at a kill has to be made again; nothing else is, whatever else was away.
    for protocol in [Protocol::Smtp, Protocol::Imap] {
        let logins = |number| server.logins(protocol, &email(number)).attempts;
        // None is right too, for the second server of a password that the first one refused just before the kill.
        let repeated: u64 = (0..MAILBOXES).map(|number| logins(number).saturating_sub(1)).sum();
        let allowed = verifier_kills * u64::try_from(CONCURRENCY).unwrap() + *storm.posted_again.lock().unwrap();
        assert!(repeated <= allowed, "{repeated} {protocol:?} logins were repeated, {allowed} may have been in flight");
    }
}

async fn every_mailbox_is_settled(storm: &Storm, api: &Client) {
    // As long as it goes on, however slow the machine is.
    let mut waiting = i64::MAX;
    while waiting > 0 {
        let before = waiting;
        waiting = eventually("one more verification to end", || async {
            let waiting = api.count("").await - api.count("status=active").await;
            if waiting < before { Ok(waiting) } else { Err(format!("{waiting} are waiting")) }
        })
        .await;
    }
    let ids = storm.ids.lock().unwrap().clone();
    for (number, id) in ids {
        let test = api.settled(&id).await;
        if is_wrong(number) {
            assert_eq!((&test["status"], &test["code"]), (&json!("failed"), &json!("AUTH_BAD_CREDENTIALS")));
        } else {
            assert_eq!(test, json!({"status": "passed"}), "{number}");
            if number % 20 == 0 {
                api.health(&id).await;
            }
        }
    }
}

async fn every_activation_is_posted(receiver: &mut Receiver) {
    let mut missing: BTreeSet<String> = (0..MAILBOXES).filter(|number| !is_wrong(*number)).map(email).collect();
    // As long as it goes on, however slow the machine is.
    while !missing.is_empty() {
        let posts = eventually("one more post to the webhook", || {
            let posts = receiver.rest();
            let left = missing.len();
            async move { if posts.is_empty() { Err(format!("{left} are missing")) } else { Ok(posts) } }
        })
        .await;
        for post in posts {
            assert_eq!(post.header("x-sendkit-event"), "mailbox.activated");
            // At least once: a post whose answer was lost with its sender comes again.
            missing.remove(post.json()["data"]["mailbox"]["email"].as_str().unwrap());
        }
    }
}

async fn no_events_are_left(system: &Deployment) {
    eventually("an empty outbox", || async {
        let metrics = system.anonymous().get("/metrics").await.text;
        if metrics.contains("mailmoor_outbox_pending 0\n") { Ok(()) } else { Err(metrics) }
    })
    .await;
    assert_eq!(system.admin(&["dead-letters", "list"]).await["items"], json!([]));
}

//! `kill -9`: nothing that was accepted is lost, nothing is done twice that must be done once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e_tests::{Client, Plan, eventually, mailbox};
use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, Reply, ScriptedServer};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::setup;

const PROTOCOLS: [Protocol; 2] = [Protocol::Smtp, Protocol::Imap];

fn at(server: &ScriptedServer, email: &str, password: &str) -> Value {
    mailbox(email, password, server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

fn attempts(server: &ScriptedServer, email: &str) -> [u64; 2] {
    PROTOCOLS.map(|protocol| server.logins(protocol, email).attempts)
}

// ---- 200 mailboxes and three kills ----

const MAILBOXES: usize = 200;
/// Requests in flight.
const CUSTOMERS: usize = 24;
/// Verifications in flight.
const CONCURRENCY: usize = 40;

/// Every fifth has a wrong password.
fn is_wrong(number: usize) -> bool {
    number % 5 == 4
}

fn email(number: usize) -> String {
    format!("user{number}@example.test")
}

/// The customers' knowledge of their mailboxes.
#[derive(Default)]
struct Ledger {
    waiting: VecDeque<(usize, Value)>,
    /// Accepted (201), by number.
    ids: BTreeMap<usize, String>,
    /// Requests that broke off without an answer.
    unanswered: BTreeMap<usize, u64>,
    /// Repeated requests that were answered 409.
    taken: BTreeSet<usize>,
}

struct Storm {
    ledger: Mutex<Ledger>,
    /// Requests that are through.
    done: watch::Sender<usize>,
}

impl Storm {
    /// Posts one mailbox after the other, and again when the connection broke.
    async fn customer(self: Arc<Self>, api: Client) {
        loop {
            let Some((number, body)) = self.ledger.lock().unwrap().waiting.pop_front() else { return };
            self.post(&api, number, &body).await;
            self.done.send_modify(|done| *done += 1);
        }
    }

    async fn post(&self, api: &Client, number: usize, body: &Value) {
        loop {
            let Ok(reply) = api.try_create(body).await else {
                *self.ledger.lock().unwrap().unanswered.entry(number).or_default() += 1;
                up(api).await;
                continue;
            };
            let mut ledger = self.ledger.lock().unwrap();
            if reply.status == 409 && ledger.unanswered.contains_key(&number) {
                ledger.taken.insert(number);
            } else {
                let id = reply.data(201)["_id"].as_str().unwrap().to_owned();
                ledger.ids.insert(number, id);
            }
            return;
        }
    }

    /// Results that are final: mailboxes that are active, and some of those reported as failed.
    async fn settled(&self, api: &Client) -> BTreeSet<String> {
        let mut settled = BTreeSet::new();
        for page in 1..=2 {
            let list = api.list(&format!("status=active&limit=100&page={page}")).await;
            settled
                .extend(list["data"].as_array().unwrap().iter().map(|item| item["email"].as_str().unwrap().to_owned()));
        }
        let wrong: Vec<(usize, String)> = {
            let ledger = self.ledger.lock().unwrap();
            ledger
                .ids
                .iter()
                .filter(|(number, _)| is_wrong(**number))
                .map(|(n, id)| (*n, id.clone()))
                .take(12)
                .collect()
        };
        for (number, id) in wrong {
            if api.connection_test(&id).await["status"] == "failed" {
                settled.insert(email(number));
            }
        }
        settled
    }
}

/// Logins of each user at the two servers.
type Logins = BTreeMap<String, [u64; 2]>;

fn logins(server: &ScriptedServer) -> Logins {
    (0..MAILBOXES).map(|number| (email(number), attempts(server, &email(number)))).collect()
}

/// Until the system answers again.
async fn up(api: &Client) {
    eventually("the system to come back", || async {
        let reply = api.try_get("/readyz").await.map_err(|error| error.to_string())?;
        if reply.status == 200 { Ok(()) } else { Err(reply.text) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_mailboxes_survive_three_kills() {
    let delayed = Behaviour { reply_delay: Duration::from_millis(50), ..Behaviour::default() };
    let server = ScriptedServer::builder().behaviour(Listener::ALL, delayed).start().unwrap();
    for number in (0..MAILBOXES).filter(|number| !is_wrong(*number)) {
        server.set_account(&email(number), "right");
    }
    let mut system = setup()
        .with("MAILMOOR__VERIFIER__CONCURRENCY", CONCURRENCY)
        .with("MAILMOOR__VERIFIER__PER_HOST_CONCURRENCY", CONCURRENCY)
        .with("RUST_LOG", "info")
        .start()
        .await;
    let tenant = system.tenant(Plan::Mailboxes(u32::try_from(MAILBOXES).unwrap())).await;
    let password = |number| if is_wrong(number) { "wrong" } else { "right" };
    let waiting = (0..MAILBOXES).map(|number| (number, at(&server, &email(number), password(number)))).collect();
    let ledger = Ledger { waiting, ..Ledger::default() };
    let storm = Arc::new(Storm { ledger: Mutex::new(ledger), done: watch::Sender::new(0) });
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(storm.clone().customer(tenant.api.clone()));
    }

    let mut kills = Vec::new();
    // One kill among the requests, at once, and two among the logins.
    for logins_seen in [0, MAILBOXES / 4, MAILBOXES * 3 / 4] {
        storm.done.subscribe().wait_for(|done| *done >= MAILBOXES / 4).await.unwrap();
        let enough = u64::try_from(logins_seen).unwrap();
        server.wait_until(|stats| stats.total_logins(Protocol::Smtp).attempts >= enough).await;
        let settled = if logins_seen == 0 { BTreeSet::new() } else { storm.settled(&tenant.api).await };
        system.kill9().await;
        assert!(settled.len() < MAILBOXES, "the kill came too late to mean anything");
        kills.push((settled, logins(&server)));
        system.restart().await;
    }
    while let Some(customer) = customers.join_next().await {
        customer.unwrap();
    }
    every_mailbox_is_settled(&storm, &tenant.api).await;
    let active = i64::try_from((0..MAILBOXES).filter(|number| !is_wrong(*number)).count()).unwrap();
    assert_eq!((tenant.api.count("").await, tenant.api.count("status=active").await), (active, active));
    let workspace = tenant.api.get(&format!("/v1/workspaces/{}", tenant.workspace)).await;
    assert_eq!(workspace.data(200)["usage"]["totalMailboxes"], active);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, active, "the owner's usage is the number of mailboxes");
    no_login_was_needless(&storm, &kills, &logins(&server));
}

async fn every_mailbox_is_settled(storm: &Storm, api: &Client) {
    let (mut ids, taken) = {
        let ledger = storm.ledger.lock().unwrap();
        (ledger.ids.clone(), ledger.taken.clone())
    };
    for number in taken {
        // Accepted by an answer that never arrived, so the id is only to be had from the list. A wrong
        // one may be gone from it by now, which is as it should be.
        let found = api.list(&format!("search={}", email(number))).await["data"][0]["_id"].clone();
        match found.as_str() {
            Some(id) => _ = ids.insert(number, id.to_owned()),
            None => assert!(is_wrong(number), "{} was accepted and is lost", email(number)),
        }
    }
    for (number, id) in &ids {
        if is_wrong(*number) {
            assert_eq!(api.refused(id).await["code"], "AUTH_BAD_CREDENTIALS");
        } else {
            api.active(id).await;
        }
    }
    let lost: Vec<usize> = (0..MAILBOXES).filter(|number| !is_wrong(*number) && !ids.contains_key(number)).collect();
    assert_eq!(lost, [0; 0]);
}

/// The promise of the design about logins, and no more can be had: a login whose result was not yet
/// on disk when the process died has to be repeated.
/// - Nobody is tried twice in one life of the process.
/// - After a kill only those are tried again whose verification was in flight, at most `CONCURRENCY`.
/// - Whoever was settled, or refused and reported so, is left alone for ever.
///
/// A request without an answer may have been accepted, verified, refused and deleted before it was
/// repeated: that is one more mailbox, and one more verification.
fn no_login_was_needless(storm: &Storm, kills: &[(BTreeSet<String>, Logins)], end: &Logins) {
    let ledger = storm.ledger.lock().unwrap();
    for leg in 0..2 {
        let mut before: BTreeMap<&str, u64> = BTreeMap::new();
        for (life, logins) in kills.iter().map(|(_, logins)| logins).chain([end]).enumerate() {
            let mut again = 0;
            for number in 0..MAILBOXES {
                let user = &email(number);
                let before =
                    before.insert(logins.get_key_value(user).unwrap().0, logins[user][leg]).unwrap_or_default();
                let now = logins[user][leg] - before;
                let added_again = ledger.unanswered.get(&number).copied().unwrap_or_default();
                let allowed = 1 + if is_wrong(number) { added_again } else { 0 };
                assert!(now <= allowed, "{user} was tried {now} times in life {life}, leg {leg}");
                again += usize::from(now > 0 && before > 0);
            }
            assert!(again <= CONCURRENCY, "{again} logins were repeated after kill {life}, leg {leg}");
        }
    }
    for (settled, logins) in kills {
        for user in settled {
            assert_eq!(end[user], logins[user], "{user} was settled before the kill and tried again");
        }
    }
    // A test of the test: requests really broke off, and something was settled before the last kill.
    assert!(!ledger.unanswered.is_empty());
    assert!(kills[2].0.len() > 10, "{}", kills[2].0.len());
}

// ---- Kills at chosen moments: the lines waited for are logged when the result is stored ----

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_was_stored_is_remembered_after_a_kill() {
    // SMTP refuses at once; IMAP never answers, so the verification is not over when the kill comes.
    for imap_is_given in [true, false] {
        let server = ScriptedServer::builder().start().unwrap();
        let mut system = setup().start().await;
        let api = system.tenant(Plan::Unlimited).await.api;
        server.set_auth(Protocol::Imap, "dana@example.test", Auth::Scripted(Reply::Silent));
        let mut body = at(&server, "dana@example.test", "wrong");
        if !imap_is_given {
            body["imap"].as_object_mut().unwrap().remove("host");
        }
        let id = api.add(&body).await;
        system.logged("leg=smtp the refusal is noted").await;
        server.wait_until(|stats| stats.logins(Protocol::Imap, "dana@example.test").attempts == 1).await;
        assert_eq!(api.connection_test(&id).await, json!({"status": "pending"}));
        system.kill9().await;
        server.clear_auth(Protocol::Imap, "dana@example.test");
        system.restart().await;

        let test = api.refused(&id).await;
        assert_eq!((&test["code"], &test["stage"]), (&json!("AUTH_BAD_CREDENTIALS"), &json!("smtp")));
        assert_eq!(attempts(&server, "dana@example.test"), [1, 1], "imap given: {imap_is_given}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_over_a_kill() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut system =
        setup().with("MAILMOOR__VERIFIER__ATTEMPTS", 3).with("MAILMOOR__VERIFIER__RETRY_BASE_MS", 500).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let busy = Reply::from("454 4.7.0 Temporary authentication failure");
    server.set_auth(Protocol::Smtp, "dana@example.test", Auth::Scripted(busy));
    let id = api.add(&at(&server, "dana@example.test", "x")).await;
    system.logged("attempt=1 outcome=deferred").await;
    system.kill9().await;
    system.restart().await;
    assert_eq!(api.refused(&id).await["code"], "SYS_ATTEMPTS_EXHAUSTED");
    assert_eq!(server.logins(Protocol::Smtp, "dana@example.test").attempts, 3);
}

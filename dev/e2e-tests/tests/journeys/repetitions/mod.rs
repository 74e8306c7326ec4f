//! Requests with an `Idempotency-Key` and `kill -9`: whatever broke off is repeated until there is an answer,
//! and was done once.

mod mailboxes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use e2e_tests::{Client, Plan, Reply, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::setup;

const DOMAINS: usize = 60;
/// Requests in flight.
const CUSTOMERS: usize = 8;

fn name(number: usize) -> String {
    format!("domain{number}.test")
}

/// The values of a domain in answers, and the answer each came in.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    body: String,
    location: String,
    request_id: String,
}

struct Storm {
    waiting: Mutex<VecDeque<usize>>,
    told: Mutex<BTreeMap<usize, Told>>,
    /// Requests that broke off without an answer.
    unanswered: Mutex<BTreeSet<usize>>,
    /// Requests that are through.
    done: watch::Sender<usize>,
}

async fn post(api: &Client, number: usize) -> Result<Reply, reqwest::Error> {
    let request = api.request(Method::POST, "/api/v1/domains").header("Idempotency-Key", format!("add {number}"));
    api.send(request.json(&json!({"domain": name(number)}))).await
}

fn told(reply: &Reply) -> Told {
    let header = |name: &str| reply.headers[name].to_str().unwrap().to_owned();
    Told { body: reply.text.clone(), location: header("location"), request_id: header("x-request-id") }
}

impl Storm {
    /// Posts one domain after the other, each until it gets an answer.
    async fn customer(self: Arc<Self>, api: Client) {
        loop {
            let Some(number) = self.waiting.lock().unwrap().pop_front() else { return };
            let told = eventually("an answer", || self.attempt(&api, number)).await;
            self.told.lock().unwrap().insert(number, told);
            self.done.send_modify(|done| *done += 1);
        }
    }

    async fn attempt(&self, api: &Client, number: usize) -> Result<Told, String> {
        let reply = match post(api, number).await {
            Ok(reply) => reply,
            Err(error) => {
                self.unanswered.lock().unwrap().insert(number);
                return Err(error.to_string());
            }
        };
        match reply.status {
            201 => Ok(told(&reply)),
            // The first request died, or is still at it.
            409 if reply.body["error"]["code"] == "idempotency_conflict" => Err(reply.text),
            503 => Err(reply.text),
            _ => panic!("{} {}", reply.status, reply.text),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_repeated_after_a_kill_was_done_once() {
    let mut system = setup().with("MAILMOOR__RATE_LIMIT__SENDMUX_PER_MINUTE", 0).start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let api = system.sendmux(&tenant).await;
    let storm = Arc::new(Storm {
        waiting: Mutex::new((0..DOMAINS).collect()),
        told: Mutex::default(),
        unanswered: Mutex::default(),
        done: watch::Sender::new(0),
    });
    let mut customers = JoinSet::new();
    for _ in 0..CUSTOMERS {
        customers.spawn(storm.clone().customer(api.clone()));
    }
    for enough in [DOMAINS / 4, DOMAINS / 2] {
        storm.done.subscribe().wait_for(|done| *done >= enough).await.unwrap();
        system.kill9().await;
        system.restart().await;
    }
    while let Some(customer) = customers.join_next().await {
        customer.unwrap();
    }
    assert!(!storm.unanswered.lock().unwrap().is_empty(), "no request broke off");

    let told_first = storm.told.lock().unwrap().clone();
    let mut ids = BTreeSet::new();
    for (number, first) in &told_first {
        let again = post(&api, *number).await.unwrap();
        assert_eq!((again.status, &told(&again)), (201, first));
        let data = &again.body["data"];
        assert_eq!(data["domain"], name(*number).as_str());
        ids.insert(data["id"].as_str().unwrap().to_owned());
        // Its random parts are the same as in the database.
        let read = api.get(&first.location).await;
        assert_eq!((read.status, &read.body["data"]["dns_records"]), (200, &data["dns_records"]), "{}", read.text);
    }
    assert_eq!((told_first.len(), ids.len()), (DOMAINS, DOMAINS));
    assert_eq!(all_ids(&api).await, ids);
}

async fn all_ids(api: &Client) -> BTreeSet<String> {
    let list = api.get("/api/v1/domains?limit=100").await;
    let items = list.body["data"].as_array().unwrap_or_else(|| panic!("{}", list.text));
    let ids: BTreeSet<String> = items.iter().map(|item: &Value| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), list.body["pagination"]["has_more"].as_bool()), (items.len(), Some(false)));
    ids
}

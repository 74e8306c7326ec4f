//! Mailboxes and their keys, with kills between the commit and the answer: a client that got no answer repeats its
//! request, and gets the mailbox that exists, with the password that opens it.

use e2e_tests::{Client, Deployment, Plan, Reply, eventually};
use mail_lab::Knot;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Told, told};
use crate::setup;

/// Requests of a round, all at once.
const AT_ONCE: usize = 32;
/// A domain's mailboxes are made one after the other, so there are some.
const DOMAINS: usize = 4;
/// Most rounds until a kill has come between a commit and its answer.
const ROUNDS: usize = 20;

/// A request that is repeated until it is answered.
struct Wish {
    path: String,
    body: Value,
    /// Names the request.
    key: String,
    /// The rows that the database has then, as [`Deployment::count`] takes them.
    trace: String,
}

impl Wish {
    fn mailbox(name: &str, number: usize) -> Self {
        let email = format!("{name}{number}@domain{}.test", number % DOMAINS);
        Self {
            path: "/api/v1/mailboxes".to_owned(),
            trace: format!("hosted_mailboxes WHERE email = '{email}'"),
            key: format!("provision {email}"),
            body: json!({"email": email}),
        }
    }

    fn key(mailbox: &str, name: &str) -> Self {
        Self {
            path: format!("/api/v1/mailboxes/{mailbox}/keys"),
            trace: format!("mailbox_keys WHERE app_name = '{name}'"),
            key: format!("key {name}"),
            body: json!({"app_name": name}),
        }
    }

    fn request(&self, api: &Client) -> RequestBuilder {
        api.request(Method::POST, &self.path).header("Idempotency-Key", &self.key).json(&self.body)
    }

    /// Asks until there is an answer.
    async fn insist(&self, api: &Client) -> Reply {
        eventually("an answer", async || {
            let reply = api.send(self.request(api)).await.map_err(|error| error.to_string())?;
            match reply.status {
                201 => Ok(reply),
                // The first request died, and its record is kept from others for a while.
                409 if reply.body["error"]["code"] == "idempotency_conflict" => Err(reply.text),
                503 => Err(reply.text),
                _ => panic!("{} {}", reply.status, reply.text),
            }
        })
        .await
    }
}

/// Rounds of kills until one has come between a commit and its answer.
async fn storm(
    system: &mut Deployment,
    api: &Client,
    wish: impl Fn(usize, usize) -> Wish,
) -> Vec<(Wish, Option<Told>)> {
    let mut all = vec![];
    for round in 0..ROUNDS {
        let wishes: Vec<Wish> = (0..AT_ONCE).map(|number| wish(round, number)).collect();
        let answers = system.break_off(api, wishes.iter().map(|wish| wish.request(api)).collect()).await;
        let mut done_in_silence = 0;
        for (wish, answer) in wishes.into_iter().zip(answers) {
            let first = answer.map(|reply| {
                assert_eq!(reply.status, 201, "{}", reply.text);
                told(&reply)
            });
            done_in_silence += usize::from(first.is_none() && system.count(&wish.trace) == 1);
            all.push((wish, first));
        }
        if done_in_silence > 0 {
            return all;
        }
    }
    panic!("no kill came between a commit and its answer");
}

/// Asks for everything again. It was done once, and there is but one answer to it.
async fn ask_again(system: &Deployment, api: &Client, asked: Vec<(Wish, Option<Told>)>) {
    for (wish, first) in asked {
        let reply = wish.insist(api).await;
        assert_eq!(told(&reply), first.unwrap_or_else(|| told(&reply)));
        let again = wish.insist(api).await;
        assert_eq!(told(&again), told(&reply));
        assert_eq!(system.count(&wish.trace), 1, "{}", wish.trace);
        let [user, prefix, secret] = ["username", "key_prefix", "secret"]
            .map(|member| again.body["data"]["credential"][member].as_str().unwrap());
        assert!(secret.starts_with(prefix) && secret.len() > prefix.len(), "{}", again.text);
        let login = format!("mail_logins WHERE email = '{user}' AND key_prefix = '{prefix}'");
        assert_eq!(system.count(&login), 1, "{}", wish.trace);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_whose_answer_was_lost_is_told_of_with_its_password() {
    let names = Knot::start(&[]).unwrap();
    let mut system = setup()
        .with("MAILMOOR__DNS__SERVERS", names.addr())
        .with("MAILMOOR__MAIL_PLATFORM__HOSTNAME", "mail.example.test")
        .with("MAILMOOR__RATE_LIMIT__SENDMUX_PER_MINUTE", 0)
        .start()
        .await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let api = system.sendmux(&tenant).await;
    for number in 0..DOMAINS {
        api.verified_domain(&format!("domain{number}.test"), &names).await;
    }
    // Mailboxes for the keys, made in peace.
    let mut old = vec![];
    for number in 0..AT_ONCE {
        let made = Wish::mailbox("old", number).insist(&api).await;
        old.push(made.body["data"]["mailbox"]["id"].as_str().unwrap().to_owned());
    }
    let mailboxes = storm(&mut system, &api, |round, number| Wish::mailbox("new", round * AT_ONCE + number)).await;
    let keys = storm(&mut system, &api, |round, number| Wish::key(&old[number], &format!("{round} of {number}"))).await;
    let (new, further) = (mailboxes.len(), keys.len());
    ask_again(&system, &api, mailboxes).await;
    ask_again(&system, &api, keys).await;

    assert_eq!(system.count("hosted_mailboxes"), AT_ONCE + new);
    let keys_of = "(SELECT count(*) FROM mailbox_keys k WHERE k.mailbox_id = m.id)";
    assert_eq!(system.count(&format!("hosted_mailboxes m WHERE m.email LIKE 'new%' AND {keys_of} = 1")), new);
    assert_eq!(system.count("mailbox_keys"), AT_ONCE + new + further);
    assert_eq!(system.count("mail_logins"), AT_ONCE + new + further);
    assert_eq!(system.usage(&tenant, Plan::Unlimited).await, i64::try_from(AT_ONCE + new).unwrap());
}

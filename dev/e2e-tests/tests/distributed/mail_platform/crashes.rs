//! A gateway that dies in the middle of what it does to mailboxes.

use e2e_tests::{Client, Plan, eventually};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::programs::{are_ended, imap};
use super::{Login, Mailbox, World, ok, text};

const ROUNDS: usize = 3;
/// Asked for at once in each round.
const MAILBOXES: usize = 32;
/// Most rounds until a kill has come between a commit and its answer.
const MOST_ROUNDS: usize = 20;

/// States that must not exist at any moment, and the rows that would be one.
const IMPOSSIBLE: [(&str, &str); 6] = [
    (
        "a mailbox without a key",
        "hosted_mailboxes m WHERE status <> 'deleted' AND NOT EXISTS
            (SELECT FROM mailbox_keys k WHERE k.mailbox_id = m.id AND k.revoked_at IS NULL)",
    ),
    (
        "a key without a mailbox",
        "mailbox_keys k WHERE revoked_at IS NULL AND NOT EXISTS
            (SELECT FROM hosted_mailboxes m WHERE m.id = k.mailbox_id AND m.status <> 'deleted')",
    ),
    (
        "somebody whom the mail servers serve for no mailbox",
        "(SELECT email FROM mail_logins UNION SELECT email FROM mail_accounts UNION SELECT login FROM mail_senders
            UNION SELECT email FROM mail_filters) served
         WHERE NOT EXISTS (SELECT FROM hosted_mailboxes m WHERE m.email = served.email AND m.status = 'active')",
    ),
    (
        "rules of nobody",
        "(SELECT subject_id FROM sender_filter_modes UNION SELECT subject_id FROM sender_filters) rules
         WHERE NOT EXISTS (SELECT FROM hosted_mailboxes m WHERE m.id = subject_id AND m.status <> 'deleted')",
    ),
    (
        "a place on a plan that is not a mailbox's",
        "owners o WHERE mailbox_usage <> (SELECT count(*) FROM hosted_mailboxes m
            JOIN workspaces w ON w.id = m.workspace_id WHERE w.owner_id = o.id AND m.status <> 'deleted')",
    ),
    (
        "an answer without a mailbox, or a mailbox without an answer",
        "owners WHERE (SELECT count(*) FROM hosted_mailboxes) <> (SELECT count(*) FROM idempotency_records
            WHERE endpoint = 'POST /mailboxes' AND answer IS NOT NULL)",
    ),
];

#[track_caller]
fn nothing_is_half_there(bench: &World) {
    for (what, rows) in IMPOSSIBLE {
        assert_eq!(bench.system.count(rows), 0, "{what}");
    }
}

fn provision(api: &Client, number: usize) -> RequestBuilder {
    let request = api.request(Method::POST, "/api/v1/mailboxes").header("Idempotency-Key", format!("mailbox {number}"));
    request.json(&json!({"email": format!("m{number}@acme.test")}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_there_with_its_key_or_not_at_all() {
    let mut bench = World::start().await;
    let mut unanswered = 0;
    for round in 0..ROUNDS {
        let requests = (0..MAILBOXES).map(|n| provision(&bench.api, round * MAILBOXES + n)).collect();
        let answers = bench.system.break_off(&bench.api, requests).await;
        unanswered += answers.iter().filter(|answer| answer.is_none()).count();
        nothing_is_half_there(&bench);
    }
    assert!(unanswered > 0, "no request broke off");
    // Everybody asks again, and gets the key of the one mailbox that there is.
    for number in 0..ROUNDS * MAILBOXES {
        let login = eventually("the answer", || async {
            let reply = bench.api.send(provision(&bench.api, number)).await.map_err(|error| error.to_string())?;
            match reply.status {
                201 => Ok(Login::of(&reply.body["data"]["imap_smtp_credentials"])),
                // The record of the process that died keeps others away until its lease ends.
                409 if text(&reply.body["error"]["code"]) == "idempotency_conflict" => Err(reply.text),
                _ => panic!("{}", reply.text),
            }
        })
        .await;
        imap(&login).await.unwrap();
    }
    nothing_is_half_there(&bench);
    assert_eq!(bench.system.count("hosted_mailboxes"), ROUNDS * MAILBOXES);
    assert_eq!(bench.system.usage(&bench.tenant, Plan::Unlimited).await, (ROUNDS * MAILBOXES) as i64);
}

/// Mailboxes to be deleted, and as many to be suspended, each with rules.
struct Doomed {
    deleted: Vec<Mailbox>,
    suspended: Vec<Mailbox>,
}

impl Doomed {
    async fn provision(bench: &World, round: usize) -> Self {
        let mut all = vec![];
        for number in 0..MAILBOXES {
            let reply = bench.api.send(provision(&bench.api, round * MAILBOXES + number)).await.unwrap();
            let mailbox = Mailbox::of(&reply);
            let rules = json!({"mode": "denylist", "rules": [{"type": "deny", "pattern": "bad.test"}]});
            ok(&bench.of_mailbox(Method::PUT, &mailbox, "/filters", &rules).await, 200);
            all.push(mailbox);
        }
        let suspended = all.split_off(MAILBOXES / 2);
        Self { deleted: all, suspended }
    }

    /// In turns one of each kind.
    fn requests(&self, api: &Client) -> Vec<RequestBuilder> {
        let pairs = self.deleted.iter().zip(&self.suspended);
        let pair = |(deleted, suspended): (&Mailbox, &Mailbox)| {
            [
                api.request(Method::DELETE, &format!("/api/v1/mailboxes/{}", deleted.id)),
                api.request(Method::POST, &format!("/api/v1/mailboxes/{}/suspend", suspended.id)),
            ]
        };
        pairs.flat_map(pair).collect()
    }

    /// Asks for the rest, too.
    async fn end(&self, bench: &World) {
        for mailbox in &self.deleted {
            let reply = bench.of_mailbox(Method::DELETE, mailbox, "", &Value::Null).await;
            assert!([200, 404].contains(&reply.status), "{}", reply.text);
        }
        for mailbox in &self.suspended {
            bench.post_for(mailbox, "/suspend").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_ended_whole_or_not_at_all() {
    let mut bench = World::start().await;
    let ended = |bench: &World| bench.system.count("hosted_mailboxes WHERE status <> 'active'");
    let mut rounds = 0;
    loop {
        let doomed = Doomed::provision(&bench, rounds).await;
        let mut sessions = vec![];
        for mailbox in [&doomed.deleted[0], &doomed.suspended[0]] {
            sessions.push(bench.sign_in(&mailbox.login).await);
        }
        let before = ended(&bench);
        let answers = bench.system.break_off(&bench.api, doomed.requests(&bench.api)).await;
        nothing_is_half_there(&bench);
        let answered = answers.into_iter().flatten().inspect(|reply| _ = ok(reply, 200)).count();
        let done_in_silence = ended(&bench) - before - answered;
        doomed.end(&bench).await;
        nothing_is_half_there(&bench);
        rounds += 1;
        assert_eq!(ended(&bench), rounds * MAILBOXES);
        for (imap, smtp) in sessions {
            are_ended(imap, smtp).await;
        }
        for mailbox in [&doomed.deleted[MAILBOXES / 2 - 1], &doomed.suspended[MAILBOXES / 2 - 1]] {
            bench.is_locked_out(&mailbox.login).await;
        }
        bench.post_for(&doomed.suspended[0], "/resume").await;
        bench.sign_in(&doomed.suspended[0].login).await;
        bench.post_for(&doomed.suspended[0], "/suspend").await;
        if done_in_silence > 0 {
            break;
        }
        assert!(rounds < MOST_ROUNDS, "no kill came between a commit and its answer");
    }
    for (rows, per_round) in [
        ("hosted_mailboxes WHERE status = 'deleted'", MAILBOXES / 2),
        ("hosted_mailboxes WHERE status = 'suspended'", MAILBOXES / 2),
        ("mailbox_keys WHERE revoked_at IS NULL", MAILBOXES / 2),
        ("sender_filters", MAILBOXES / 2),
        ("mail_logins", 0),
    ] {
        assert_eq!(bench.system.count(rows), rounds * per_round, "{rows}");
    }
    let left = i64::try_from(rounds * MAILBOXES / 2).unwrap();
    assert_eq!(bench.system.usage(&bench.tenant, Plan::Unlimited).await, left);
}

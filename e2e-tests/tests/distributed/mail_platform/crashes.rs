//! A gateway that dies in the middle of provisioning.

use e2e_tests::{Client, Plan, Reply, eventually};
use reqwest::Method;
use serde_json::json;

use super::programs::imap;
use super::{Login, World, text};

const ROUNDS: usize = 3;
/// Asked for at once in each round.
const MAILBOXES: usize = 40;

async fn provision(api: Client, number: usize) -> Result<Reply, String> {
    let request = api.request(Method::POST, "/api/v1/mailboxes").header("Idempotency-Key", format!("mailbox {number}"));
    let body = json!({"email": format!("m{number}@acme.test")});
    api.send(request.json(&body)).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mailbox_is_left_without_a_key() {
    let Some(mut bench) = World::start().await else { return };
    let count = |bench: &World, of: &str| -> usize {
        let rows = bench.database.execute(&format!("SELECT count(*) FROM hosted_mailboxes m {of}")).unwrap();
        rows[0][0].as_deref().unwrap().parse().unwrap()
    };
    for round in 0..ROUNDS {
        let before = count(&bench, "");
        let asked = (0..MAILBOXES).map(|n| tokio::spawn(provision(bench.api.clone(), round * MAILBOXES + n)));
        let asked: Vec<_> = asked.collect();
        eventually("some mailboxes", || async {
            let made = count(&bench, "") - before;
            if made >= 3 { Ok(()) } else { Err(made.to_string()) }
        })
        .await;
        bench.system.kill9_one("api-gateway", 0).await;
        let mut answered = 0;
        for answer in asked {
            answered += usize::from(answer.await.unwrap().is_ok_and(|reply| reply.status == 201));
        }
        assert!(answered < MAILBOXES, "it was killed too late");
        assert_eq!(count(&bench, "WHERE NOT EXISTS (SELECT FROM mail_logins l WHERE l.email = m.email)"), 0);
        bench.system.start_one("api-gateway", 0);
        bench.system.ready().await;
    }
    // Everybody asks again, and gets the key of the one mailbox that there is.
    for number in 0..ROUNDS * MAILBOXES {
        let login = eventually("the answer", || async {
            let reply = provision(bench.api.clone(), number).await?;
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
    assert_eq!(count(&bench, ""), ROUNDS * MAILBOXES);
    assert_eq!(bench.system.usage(&bench.tenant, Plan::Unlimited).await, (ROUNDS * MAILBOXES) as i64);
}

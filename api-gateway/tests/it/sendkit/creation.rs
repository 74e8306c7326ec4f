//! `POST /v1/mailboxes`: the answer, its defaults, and what stands behind it.

use serde_json::{Value, json};
use shared_models::domain::tenancy::Plan;
use shared_models::events::{DNS_CHECKER_QUEUE, VERIFIER_QUEUE};

use crate::client::members;
use crate::world::{World, minimal, with};

const MESSAGE: &str = "Mailbox queued for SMTP verification. Poll GET /v1/mailboxes/:id/connection-test until status is no longer \"inactive\".";

/// Data without what differs from run to run, which is checked for its shape.
fn stable(data: &Value) -> Value {
    let id = data["_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");
    let time = data["createdAt"].as_str().unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{time}");
    assert_eq!(data["updatedAt"], data["createdAt"]);
    with(data.clone(), &json!({"_id": null, "createdAt": null, "updatedAt": null}))
}

#[tokio::test]
async fn everything_given_comes_back_flattened() {
    let world = World::start().await;
    let body = json!({
        "email": "dana@mail.example", "displayName": "Dana Field", "provider": "outlook",
        "smtp": {"host": "smtp.mail.example", "port": 2525, "secure": false, "username": "smtp-user", "password": "sesame one"},
        "imap": {"host": "imap.mail.example", "port": 143, "secure": false, "username": "imap-user", "password": "sesame two"},
        "dailySendLimit": 20, "signature": "<p>Dana</p>", "tags": ["north", "east"],
    });
    let answer = world.post("/v1/mailboxes", &body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(members(&answer.body), ["data", "message", "success"]);
    assert_eq!((&answer.body["success"], &answer.body["message"]), (&json!(true), &json!(MESSAGE)));
    let expected = json!({
        "email": "dana@mail.example", "displayName": "Dana Field", "provider": "outlook", "status": "inactive",
        "connectionType": "smtp", "dailySendLimit": 20, "sendingEnabled": false, "signature": "<p>Dana</p>",
        "tags": ["north", "east"], "smtpHost": "smtp.mail.example", "smtpPort": 2525, "smtpSecure": false,
        "imapHost": "imap.mail.example", "imapPort": 143, "imapSecure": false,
    });
    assert_eq!(stable(answer.data()), expected);
    for secret in ["sesame", "smtp-user", "imap-user"] {
        assert!(!answer.body.to_string().contains(secret));
    }
}

#[tokio::test]
async fn everything_left_out_has_its_default() {
    let world = World::start().await;
    let body = json!({"email": "Dana.F@Mail.Example", "smtp": {"host": "smtp.mail.example", "password": "sesame"}});
    let answer = world.post("/v1/mailboxes", &body).await;
    let expected = json!({
        "email": "dana.f@mail.example", "displayName": "dana.f", "provider": "custom", "status": "inactive",
        "connectionType": "smtp", "dailySendLimit": 15, "sendingEnabled": false, "signature": null,
        "tags": [], "smtpHost": "smtp.mail.example", "smtpPort": 587, "smtpSecure": true,
        "imapHost": "smtp.mail.example", "imapPort": 993, "imapSecure": true,
    });
    assert_eq!(stable(answer.data()), expected);
}

/// `null` is the same as nothing.
#[tokio::test]
async fn null_is_absent() {
    let world = World::start().await;
    let plain = stable(world.post("/v1/mailboxes", &minimal("dana")).await.data());
    let mut body = json!({
        "email": "dana2@mail.example", "displayName": null, "provider": null, "imap": null, "dailySendLimit": null,
        "signature": null, "tags": null,
    });
    body["smtp"] =
        json!({"host": "smtp.mail.example", "port": null, "secure": null, "username": null, "password": "sesame"});
    let nulls = stable(world.post("/v1/mailboxes", &body).await.data());
    assert_eq!(nulls, with(plain, &json!({"email": "dana2@mail.example", "displayName": "dana2"})));
}

/// (what the IMAP block says, what is stored: host, port, secure, guessed, user, password)
#[tokio::test]
async fn imap_takes_from_smtp_what_it_lacks() {
    let world = World::start().await;
    let smtp = ("smtp-user", " smtp pässword ");
    for (n, (imap, host, port, secure, guessed, user, password)) in [
        (Value::Null, "smtp.mail.example", 993, true, true, smtp.0, smtp.1),
        (json!({}), "smtp.mail.example", 993, true, true, smtp.0, smtp.1),
        (json!({"host": " "}), "smtp.mail.example", 993, true, true, smtp.0, smtp.1),
        (json!({"port": 143, "secure": false}), "smtp.mail.example", 143, false, true, smtp.0, smtp.1),
        (json!({"username": "u", "password": "p"}), "smtp.mail.example", 993, true, true, "u", "p"),
        (json!({"host": " IMAP.Mail.Example "}), "imap.mail.example", 993, true, false, smtp.0, smtp.1),
        (json!({"host": "imap.mail.example", "password": " p "}), "imap.mail.example", 993, true, false, smtp.0, " p "),
        (
            json!({"host": "imap.mail.example", "username": " u ", "password": ""}),
            "imap.mail.example",
            993,
            true,
            false,
            "u",
            smtp.1,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let changes = json!({"smtp": {"username": smtp.0, "password": smtp.1}});
        let mut body = with(minimal(&format!("m{n}")), &changes);
        body["imap"] = imap.clone();
        let answer = world.post("/v1/mailboxes", &body).await;
        let data = answer.data();
        assert_eq!(
            (&data["imapHost"], &data["imapPort"], &data["imapSecure"]),
            (&json!(host), &json!(port), &json!(secure)),
            "{imap}"
        );
        let job = world.store.verification_job(data["_id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(job.mailbox.imap_guessed, guessed, "{imap}");
        let login = job.credentials.imap;
        assert_eq!((login.username.as_str(), login.password.expose()), (user, password), "{imap}");
        assert_eq!(job.credentials.smtp.password.expose(), smtp.1, "never trimmed");
    }
}

#[tokio::test]
async fn the_user_name_is_the_address_unless_given() {
    let world = World::start().await;
    for (name, username, expected) in [
        ("A", json!(null), "a@mail.example"),
        ("b", json!("  "), "b@mail.example"),
        ("c", json!(" DOMAIN\\c "), "DOMAIN\\c"),
    ] {
        let id = world.add(&with(minimal(name), &json!({"smtp": {"username": username}}))).await;
        let job = world.store.verification_job(id).await.unwrap().unwrap();
        assert_eq!(job.credentials.smtp.username, expected);
        assert_eq!(job.credentials.imap.username, expected);
    }
}

#[tokio::test]
async fn a_mailbox_is_queued_counted_and_pending() {
    let world = World::start().await;
    let id = world.add(&minimal("dana")).await;
    assert_eq!(world.usage().await, 1);
    for queue in [VERIFIER_QUEUE, DNS_CHECKER_QUEUE] {
        assert_eq!(world.store.queue_depth(queue).await.unwrap(), (1, 0));
    }
    let test = world.get(&format!("/v1/mailboxes/{id}/connection-test")).await;
    assert_eq!(test.body, json!({"success": true, "data": {"status": "pending"}}));
}

/// Authentication, body, subscription, limit, duplicate: the first that fails answers.
#[tokio::test]
async fn refusals_in_their_order_and_their_words() {
    let world = World::start().await;
    world.add(&minimal("dana")).await;
    let plan = async |active, max| {
        let plan = Plan { subscription_active: active, max_mailboxes: max };
        world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    };
    let duplicate = minimal("DANA");
    let refusal = |code, message| json!({"success": false, "error": {"code": code, "message": message}});

    plan(false, Some(1)).await;
    let bad = with(duplicate.clone(), &json!({"smtp": {"port": 0}}));
    assert_eq!(world.post("/v1/mailboxes", &bad).await.bad_fields(), ["smtp.port"]);
    let answer = world.post("/v1/mailboxes", &duplicate).await;
    let expected = refusal("SUBSCRIPTION_REQUIRED", "Workspace owner needs an active subscription to add mailboxes");
    assert_eq!((answer.status, answer.body), (403, expected));

    plan(true, Some(1)).await;
    let answer = world.post("/v1/mailboxes", &duplicate).await;
    let mut expected = refusal("LIMIT_REACHED", "Mailbox limit reached for your plan");
    expected["error"]["currentUsage"] = json!(1);
    expected["error"]["maxMailboxes"] = json!(1);
    expected["error"]["requested"] = json!(1);
    assert_eq!((answer.status, answer.body), (403, expected));

    plan(true, Some(2)).await;
    let answer = world.post("/v1/mailboxes", &duplicate).await;
    assert_eq!((answer.status, answer.body), (409, refusal("CONFLICT", "Mailbox already exists")));

    assert_eq!(world.usage().await, 1);
    assert_eq!(world.store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (1, 0), "nothing was queued");
}

#[tokio::test]
async fn the_same_address_may_be_in_another_workspace() {
    let world = World::start().await;
    let (_, stranger) = world.stranger().await;
    world.add(&minimal("dana")).await;
    let call = world.client.call_with_key(reqwest::Method::POST, "/v1/mailboxes", &stranger);
    assert_eq!(call.json(&minimal("dana")).send().await.status, 201);
}

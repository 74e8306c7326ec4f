//! `POST /sender-accounts/smtp`: the answer, its defaults, and what stands behind it.

use serde_json::{Value, json};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::mailboxes::ProviderLabel;
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{FailureCode, Finding, MailboxStatus};
use shared_models::store::{MailboxFilter, MailboxOrder, PageRequest};

use super::{ACCOUNTS, account, changed, is_time, is_uuid, places, text};
use crate::client::Answer;
use crate::sendkit::settled::{accepted, finding, refused, wrong_password};
use crate::world::{Options, PATIENT, World};

const IMPATIENT: Options = Options { verification_wait_ms: 0, ..PATIENT };

/// The body of a 201 without what differs from run to run, which is checked for its shape.
fn stable(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut body = answer.body.clone();
    let object = body.as_object_mut().unwrap();
    assert!(is_uuid(&object.remove("inbox_id").unwrap()) && is_time(&object.remove("created_at").unwrap()));
    body
}

async fn stored(world: &World) -> Vec<shared_models::domain::Mailbox> {
    let page = PageRequest { order: MailboxOrder::default(), after: None, offset: 0, limit: 100 };
    world.store.list_mailboxes(world.workspace, MailboxFilter::default(), page).await.unwrap().items
}

#[tokio::test]
async fn a_good_account_is_active_in_the_answer() {
    let world = World::start().await;
    let _verifier = world.verifier(accepted(None));
    let body = changed(account("kim"), &json!({"daily_limit": 40, "smtp_use_tls": false, "imap_use_ssl": true}));
    let answer = world.cs_create(&body).await;
    let expected = json!({
        "success": true, "message": "SMTP inbox created successfully", "email_address": "kim@out.example",
        "display_name": "Kim Vale", "inbox_type": "CUSTOM_SMTP", "daily_limit": 40, "overall_status": "ACTIVE",
    });
    assert_eq!(stable(&answer), expected);
    let told = answer.body.to_string();
    for secret in ["sesame", "-login", "smtp.out", "imap.out", "587", "993"] {
        assert!(!told.contains(secret), "{secret}");
    }
    let names: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 9, "{names:?}");
    assert_eq!((world.usage().await, stored(&world).await[0].status), (1, MailboxStatus::Active));
}

#[tokio::test]
async fn what_is_not_settled_in_time_is_pending_and_goes_on() {
    let world = World::with(IMPATIENT).await;
    let answer = world.cs_create(&account("kim")).await;
    assert_eq!(stable(&answer)["overall_status"], "PENDING");
    assert_eq!(answer.body["message"], "SMTP inbox created successfully");
    let path = format!("{ACCOUNTS}/{}", text(&answer.body["inbox_id"]));
    assert_eq!(world.cs_get(&path).await.body["overall_status"], "PENDING");
    let id = stored(&world).await[0].id;
    world.settle(id, accepted(None)).await;
    assert_eq!(world.cs_get(&path).await.body["overall_status"], "ACTIVE");
}

/// The caller has the id from the 201, so the account is not deleted. It reports why it was refused.
#[tokio::test]
async fn what_was_pending_and_is_refused_is_disabled() {
    let world = World::with(IMPATIENT).await;
    let answer = world.cs_create(&account("kim")).await;
    world.settle(stored(&world).await[0].id, wrong_password()).await;
    let later = world.cs_get(&format!("{ACCOUNTS}/{}", text(&answer.body["inbox_id"]))).await;
    assert_eq!(
        (&later.body["overall_status"], &later.body["last_error"]),
        (&json!("DISABLED"), &json!("what to do about AUTH_BAD_CREDENTIALS"))
    );
    assert_eq!(world.usage().await, 1);
}

#[tokio::test]
async fn a_refused_account_leaves_nothing_and_says_what_to_do() {
    use FailureCode as C;
    let world = World::start().await;
    for (code, leg, stage, reply, expected) in [
        (
            C::AuthBadCredentials,
            Leg::Smtp,
            Stage::Auth,
            Some("535 5.7.8 Error: authentication failed"),
            "SMTP connection failed: what to do about AUTH_BAD_CREDENTIALS The server said: 535 5.7.8 Error: \
             authentication failed",
        ),
        (
            C::NetHostNotFound,
            Leg::Smtp,
            Stage::Resolve,
            None,
            "SMTP connection failed: what to do about NET_HOST_NOT_FOUND",
        ),
        (
            C::PolicyImapDisabled,
            Leg::Imap,
            Stage::Auth,
            Some("NO IMAP is off"),
            "IMAP connection failed: what to do about POLICY_IMAP_DISABLED The server said: NO IMAP is off",
        ),
    ] {
        let why = Finding { server_reply: reply.map(str::to_owned), ..finding(code, leg, stage) };
        let _verifier = world.verifier(refused(why));
        let answer = world.cs_create(&account("kim")).await;
        assert_eq!(answer.detail(), (400, expected));
        assert_eq!(answer.body.as_object().unwrap().len(), 1);
        assert_eq!((world.usage().await, stored(&world).await.len()), (0, 0));
    }
    // The same address is as good as new.
    let _verifier = world.verifier(accepted(None));
    assert_eq!(world.cs_create(&account("kim")).await.status, 201);
}

#[tokio::test]
async fn everything_optional_has_its_default() {
    let world = World::with(IMPATIENT).await;
    let answer = world.cs_create(&account("kim")).await;
    assert_eq!(stable(&answer)["daily_limit"], 100);
    let item = world.cs_get(&format!("{ACCOUNTS}/{}", text(&answer.body["inbox_id"]))).await.body;
    assert_eq!((&item["smtp_use_tls"], &item["imap_use_ssl"]), (&json!(true), &json!(true)));
}

/// Each server its own; passwords and names as they were sent.
#[tokio::test]
async fn credentials_are_kept_as_they_were_sent() {
    let world = World::with(IMPATIENT).await;
    let changes = json!({
        "smtp_username": " DOMAIN\\kim ", "smtp_password": " pässword \u{1F980} ", "imap_username": "kim",
        "imap_password": "x", "display_name": "  Kim ", "smtp_host": " SMTP.Out.Example ", "imap_host": "bücher.example",
    });
    let answer = world.cs_create(&changed(account("kim"), &changes)).await;
    assert_eq!(stable(&answer)["display_name"], "  Kim ");
    let job = world.store.verification_job(stored(&world).await[0].id).await.unwrap().unwrap();
    let (smtp, imap) = (&job.credentials.smtp, &job.credentials.imap);
    assert_eq!((smtp.username.as_str(), smtp.password.expose()), (" DOMAIN\\kim ", " pässword \u{1F980} "));
    assert_eq!((imap.username.as_str(), imap.password.expose()), ("kim", "x"));
    assert_eq!((job.mailbox.smtp.host(), job.mailbox.imap.host()), ("smtp.out.example", "xn--bcher-kva.example"));
    assert!(!job.mailbox.imap_guessed);
}

#[tokio::test]
async fn an_address_is_shown_as_it_was_sent_and_compared_whatever_the_case() {
    let world = World::with(IMPATIENT).await;
    let given = changed(account("kim"), &json!({"email_address": "  Kim.Vale@OUT.Example "}));
    let answer = world.cs_create(&given).await;
    assert_eq!(stable(&answer)["email_address"], "Kim.Vale@OUT.Example");
    let path = format!("{ACCOUNTS}/{}", text(&answer.body["inbox_id"]));
    assert_eq!(world.cs_get(&path).await.body["email_address"], "Kim.Vale@OUT.Example");
    assert_eq!(world.cs_get(ACCOUNTS).await.body["sender_accounts"][0]["email_address"], "Kim.Vale@OUT.Example");
    for again in ["kim.vale@out.example", "KIM.VALE@OUT.EXAMPLE"] {
        let answer = world.cs_create(&changed(account("kim"), &json!({"email_address": again}))).await;
        assert_eq!(answer.detail(), (409, "Email account already exists"));
    }
    let mailbox = &stored(&world).await[0];
    assert_eq!(mailbox.email.as_str(), "kim.vale@out.example");
    assert_eq!(world.usage().await, 1);
}

#[tokio::test]
async fn the_type_is_a_label_and_forces_nothing() {
    let world = World::with(IMPATIENT).await;
    for (kind, provider) in [
        ("GOOGLE_WORKSPACE", ProviderLabel::Gmail),
        ("OUTLOOK_365", ProviderLabel::Outlook),
        ("CUSTOM_SMTP", ProviderLabel::Custom),
    ] {
        let answer = world.cs_create(&changed(account(&kind.to_lowercase()), &json!({"inbox_type": kind}))).await;
        assert_eq!(stable(&answer)["inbox_type"], kind);
        assert_eq!(stored(&world).await[0].provider, provider);
    }
}

/// A provider's own limit does not bound the daily limit that a customer may set.
#[tokio::test]
async fn daily_limits_are_kept_as_they_were_sent() {
    let world = World::with(IMPATIENT).await;
    for (n, limit) in [1, 100, 101, 5_001, 10_000, 2_147_483_647].into_iter().enumerate() {
        let changes = json!({"daily_limit": limit, "inbox_type": "OUTLOOK_365"});
        let answer = world.cs_create(&changed(account(&format!("m{n}")), &changes)).await;
        assert_eq!(stable(&answer)["daily_limit"], limit);
    }
}

/// 422, then subscription, limit, duplicate.
#[tokio::test]
async fn refusals_in_their_order_and_their_words() {
    let world = World::with(IMPATIENT).await;
    assert_eq!(world.cs_create(&account("kim")).await.status, 201);
    let plan = async |active, max| {
        let plan = Plan { subscription_active: active, max_mailboxes: max };
        world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    };
    plan(false, Some(1)).await;
    let bad = changed(account("kim"), &json!({"smtp_port": 0}));
    assert_eq!(places(&world.cs_create(&bad).await), ["body.smtp_port"]);
    assert_eq!(world.cs_create(&account("kim")).await.detail(), (403, "Active subscription required"));
    plan(true, Some(1)).await;
    assert_eq!(world.cs_create(&account("kim")).await.detail(), (403, "Inbox limit reached for your plan"));
    plan(true, Some(2)).await;
    assert_eq!(world.cs_create(&account("kim")).await.detail(), (409, "Email account already exists"));
    plan(true, None).await;
    assert_eq!(world.cs_create(&account("zoe")).await.status, 201);
    assert_eq!(world.usage().await, 2);
}

#[tokio::test]
async fn the_same_address_may_be_in_another_team() {
    let world = World::with(IMPATIENT).await;
    let (_, other) = world.other_team().await;
    assert_eq!(world.cs_create(&account("kim")).await.status, 201);
    let call = world.client.call_with_key(reqwest::Method::POST, &format!("{ACCOUNTS}/smtp"), &other);
    assert_eq!(call.json(&account("kim")).send().await.status, 201);
}

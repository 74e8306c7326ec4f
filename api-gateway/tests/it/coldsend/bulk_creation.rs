//! `POST /sender-accounts/smtp/bulk` and the progress of its jobs.

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{FailureCode, Finding, ImportId};
use shared_models::events::{Event, LaneRef};
use shared_models::store::{NextRow, RowOutcome};

use super::{ACCOUNTS, account, changed, faults, is_time, is_uuid, new_mailbox, places, text, without};
use crate::client::Answer;
use crate::sendkit::settled::finding;
use crate::world::World;

async fn create(world: &World, inboxes: Vec<Value>) -> Answer {
    world.cs_post(&format!("{ACCOUNTS}/smtp/bulk"), &json!({"inboxes": inboxes})).await
}

/// The id of a job that was accepted with so many items.
fn accepted_job(answer: &Answer, total: usize) -> String {
    let expected = json!({
        "success": true, "message": "Bulk creation started", "total": total, "success_count": 0, "failed_count": 0,
        "job_id": answer.body["job_id"], "results": [],
    });
    assert_eq!((answer.status, &answer.body), (201, &expected));
    assert!(is_uuid(&answer.body["job_id"]));
    text(&answer.body["job_id"]).to_owned()
}

async fn progress(world: &World, job: &str) -> Value {
    let answer = world.cs_get(&format!("{ACCOUNTS}/smtp/bulk/{job}/progress")).await;
    assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{answer:?}");
    assert_eq!(answer.body["message"], "Job progress retrieved successfully");
    let mut job = answer.body["job"].clone();
    assert!(is_uuid(&job["job_id"]));
    assert!(is_time(&job.as_object_mut().unwrap().remove("started_at").unwrap()));
    job
}

/// The numbers of a job: status, percentage, processed, good, bad.
fn numbers(job: &Value) -> (&str, i64, i64, i64, i64) {
    let number = |name: &str| job[name].as_i64().unwrap();
    let counts = ["progress_percentage", "processed_count", "success_count", "failed_count"].map(number);
    (text(&job["status"]), counts[0], counts[1], counts[2], counts[3])
}

/// Does what a verifier would do with one lane.
struct Lane<'w> {
    world: &'w World,
    lane: LaneRef,
    next: NextRow,
}

impl<'w> Lane<'w> {
    async fn open(world: &'w World, import_id: ImportId) -> Self {
        let lane = LaneRef { import_id, workspace_id: world.workspace, lane: 0 };
        let next = world.store.next_import_row(lane).await.unwrap();
        Self { world, lane, next }
    }

    /// Settles the row at hand, which is about this address.
    async fn settle(&mut self, email: &str, outcome: RowOutcome) {
        let NextRow::Row(row) = &self.next else { panic!("no row for {email}") };
        assert_eq!(row.mailbox.email.as_str(), email);
        self.next = self.world.store.settle_import_row(self.lane, row.position, outcome).await.unwrap();
    }

    async fn close(self) {
        assert!(matches!(self.next, NextRow::Nothing), "{:?}", self.next);
        self.world.store.finish_import(self.lane).await.unwrap();
    }
}

/// Starts a job, and gives its UUID and its id.
async fn started(world: &World, inboxes: Vec<Value>) -> (String, ImportId) {
    let (total, mut news) = (inboxes.len(), world.store.news());
    let job = accepted_job(&create(world, inboxes).await, total);
    loop {
        if let Event::ImportLaneOpened(lane) = news.recv().await.unwrap() {
            return (job, lane.import_id);
        }
    }
}

#[tokio::test]
async fn a_job_from_its_beginning_to_its_end() {
    let world = World::start().await;
    world.active(new_mailbox("there")).await;
    let inboxes = vec![
        account("good"),
        account("bad"),
        account("there"),
        changed(account("x"), &json!({"email_address": " Fine@OUT.example "})),
        account("good"),
    ];
    let (job, id) = started(&world, inboxes).await;
    let result = |email: &str, inbox: Value, error: Value| json!({"email_address": email, "success": error.is_null(), "inbox_id": inbox, "error": error});
    let exists = || json!("Email account already exists");
    let there = result("there@out.example", Value::Null, exists());
    let again = result("good@out.example", Value::Null, exists());

    let before = progress(&world, &job).await;
    assert_eq!(before["results"], json!([there, again]), "what is settled is told at once");
    assert_eq!(numbers(&before), ("IN_PROGRESS", 40, 2, 0, 2));
    assert_eq!((&before["total_rows"], &before["completed_at"]), (&json!(5), &Value::Null));

    let mut lane = Lane::open(&world, id).await;
    lane.settle("good@out.example", RowOutcome::Accepted).await;
    let why = finding(FailureCode::AuthBadCredentials, Leg::Smtp, Stage::Auth);
    let why = Finding { server_reply: Some("535 no".to_owned()), ..why };
    lane.settle("bad@out.example", RowOutcome::Refused(why)).await;
    let good = result("good@out.example", json!(world.uuid_of("good").await), Value::Null);
    let bad = "SMTP connection failed: what to do about AUTH_BAD_CREDENTIALS The server said: 535 no";
    let bad = result("bad@out.example", Value::Null, json!(bad));
    let middle = progress(&world, &job).await;
    assert_eq!(numbers(&middle), ("IN_PROGRESS", 80, 4, 1, 3));
    assert_eq!(middle["results"], json!([good, bad, there, again]), "in the order of the request");

    lane.settle("fine@out.example", RowOutcome::Accepted).await;
    assert_eq!(numbers(&progress(&world, &job).await).1, 99, "done is done when the job says so");
    lane.close().await;
    let fine = result("Fine@OUT.example", json!(world.uuid_of("fine").await), Value::Null);
    let end = progress(&world, &job).await;
    assert_eq!(numbers(&end), ("COMPLETED", 100, 5, 2, 3));
    assert_eq!(end["results"], json!([good, bad, there, fine, again]));
    assert!(is_time(&end["completed_at"]));
    assert_eq!(world.usage().await, 3);
    let made = world.cs_get(&format!("{ACCOUNTS}/{}", world.uuid_of("fine").await)).await;
    assert_eq!(
        (&made.body["overall_status"], &made.body["email_address"]),
        (&json!("ACTIVE"), &json!("Fine@OUT.example"))
    );
}

#[tokio::test]
async fn nothing_is_processed_at_first_and_all_may_fail() {
    let world = World::start().await;
    let (job, id) = started(&world, vec![account("a"), account("b")]).await;
    let before = progress(&world, &job).await;
    assert_eq!((numbers(&before), &before["results"]), (("PENDING", 0, 0, 0, 0), &json!([])));
    assert_eq!(world.usage().await, 0);
    let mut lane = Lane::open(&world, id).await;
    let why = || finding(FailureCode::PolicyImapDisabled, Leg::Imap, Stage::Auth);
    lane.settle("a@out.example", RowOutcome::Refused(why())).await;
    lane.settle("b@out.example", RowOutcome::Refused(why())).await;
    lane.close().await;
    let end = progress(&world, &job).await;
    assert_eq!(numbers(&end), ("COMPLETED", 100, 2, 0, 2));
    assert_eq!(end["results"][1]["error"], "IMAP connection failed: what to do about POLICY_IMAP_DISABLED");
    assert_eq!((world.usage().await, world.cs_get(ACCOUNTS).await.body["pagination"]["total"].clone()), (0, json!(0)));
}

/// Nothing is left to do, so it is done when it is answered.
#[tokio::test]
async fn a_job_of_known_addresses_is_completed_at_once() {
    let world = World::start().await;
    world.active(new_mailbox("kim")).await;
    let job = accepted_job(&create(&world, vec![account("kim"), account("KIM")]).await, 2);
    let done = progress(&world, &job).await;
    assert_eq!(numbers(&done), ("COMPLETED", 100, 2, 0, 2));
    assert_eq!(done["results"][1]["email_address"], "KIM@out.example");
}

#[tokio::test]
async fn the_plan_is_asked_before_anything_is_stored() {
    let world = World::start().await;
    let plan = async |active, max| {
        let plan = Plan { subscription_active: active, max_mailboxes: max };
        world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    };
    plan(false, None).await;
    assert_eq!(create(&world, vec![account("a")]).await.detail(), (403, "Active subscription required"));
    plan(true, Some(1)).await;
    let full = create(&world, vec![account("a"), account("b")]).await;
    assert_eq!(full.detail(), (403, "Inbox limit reached for your plan"));
    let (job, id) = started(&world, vec![account("a")]).await;
    plan(true, Some(0)).await;
    let mut lane = Lane::open(&world, id).await;
    lane.settle("a@out.example", RowOutcome::Accepted).await;
    lane.close().await;
    let end = progress(&world, &job).await;
    assert_eq!(end["results"][0]["error"], "Inbox limit reached for your plan", "it was reached meanwhile");
    assert_eq!(world.usage().await, 0);
}

#[tokio::test]
async fn lists_of_the_wrong_length_or_type() {
    let world = World::start().await;
    let few = "ensure this value has at least 1 items";
    let many = "ensure this value has at most 100 items";
    for (body, msg, kind, ctx) in [
        (json!({}), "field required", "value_error.missing", Value::Null),
        (json!({"inboxes": null}), "none is not an allowed value", "type_error.none.not_allowed", Value::Null),
        (json!({"inboxes": {}}), "value is not a valid list", "type_error.list", Value::Null),
        (json!({"inboxes": "x"}), "value is not a valid list", "type_error.list", Value::Null),
        (json!({"inboxes": account("kim")}), "value is not a valid list", "type_error.list", Value::Null),
        (json!({"inboxes": []}), few, "value_error.list.min_items", json!({"limit_value": 1})),
        (json!({"inboxes": vec![json!({}); 101]}), many, "value_error.list.max_items", json!({"limit_value": 100})),
    ] {
        let answer = world.cs_post(&format!("{ACCOUNTS}/smtp/bulk"), &body).await;
        assert_eq!(faults(&answer), [(json!(["body", "inboxes"]), msg, kind)]);
        assert_eq!(answer.body["detail"][0].get("ctx").unwrap_or(&Value::Null), &ctx);
    }
    accepted_job(&create(&world, (0..100).map(|n| account(&format!("m{n}"))).collect()).await, 100);
}

/// One bad item, and nothing is started.
#[tokio::test]
async fn every_fault_of_every_item_is_told_with_its_place() {
    let world = World::start().await;
    let inboxes = vec![
        account("good"),
        changed(account("a"), &json!({"smtp_port": 0, "email_address": "nobody"})),
        json!(null),
        json!("text"),
        without(account("b"), "imap_password"),
        json!([]),
    ];
    let answer = create(&world, inboxes).await;
    let place = |steps: &[Value]| Value::Array([&[json!("body"), json!("inboxes")], steps].concat());
    let expected = [
        (place(&[json!(1), json!("email_address")]), "value is not a valid email address", "value_error.email"),
        (
            place(&[json!(1), json!("smtp_port")]),
            "ensure this value is greater than or equal to 1",
            "value_error.number.not_ge",
        ),
        (place(&[json!(2)]), "none is not an allowed value", "type_error.none.not_allowed"),
        (place(&[json!(3)]), "value is not a valid dict", "type_error.dict"),
        (place(&[json!(4), json!("imap_password")]), "field required", "value_error.missing"),
        (place(&[json!(5)]), "value is not a valid dict", "type_error.dict"),
    ];
    assert_eq!(faults(&answer), expected);
    assert_eq!(world.cs_get(ACCOUNTS).await.body["pagination"]["total"], 0);
    let planted = changed(account("a"), &json!({"smtp_password": "planted\n"}));
    let answer = create(&world, vec![planted]).await;
    assert_eq!(places(&answer), ["body.inboxes.0.smtp_password"]);
    assert!(!answer.body.to_string().contains("planted"));
}

#[tokio::test]
async fn a_job_is_its_teams_own_and_no_other_thing() {
    let world = World::start().await;
    let (_, other) = world.other_team().await;
    let job = accepted_job(&create(&world, vec![account("kim")]).await, 1);
    let path = format!("{ACCOUNTS}/smtp/bulk/{job}/progress");
    let foreign = world.client.call_with_key(Method::GET, &path, &other).send().await;
    assert_eq!(foreign.detail(), (404, "Job not found"));
    let as_deletion = world.cs_get(&format!("{ACCOUNTS}/bulk/delete/{job}/progress")).await;
    assert_eq!(as_deletion.detail(), (404, "Job not found"));
    assert_eq!(world.cs_get(&format!("{ACCOUNTS}/{job}")).await.detail(), (404, "Sender account not found"));
    world.active(new_mailbox("zoe")).await;
    let inbox = world.uuid_of("zoe").await;
    let as_job = world.cs_get(&format!("{ACCOUNTS}/smtp/bulk/{inbox}/progress")).await;
    assert_eq!(as_job.detail(), (404, "Job not found"));
}

#[tokio::test]
async fn no_secret_is_told() {
    let world = World::start().await;
    let (job, id) = started(&world, vec![account("kim")]).await;
    let mut lane = Lane::open(&world, id).await;
    lane.settle("kim@out.example", RowOutcome::Accepted).await;
    lane.close().await;
    let told = progress(&world, &job).await.to_string();
    for secret in ["sesame", "-login", "smtp.out", "imap.out"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

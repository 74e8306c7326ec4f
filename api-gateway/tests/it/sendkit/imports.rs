//! Uploads: the form, the file, the plan, and the reports on an import while it runs and afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use shared_models::domain::diagnosis::{Leg, Stage};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{FailureCode, ImportId};
use shared_models::events::{BULK_VERIFIER_QUEUE, Envelope, Event};
use shared_models::store::{NextRow, RowOutcome, Store};

use super::settled::finding;
use crate::client::{Answer, Call};
use crate::world::{World, minimal};

const PATH: &str = "/v1/mailboxes/import/smtp";
const FORM: &str = "multipart/form-data; boundary=b0undary";
const GOOD: &str = "email,password,smtphost,imaphost\ndana@mail.example,s3cret,smtp.mail.example,imap.mail.example\n";

fn form(file: &[u8], texts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in texts {
        let part = format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        b"--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\nContent-Type: text/csv\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b0undary--\r\n");
    body
}

fn upload(world: &World, file: &[u8], texts: &[(&str, &str)]) -> Call {
    world.call(Method::POST, PATH).raw(Some(FORM), form(file, texts))
}

/// Works off whatever is imported, as the verifier would: the address decides what its server says.
struct Worker(tokio::task::JoinHandle<()>);

impl Worker {
    fn start(store: &Store) -> Self {
        let store = store.clone();
        let signal = store.queue_signal(BULK_VERIFIER_QUEUE);
        Self(tokio::spawn(async move {
            loop {
                for message in store.claim_messages(BULK_VERIFIER_QUEUE, 100, Duration::from_secs(60)).await.unwrap() {
                    work(&store, &Envelope::parse(message.envelope.as_bytes()).unwrap().event).await;
                    store.ack_message(&message).await.unwrap();
                }
                let _ = tokio::time::timeout(Duration::from_millis(100), signal.notified()).await;
            }
        }))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn work(store: &Store, event: &Event) {
    let Event::ImportLaneOpened(lane) = *event else { return };
    let mut next = store.next_import_row(lane).await.unwrap();
    loop {
        next = match next {
            NextRow::Row(job) if job.mailbox.email.as_str().starts_with("refused") => {
                let refused = finding(FailureCode::AuthBadCredentials, Leg::Smtp, Stage::Auth);
                store.settle_import_row(lane, job.position, RowOutcome::Refused(refused)).await.unwrap()
            }
            NextRow::Row(job) => store.settle_import_row(lane, job.position, RowOutcome::Accepted).await.unwrap(),
            NextRow::NotBefore(_) => store.next_import_row(lane).await.unwrap(),
            NextRow::Nothing => return store.finish_import(lane).await.unwrap(),
        };
    }
}

fn counts(answer: &Answer) -> [i64; 3] {
    ["imported", "skipped", "failed"].map(|member| answer.data()[member].as_i64().unwrap())
}

#[tokio::test]
async fn an_answer_tells_what_became_of_each_row() {
    let world = World::start().await;
    let _worker = Worker::start(&world.store);
    world.add(&minimal("known")).await;
    let file = "email,password,smtphost,imaphost,smtpport\n\
        dana@mail.example,s3cret,smtp.mail.example,imap.mail.example,\n\
        refused@mail.example,s3cret,smtp.mail.example,imap.mail.example,\n\
        known@mail.example,s3cret,smtp.mail.example,imap.mail.example,\n\
        Dana@mail.example,s3cret,smtp.mail.example,imap.mail.example,\n\
        kim@mail.example,,smtp.mail.example,imap.mail.example,\n\
        otto@mail.example,s3cret,smtp.mail.example,imap.mail.example,70000\n";
    let answer = upload(&world, file.as_bytes(), &[("tag", "spring")]).send().await;
    assert_eq!((answer.status, counts(&answer)), (200, [1, 2, 3]));
    let told: Vec<(&str, &str, &str)> = answer.data()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| ["email", "error", "code"].map(|member| error[member].as_str().unwrap()).into())
        .collect();
    assert_eq!(
        told,
        [
            ("refused@mail.example", "Authentication failed. Check username/password.", "AUTH_BAD_CREDENTIALS"),
            ("kim@mail.example", "Missing SMTP host or password", "CFG_FIELD_MISSING"),
            ("otto@mail.example", "Invalid port", "CFG_PORT_INVALID"),
        ]
    );
    let members: Vec<&String> = answer.data().as_object().unwrap().keys().collect();
    assert_eq!(members, ["errors", "failed", "imported", "skipped"], "and nothing else");
    assert_eq!(world.usage().await, 2);

    let listed = world.get("/v1/mailboxes?status=active&tags=spring").await;
    let [item] = &listed.data().as_array().unwrap()[..] else { panic!("{listed:?}") };
    let detail = world.get(&format!("/v1/mailboxes/{}", item["_id"].as_str().unwrap())).await;
    let detail = detail.data();
    for (member, expected) in [
        ("email", json!("dana@mail.example")),
        ("displayName", json!("dana")),
        ("provider", json!("custom")),
        ("status", json!("active")),
        ("sendingEnabled", json!(true)),
        ("dailySendLimit", json!(15)),
        ("signature", json!(null)),
        ("tags", json!(["spring"])),
        ("smtpHost", json!("smtp.mail.example")),
        ("smtpPort", json!(587)),
        ("smtpSecure", json!(false)),
        ("imapPort", json!(993)),
        ("imapSecure", json!(true)),
    ] {
        assert_eq!(detail[member], expected, "{member}");
    }
    let test = world.get(&format!("/v1/mailboxes/{}/connection-test", item["_id"].as_str().unwrap())).await;
    assert_eq!(test.data(), &json!({"status": "passed"}));

    let id = answer.headers["x-import-id"].to_str().unwrap();
    let again = world.get(&format!("/v1/mailboxes/import/{id}")).await;
    for member in ["imported", "skipped", "failed", "errors"] {
        assert_eq!(again.data()[member], answer.data()[member], "{member}");
    }
    assert_eq!((&again.data()["status"], &again.data()["total"]), (&json!("finished"), &json!(6)));
}

#[tokio::test]
async fn a_client_may_prefer_not_to_wait() {
    let world = World::start().await;
    for (wish, tag) in [("respond-async", "a"), ("wait=10, Respond-Async", "b"), ("respond-async; x=1", "c")] {
        let file = GOOD.replace("dana", tag);
        let answer = upload(&world, file.as_bytes(), &[]).header("Prefer", wish).send().await;
        assert_eq!((answer.status, &answer.data()["status"]), (202, &json!("running")), "{wish}");
        let id = answer.data()["importId"].as_str().unwrap();
        assert_eq!(answer.headers["location"], format!("/v1/mailboxes/import/{id}"));
        assert_eq!(answer.headers["x-import-id"], id);
        assert_eq!(answer.headers["preference-applied"], "respond-async");
        let progress = world.get(&format!("/v1/mailboxes/import/{id}")).await;
        assert_eq!((counts(&progress), &progress.data()["processed"]), ([0, 0, 0], &json!(0)));
    }
    let _worker = Worker::start(&world.store);
    let answer = upload(&world, GOOD.as_bytes(), &[]).header("Prefer", "return=minimal").send().await;
    assert_eq!((answer.status, counts(&answer)), (200, [1, 0, 0]));
}

#[tokio::test]
async fn forms_are_read_strictly() {
    let world = World::start().await;
    let refused = async |content_type: Option<&str>, body: Vec<u8>, status: u16, code: &str, text: &str| {
        let answer = world.call(Method::POST, PATH).raw(content_type, body).send().await;
        answer.is_failure(status, code);
        assert!(answer.failure().2.contains(text), "{answer:?}");
    };
    let good = || form(GOOD.as_bytes(), &[]);
    refused(None, good(), 415, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data").await;
    refused(Some("application/json"), b"{}".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data").await;
    refused(Some("text/csv"), GOOD.into(), 415, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data").await;
    refused(Some("multipart/form-data"), good(), 400, "VALIDATION_ERROR", "boundary").await;
    refused(Some(FORM), b"no form at all".to_vec(), 400, "VALIDATION_ERROR", "form").await;
    let without_file = b"--b0undary\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\nx\r\n--b0undary--\r\n";
    refused(Some(FORM), without_file.to_vec(), 400, "VALIDATION_ERROR", "file").await;
    let big = vec![b'x'; 2 * 1024 * 1024 + 1];
    refused(Some(FORM), form(&big, &[]), 413, "PAYLOAD_TOO_LARGE", "larger").await;
    for (texts, field) in [
        (("skipConnectionTest", "yes"), "skipConnectionTest"),
        (("tag", "two\nlines"), "tag"),
        (("tag", &*"x".repeat(101)), "tag"),
    ] {
        assert_eq!(upload(&world, GOOD.as_bytes(), &[texts]).send().await.bad_fields(), [field]);
    }
    let both = upload(&world, b"", &[("skipConnectionTest", "maybe")]).send().await;
    assert_eq!(both.bad_fields(), ["skipConnectionTest", "file"]);
    let count = world.get("/v1/mailboxes").await.body["pagination"]["total"].clone();
    assert_eq!(count, 0);
}

/// The expected rows in `expected.json`, by file.
fn table() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../libs/use-cases/tests/fixtures/accounts");
    serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap()
}

/// imported, skipped and failed as they follow from the rows of a file.
fn expected_counts(rows: &[Value]) -> [i64; 3] {
    let mut seen = std::collections::BTreeSet::new();
    let mut counts = [0; 3];
    for row in rows {
        let email = row["email"].as_str().unwrap().to_lowercase();
        let repeated = !email.is_empty() && !seen.insert(email);
        counts[if repeated { 1 } else { 2 * usize::from(row.get("error").is_some()) }] += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn files_as_the_world_makes_them() {
    let world = World::start().await;
    let _worker = Worker::start(&world.store);
    let table = table();
    assert!(table.len() >= 60, "{} files", table.len());
    let mut secrets = vec![];
    for (name, expected) in &table {
        let workspace = world.store.create_workspace(world.owner, name).await.unwrap().id;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../libs/use-cases/tests/fixtures/accounts");
        let file = std::fs::read(folder.join(name)).unwrap();
        let answer = world
            .platform(Method::POST, PATH)
            .header("X-Workspace-Id", &workspace.to_string())
            .raw(Some(FORM), form(&file, &[("skipConnectionTest", "true")]))
            .send()
            .await;
        let Some(rows) = expected.get("rows").and_then(Value::as_array) else {
            assert_eq!(answer.bad_fields(), ["file"], "{name}");
            continue;
        };
        assert_eq!((answer.status, counts(&answer)), (200, expected_counts(rows)), "{name}: {answer:?}");
        let told = answer.data()["errors"].as_array().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        let failing = rows.iter().filter(|row| {
            let email = row["email"].as_str().unwrap().to_lowercase();
            (email.is_empty() || seen.insert(email)) && row.get("error").is_some()
        });
        let wanted: Vec<[&Value; 3]> = failing.map(|row| [&row["email"], &row["error"], &row["code"]]).collect();
        let got: Vec<[&Value; 3]> =
            told.iter().map(|error| [&error["email"], &error["error"], &error["code"]]).collect();
        assert_eq!(got, wanted, "{name}");
        secrets.extend(
            rows.iter().filter_map(|row| row["password"].as_str()).filter(|text| text.len() > 5).map(str::to_owned),
        );
        let answer = answer.body.to_string();
        assert!(!secrets.iter().any(|secret| answer.contains(secret)), "{name}: {answer}");
    }
}

#[tokio::test]
async fn the_plan_decides_over_the_whole_file() {
    let world = World::start().await;
    world.add(&minimal("known")).await;
    let set = async |subscription_active, max_mailboxes| {
        let plan = Plan { subscription_active, max_mailboxes };
        world.store.set_plan("dana@tenant.example", plan).await.unwrap();
    };
    let file: String =
        ["known", "a", "b", "a"].map(|name| GOOD.lines().nth(1).unwrap().replace("dana", name) + "\n").concat();
    let file = format!("{}\n{file}kim@mail.example,,,\n", GOOD.lines().next().unwrap());
    set(true, Some(2)).await;
    let answer = upload(&world, file.as_bytes(), &[]).send().await;
    answer.is_failure(403, "LIMIT_REACHED");
    let error = &answer.body["error"];
    assert_eq!(
        [&error["currentUsage"], &error["maxMailboxes"], &error["requested"]],
        [&json!(1), &json!(2), &json!(2)]
    );
    set(false, None).await;
    upload(&world, file.as_bytes(), &[]).send().await.is_failure(403, "SUBSCRIPTION_REQUIRED");
    // The body is judged before the plan.
    assert_eq!(upload(&world, b"", &[]).send().await.bad_fields(), ["file"]);
    set(true, Some(3)).await;
    let _worker = Worker::start(&world.store);
    let answer = upload(&world, file.as_bytes(), &[]).send().await;
    assert_eq!((counts(&answer), world.usage().await), ([2, 2, 1], 3));
}

#[tokio::test]
async fn five_hundred_rows_and_not_one_more() {
    let world = World::start().await;
    let file = |rows: usize| {
        let row = |n: usize| GOOD.lines().nth(1).unwrap().replace("dana", &format!("user{n}")) + "\n";
        format!("{}\n{}", GOOD.lines().next().unwrap(), (0..rows).map(row).collect::<String>())
    };
    let answer = upload(&world, file(501).as_bytes(), &[]).send().await;
    assert_eq!(answer.bad_fields(), ["file"]);
    assert!(answer.failure().2.contains("501"), "{answer:?}");
    let answer = upload(&world, file(500).as_bytes(), &[]).header("Prefer", "respond-async").send().await;
    assert_eq!(answer.data()["total"], 500);
}

#[tokio::test]
async fn the_failed_rows_come_back_as_a_file() {
    let world = World::start().await;
    let _worker = Worker::start(&world.store);
    let file = "email,password,smtphost,imaphost,displayname\n\
        dana@mail.example,s3cret-one,smtp.mail.example,imap.mail.example,Dana\n\
        refused@mail.example,s3cret-two,smtp.mail.example,imap.mail.example,=cmd()\n\
        kim@mail.example,s3cret-three,,imap.mail.example,Kim\n";
    let answer = upload(&world, file.as_bytes(), &[]).send().await;
    assert_eq!(counts(&answer), [1, 0, 2]);
    let id = answer.headers["x-import-id"].to_str().unwrap();
    let (headers, text) = world.call(Method::GET, &format!("/v1/mailboxes/import/{id}/failed.csv")).text().await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(headers["content-disposition"], format!("attachment; filename=\"failed-{id}.csv\""));
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("email,password,smtphost,") && lines[0].ends_with("code,error,remedy"), "{text}");
    assert!(lines[1].starts_with("refused@mail.example,,smtp.mail.example,"), "{text}");
    assert!(lines[1].contains("'=cmd()") && lines[1].contains("AUTH_BAD_CREDENTIALS"), "{text}");
    assert!(lines[2].starts_with("kim@mail.example,,,"), "{text}");
    assert!(!text.contains("s3cret"));

    let corrected = text.replace("refused@mail.example,,", "better@mail.example,s3cret,");
    let again = upload(&world, corrected.as_bytes(), &[]).send().await;
    assert_eq!(counts(&again), [1, 0, 1], "{again:?}");

    let (headers, template) = world.call(Method::GET, "/v1/mailboxes/import/template.csv").text().await;
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    let example = upload(&world, template.as_bytes(), &[]).send().await;
    assert_eq!(counts(&example)[2], 0, "the template is a good file");
}

#[tokio::test]
async fn imports_belong_to_their_workspace() {
    let world = World::start().await;
    let answer = upload(&world, GOOD.as_bytes(), &[]).header("Prefer", "respond-async").send().await;
    let id = answer.data()["importId"].as_str().unwrap().to_owned();
    let (_, stranger) = world.stranger().await;
    for (key, id) in [(&stranger, id.as_str()), (&world.key, &ImportId::new().to_string()), (&world.key, "nonsense")] {
        for rest in ["", "/events", "/failed.csv"] {
            let path = format!("/v1/mailboxes/import/{id}{rest}");
            world.client.call_with_key(Method::GET, &path, key).send().await.is_failure(404, "NOT_FOUND");
        }
    }
    world
        .client
        .call(Method::POST, PATH)
        .raw(Some(FORM), form(GOOD.as_bytes(), &[]))
        .send()
        .await
        .is_failure(401, "UNAUTHORIZED");
    world
        .platform(Method::POST, PATH)
        .raw(Some(FORM), form(GOOD.as_bytes(), &[]))
        .send()
        .await
        .is_failure(400, "VALIDATION_ERROR");
}

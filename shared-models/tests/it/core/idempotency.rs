//! Idempotency keys: a request is executed once.

use shared_models::domain::sending_domains::{DomainMode, NewDomain};
use shared_models::domain::{CoreError, MailDomain, Timestamp, WorkspaceId};
use shared_models::store::{Begun, PendingAnswer, RepeatableRequest, Store, StoredAnswer, Ticket};
use zeroize::Zeroizing;

use crate::core::races::at_once;
use crate::support::database::{KEY, TestDatabase};
use crate::support::tenant::Tenant;

contract!(
    the_first_request_is_executed_and_the_others_get_its_answer,
    names_count_within_workspace_and_endpoint,
    another_content_is_another_request,
    one_of_many_at_once_is_the_first,
    a_failed_request_leaves_its_name_free,
    a_record_whose_holder_died_is_taken_over,
    of_many_heirs_one_takes_over,
    a_restart_of_the_only_process_ends_what_it_held,
    a_renewed_lease_keeps_the_others_away,
    a_holder_that_was_taken_over_stores_nothing,
    data_and_answer_are_stored_together_or_not_at_all,
    an_answer_that_is_stored_is_not_given_up,
    nothing_readable_is_stored,
    a_key_that_sealed_an_answer_is_still_needed,
    after_a_day_it_is_forgotten,
);

const ENDPOINT: &str = "POST /api/v1/things";

fn request(workspace: WorkspaceId, key: &str, content: &str) -> RepeatableRequest {
    let content = Zeroizing::new(content.as_bytes().to_vec());
    RepeatableRequest { workspace, endpoint: ENDPOINT, key: key.to_owned(), content }
}

async fn begin(tenant: &Tenant, key: &str, content: &str) -> Begun {
    tenant.store.begin_once(request(tenant.workspace, key, content)).await.unwrap()
}

async fn first(tenant: &Tenant, key: &str, content: &str) -> Ticket {
    match begin(tenant, key, content).await {
        Begun::First(ticket) => ticket,
        other => panic!("{}", name(&other)),
    }
}

fn name(begun: &Begun) -> &'static str {
    match begun {
        Begun::First(_) => "first",
        Begun::Answered(_) => "answered",
        Begun::UnderWay => "under way",
        Begun::OtherContent => "other content",
    }
}

async fn outcome_of(tenant: &Tenant, key: &str, content: &str) -> &'static str {
    name(&begin(tenant, key, content).await)
}

fn answer(word: &str) -> StoredAnswer {
    StoredAnswer {
        status: 201,
        location: Some(format!("/things/{word}")),
        request_id: "req_one".to_owned(),
        body: Zeroizing::new(format!("{{\"secret\":\"{word}\"}}")),
    }
}

fn is_answered(begun: &Begun, word: &str) {
    let Begun::Answered(found) = begun else { panic!("{}", name(begun)) };
    let expected = answer(word);
    assert_eq!((found.status, &found.location), (expected.status, &expected.location));
    assert_eq!((&found.request_id, &found.body), (&expected.request_id, &expected.body));
}

/// As if the holder's process had died longer ago than a lease lasts.
fn kill_holder(database: &TestDatabase) {
    database.execute("UPDATE idempotency_records SET lease_ends_at = lease_ends_at - 30001");
}

/// Work that is done together with its answer.
async fn add_domain(
    store: &Store,
    workspace: WorkspaceId,
    ticket: &Ticket,
    domain: &'static str,
) -> Result<(), CoreError> {
    let pending = PendingAnswer::kept(ticket.clone(), move |_| Ok(answer(domain)));
    let new = NewDomain { name: MailDomain::parse(domain).unwrap(), mode: DomainMode::SendOnly };
    store.create_domain(workspace, new, pending).await.map(drop)
}

async fn the_first_request_is_executed_and_the_others_get_its_answer(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    assert_eq!(outcome_of(&tenant, "k", "body").await, "under way");
    tenant.store.answer_once(&ticket, answer("gold")).await.unwrap();
    for _ in 0..2 {
        is_answered(&begin(&tenant, "k", "body").await, "gold");
    }
    // Another process with the same database.
    let other = Tenant { store: database.open().await, ..tenant };
    is_answered(&begin(&other, "k", "body").await, "gold");
    assert_eq!(database.count("idempotency_records"), 1);
}

async fn names_count_within_workspace_and_endpoint(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    tenant.store.answer_once(&ticket, answer("gold")).await.unwrap();
    for key in ["K", "k2", "kk", "ключ", "k:", &"k".repeat(255)] {
        assert_eq!(outcome_of(&tenant, key, "body").await, "first", "{key}");
    }
    assert_eq!(outcome_of(&tenant.sibling().await, "k", "body").await, "first");
    let elsewhere = RepeatableRequest { endpoint: "POST /api/v1/others", ..request(tenant.workspace, "k", "body") };
    assert_eq!(name(&tenant.store.begin_once(elsewhere).await.unwrap()), "first");
}

async fn another_content_is_another_request(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    for content in ["body ", "", "Body"] {
        assert_eq!(outcome_of(&tenant, "k", content).await, "other content");
    }
    tenant.store.answer_once(&ticket, answer("gold")).await.unwrap();
    assert_eq!(outcome_of(&tenant, "k", "other").await, "other content");
    is_answered(&begin(&tenant, "k", "body").await, "gold");
}

async fn one_of_many_at_once_is_the_first(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let other = Tenant { store: database.open().await, ..tenant.clone() };
    for key in ["k1", "k2", "k3"] {
        let answers = at_once((0..50).map(|n| {
            let tenant = if n % 2 == 0 { tenant.clone() } else { other.clone() };
            async move { outcome_of(&tenant, key, "body").await }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| **answer == "first").count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == "under way").count(), 49);
    }
}

async fn a_failed_request_leaves_its_name_free(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    tenant.store.give_up_once(&ticket).await.unwrap();
    tenant.store.give_up_once(&ticket).await.unwrap();
    let second = first(&tenant, "k", "another body").await;
    tenant.store.give_up_once(&ticket).await.unwrap();
    assert_eq!(outcome_of(&tenant, "k", "another body").await, "under way", "it is not the first one's any more");
    tenant.store.answer_once(&second, answer("gold")).await.unwrap();
    is_answered(&begin(&tenant, "k", "another body").await, "gold");
}

async fn a_record_whose_holder_died_is_taken_over(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    first(&tenant, "k", "body").await;
    // The one process of a SQLite file would take the record for one from before its start.
    if let TestDatabase::Postgres(_) = database {
        database.execute("UPDATE idempotency_records SET lease_ends_at = lease_ends_at - 25000");
    }
    assert_eq!(outcome_of(&tenant, "k", "body").await, "under way");
    kill_holder(&database);
    let heir = first(&tenant, "k", "body").await;
    assert_eq!(outcome_of(&tenant, "k", "body").await, "under way");
    tenant.store.answer_once(&heir, answer("gold")).await.unwrap();
    kill_holder(&database);
    is_answered(&begin(&tenant, "k", "body").await, "gold");
}

async fn of_many_heirs_one_takes_over(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    first(&tenant, "k", "body").await;
    kill_holder(&database);
    let other = Tenant { store: database.open().await, ..tenant.clone() };
    let answers = at_once((0..20).map(|n| {
        let tenant = if n % 2 == 0 { tenant.clone() } else { other.clone() };
        async move { outcome_of(&tenant, "k", "body").await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| **answer == "first").count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| **answer == "under way").count(), 19);
}

async fn a_restart_of_the_only_process_ends_what_it_held(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    first(&tenant, "k", "body").await;
    let done = first(&tenant, "k2", "body").await;
    tenant.store.answer_once(&done, answer("gold")).await.unwrap();
    let begun_at = Timestamp::now();
    while Timestamp::now() <= begun_at {
        tokio::task::yield_now().await;
    }
    let other = Tenant { store: database.open().await, ..tenant.clone() };
    // Around a PostgreSQL any other process may be alive.
    let expected = if matches!(database, TestDatabase::Sqlite(_)) { "first" } else { "under way" };
    assert_eq!(outcome_of(&other, "k", "body").await, expected);
    assert_eq!(outcome_of(&other, "k", "body").await, "under way");
    is_answered(&begin(&other, "k2", "body").await, "gold");
}

async fn a_renewed_lease_keeps_the_others_away(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    kill_holder(&database);
    tenant.store.renew_lease(&ticket).await.unwrap();
    assert_eq!(outcome_of(&tenant, "k", "body").await, "under way");
    kill_holder(&database);
    let heir = first(&tenant, "k", "body").await;
    // The old holder wakes up again.
    tenant.store.renew_lease(&ticket).await.unwrap();
    kill_holder(&database);
    tenant.store.renew_lease(&ticket).await.unwrap();
    assert_eq!(outcome_of(&tenant, "k", "body").await, "first", "it renewed nothing");
    assert!(tenant.store.answer_once(&heir, answer("iron")).await.is_err());
}

async fn a_holder_that_was_taken_over_stores_nothing(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let frozen = first(&tenant, "k", "body").await;
    kill_holder(&database);
    let heir = first(&tenant, "k", "body").await;
    let late = tenant.store.answer_once(&frozen, answer("iron")).await;
    assert!(matches!(late, Err(CoreError::Unavailable { .. })), "{late:?}");
    let late = add_domain(&tenant.store, tenant.workspace, &frozen, "frozen.example").await;
    assert!(matches!(late, Err(CoreError::Unavailable { .. })), "{late:?}");
    assert_eq!(database.count("sending_domains"), 0, "what it did is undone");
    add_domain(&tenant.store, tenant.workspace, &heir, "heir.example").await.unwrap();
    let late = add_domain(&tenant.store, tenant.workspace, &frozen, "frozen.example").await;
    assert!(late.is_err());
    tenant.store.give_up_once(&frozen).await.unwrap();
    is_answered(&begin(&tenant, "k", "body").await, "heir.example");
    assert_eq!(database.count("sending_domains"), 1);
}

async fn data_and_answer_are_stored_together_or_not_at_all(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    add_domain(&tenant.store, tenant.workspace, &ticket, "one.example").await.unwrap();
    // The process dies here: nobody stores the answer again.
    is_answered(&begin(&tenant, "k", "body").await, "one.example");
    tenant.store.answer_once(&ticket, answer("iron")).await.unwrap();
    is_answered(&begin(&tenant, "k", "body").await, "one.example");

    let ticket = first(&tenant, "k2", "body").await;
    let taken = add_domain(&tenant.store, tenant.workspace, &ticket, "one.example").await;
    assert!(matches!(taken, Err(CoreError::AlreadyExists)), "{taken:?}");
    assert_eq!(outcome_of(&tenant, "k2", "body").await, "under way");
    let unanswerable = PendingAnswer::kept(ticket, |_| Err(CoreError::Internal("planted".to_owned())));
    let new = NewDomain { name: MailDomain::parse("two.example").unwrap(), mode: DomainMode::SendOnly };
    assert!(tenant.store.create_domain(tenant.workspace, new, unanswerable).await.is_err());
    assert_eq!(database.count("sending_domains"), 1);
}

async fn an_answer_that_is_stored_is_not_given_up(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "body").await;
    add_domain(&tenant.store, tenant.workspace, &ticket, "one.example").await.unwrap();
    // The caller got the error of a database that did not answer in time, although it had committed.
    tenant.store.give_up_once(&ticket).await.unwrap();
    is_answered(&begin(&tenant, "k", "body").await, "one.example");
}

async fn nothing_readable_is_stored(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let ticket = first(&tenant, "k", "sesame").await;
    tenant.store.answer_once(&ticket, answer("smx_mbx_gold")).await.unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let hash = ring::digest::digest(&ring::digest::SHA256, b"sesame");
    let stored = database.dump("idempotency_records");
    assert!(stored.contains(ENDPOINT));
    // From the hash of a body that is known except for a password, the password could be found.
    for secret in ["sesame".to_owned(), "gold".to_owned(), hex(b"sesame"), hex(b"gold"), hex(hash.as_ref())] {
        assert!(!stored.contains(&secret), "{secret}");
    }
    // An answer opens for its own record only.
    let other = first(&tenant, "k2", "sesame").await;
    tenant.store.answer_once(&other, answer("silver")).await.unwrap();
    database.execute(
        "UPDATE idempotency_records SET answer = (SELECT answer FROM idempotency_records WHERE request_key = 'k')
         WHERE request_key = 'k2'",
    );
    let moved = tenant.store.begin_once(request(tenant.workspace, "k2", "sesame")).await;
    assert!(matches!(moved, Err(CoreError::Internal(_))));
}

async fn a_key_that_sealed_an_answer_is_still_needed(database: TestDatabase) {
    let other_key = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let (old, new) = (format!("old:{KEY}"), format!("new:{other_key}"));
    let tenant = Tenant::new(&database.unlock(&old).await.unwrap()).await;
    let ticket = first(&tenant, "k", "body").await;
    tenant.store.answer_once(&ticket, answer("gold")).await.unwrap();
    let rotated = Tenant { store: database.unlock(&format!("{new},{old}")).await.unwrap(), ..tenant };
    is_answered(&begin(&rotated, "k", "body").await, "gold");
    let refused = database.unlock(&new).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("'old' is missing") && refused.contains("1 other secret(s)"), "{refused}");
    database.execute("UPDATE idempotency_records SET expires_at = 0");
    rotated.store.purge_idempotency_records().await.unwrap();
    assert!(database.unlock(&new).await.is_ok());
}

async fn after_a_day_it_is_forgotten(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let age = |millis: i64| {
        database.execute(&format!(
            "UPDATE idempotency_records SET expires_at = expires_at - {millis}, lease_ends_at = lease_ends_at - {millis}"
        ));
    };
    let ticket = first(&tenant, "k", "body").await;
    tenant.store.answer_once(&ticket, answer("gold")).await.unwrap();
    age(86_340_000);
    is_answered(&begin(&tenant, "k", "body").await, "gold");
    assert_eq!(tenant.store.purge_idempotency_records().await.unwrap(), 0);
    age(60_001);
    let again = first(&tenant, "k", "another body").await;
    assert_eq!(outcome_of(&tenant, "k", "another body").await, "under way", "though nobody had swept up");
    tenant.store.answer_once(&again, answer("silver")).await.unwrap();
    is_answered(&begin(&tenant, "k", "another body").await, "silver");
    age(86_400_001);
    assert_eq!(tenant.store.purge_idempotency_records().await.unwrap(), 1);
    assert_eq!(database.count("idempotency_records"), 0);
}

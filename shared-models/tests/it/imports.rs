//! Imports: acceptance, the work of the lanes, and what is kept.

use std::time::Duration;

use shared_models::domain::imports::{
    Import, ImportSource, LANES, NewImport, NewImportRow, NoRoom, RowCheck, RowFault, RowState,
};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{CoreError, FailureCode, ImportId, MailboxStatus, Timestamp};
use shared_models::events::{BULK_VERIFIER_QUEUE, Envelope, Event, LaneRef, WEBHOOK_QUEUE};
use shared_models::store::{MailboxFilter, NextRow, RowOutcome, Store};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, UNLIMITED, finding, mailbox};

const CSV: ImportSource = ImportSource("csv");

contract!(
    rows_become_mailboxes,
    only_what_the_check_says_is_asked_for,
    what_becomes_active_is_for_webhooks,
    known_and_repeated_rows_are_skipped,
    faulty_rows_are_settled_at_once,
    the_plan_decides_before_anything_is_stored,
    a_plan_that_fills_up_meanwhile_fails_rows,
    there_are_at_most_twenty_lanes,
    a_lane_goes_on_with_its_row_after_a_crash,
    repeating_a_result_changes_nothing,
    a_deferred_row_waits_until_it_is_due,
    secrets_are_gone_when_a_row_is_settled,
    lanes_side_by_side_lose_nothing,
    lost_lanes_are_opened_again,
    imports_are_tenants_own_and_forgotten,
);

fn row(local_part: &str) -> NewImportRow {
    let new = mailbox(local_part);
    NewImportRow { email: new.email.as_str().to_owned(), given: Some("{}".to_owned()), mailbox: Ok(new) }
}

fn faulty(email: &str) -> NewImportRow {
    let fault =
        RowFault { code: FailureCode::CfgFieldMissing, error: "Missing".to_owned(), remedy: "Fill it in".to_owned() };
    NewImportRow { email: email.to_owned(), given: None, mailbox: Err(fault) }
}

fn import(check: RowCheck, rows: Vec<NewImportRow>) -> NewImport {
    NewImport { source: CSV, check, rows }
}

struct RunningImport {
    store: Store,
    tenant: Tenant,
    import: Import,
}

impl RunningImport {
    async fn start(store: &Store, check: RowCheck, rows: Vec<NewImportRow>) -> Self {
        let tenant = Tenant::new(store).await;
        let import = store.create_import(tenant.workspace, tenant.owner, import(check, rows)).await.unwrap();
        Self { store: store.clone(), tenant, import }
    }

    fn lane(&self, lane: i32) -> LaneRef {
        LaneRef { import_id: self.import.id, workspace_id: self.tenant.workspace, lane }
    }

    /// The row of a lane, by its position.
    async fn take(&self, lane: i32) -> Option<i32> {
        position(&self.store.next_import_row(self.lane(lane)).await.unwrap())
    }

    async fn settle(&self, lane: i32, position: i32, outcome: RowOutcome) -> NextRow {
        self.store.settle_import_row(self.lane(lane), position, outcome).await.unwrap()
    }

    async fn now(&self) -> Import {
        self.store.import(self.tenant.workspace, CSV, self.import.id).await.unwrap()
    }

    async fn states(&self) -> Vec<RowState> {
        self.store.import_rows(&self.import).await.unwrap().into_iter().map(|row| row.state).collect()
    }

    /// The numbers of imported, skipped and failed rows.
    async fn counts(&self) -> (i64, i64, i64) {
        let now = self.now().await;
        (now.imported, now.skipped, now.failed)
    }
}

fn position(next: &NextRow) -> Option<i32> {
    match next {
        NextRow::Row(job) => Some(job.position),
        _ => None,
    }
}

fn refused() -> RowOutcome {
    RowOutcome::Refused(finding(FailureCode::AuthBadCredentials))
}

async fn rows_become_mailboxes(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![row("dana"), row("otto")]).await;
    assert_eq!((running.import.total, running.import.processed(), running.import.finished_at), (2, 0, None));
    assert_eq!(
        (running.tenant.usage().await, database.count("mailboxes")),
        (0, 0),
        "nothing counts before it is there"
    );

    let NextRow::Row(job) = store.next_import_row(running.lane(0)).await.unwrap() else { panic!("no row") };
    let expected = mailbox("dana");
    assert_eq!((job.position, job.check, job.attempts_made), (0, RowCheck::Smtp, 0));
    assert_eq!((&job.mailbox.smtp, &job.mailbox.credentials), (&expected.smtp, &expected.credentials));

    assert_eq!(position(&running.settle(0, 0, RowOutcome::Accepted).await), Some(1));
    let next = running.settle(0, 1, refused()).await;
    assert!(matches!(next, NextRow::Nothing), "{next:?}");
    assert_eq!((running.counts().await, running.now().await.finished_at), ((1, 0, 1), None));
    store.finish_import(running.lane(0)).await.unwrap();
    assert!(running.now().await.finished_at.is_some());

    let states = running.states().await;
    let RowState::Imported(id) = states[0] else { panic!("{states:?}") };
    assert_eq!(states[1], RowState::Refused(Box::new(finding(FailureCode::AuthBadCredentials))));
    let made = store.find_mailbox(running.tenant.workspace, id).await.unwrap();
    assert_eq!((made.status, made.sending_enabled), (MailboxStatus::Active, true));
    assert_eq!((made.display_name.as_str(), &made.imap), ("dana", &expected.imap));
    assert_eq!((running.tenant.usage().await, database.count("mailboxes")), (1, 1));
    let (_, secrets) = store.imap_check_job(id).await.unwrap().unwrap();
    assert_eq!(secrets, expected.credentials, "sealed for the mailbox that it became");
    assert!(store.verification_job(id).await.unwrap().is_none(), "it is verified");
}

async fn what_becomes_active_is_for_webhooks(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for check in [RowCheck::Smtp, RowCheck::Both, RowCheck::Nothing] {
        let rows = vec![row(&format!("{}-good", check.as_str())), row(&format!("{}-bad", check.as_str())), faulty("x")];
        let import = store.create_import(tenant.workspace, tenant.owner, import(check, rows)).await.unwrap();
        let lane = LaneRef { import_id: import.id, workspace_id: tenant.workspace, lane: 0 };
        store.next_import_row(lane).await.unwrap();
        store.settle_import_row(lane, 0, RowOutcome::Accepted).await.unwrap();
        store.settle_import_row(lane, 1, refused()).await.unwrap();
        let RowState::Imported(made) = store.import_rows(&import).await.unwrap()[0].state else { panic!("no mailbox") };
        let messages = store.claim_messages(WEBHOOK_QUEUE, 9, Duration::from_secs(60)).await.unwrap();
        let events: Vec<Event> =
            messages.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event).collect();
        match check {
            RowCheck::Nothing => assert_eq!(events, [], "it is not active, and a row that fails is no mailbox"),
            _ => assert!(matches!(events[..], [Event::MailboxActivated(m)] if m.mailbox_id == made), "{events:?}"),
        }
    }
}

async fn only_what_the_check_says_is_asked_for(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for (check, status, imap_checks) in
        [(RowCheck::Nothing, "pending", 0), (RowCheck::Smtp, "active", 1), (RowCheck::Both, "active", 0)]
    {
        database.execute("DELETE FROM queue_messages");
        let new = import(check, vec![row(check.as_str())]);
        let made = store.create_import(tenant.workspace, tenant.owner, new).await.unwrap();
        let lane = LaneRef { import_id: made.id, workspace_id: tenant.workspace, lane: 0 };
        store.next_import_row(lane).await.unwrap();
        store.settle_import_row(lane, 0, RowOutcome::Accepted).await.unwrap();
        let events = |kind: &str| database.count(&format!("queue_messages WHERE event_type = '{kind}'"));
        assert_eq!(events("mailbox.imap_check_requested"), imap_checks, "{check:?}");
        assert_eq!(
            events("mailbox.created"),
            2,
            "{check:?}: for the verifier, who has nothing to do, and the DNS checker"
        );
        let created = format!("mailboxes WHERE status = '{status}' AND email = '{}@mail.example'", check.as_str());
        assert_eq!(database.count(&created), 1, "{check:?}");
        let id = database.text(&format!("SELECT id AS value FROM {created}")).parse().unwrap();
        assert!(store.verification_job(id).await.unwrap().is_none(), "{check:?}");
    }
}

async fn known_and_repeated_rows_are_skipped(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("known")).await;
    let mut shouted = row("dana");
    shouted.email = "DANA@MAIL.EXAMPLE".to_owned();
    let rows = vec![row("known"), row("dana"), shouted, row("dana"), faulty("x"), faulty("X"), faulty(""), faulty("")];
    let made = store.create_import(tenant.workspace, tenant.owner, import(RowCheck::Smtp, rows)).await.unwrap();
    assert_eq!(
        (made.imported, made.skipped, made.failed),
        (0, 4, 3),
        "rows without an address are nobody's repetition"
    );
    let lane = LaneRef { import_id: made.id, workspace_id: tenant.workspace, lane: 0 };
    assert_eq!(position(&store.next_import_row(lane).await.unwrap()), Some(1));
    // Somebody adds the mailbox while it is being checked.
    tenant.add(mailbox("dana")).await;
    store.settle_import_row(lane, 1, RowOutcome::Accepted).await.unwrap();
    let now = store.import(tenant.workspace, CSV, made.id).await.unwrap();
    assert_eq!((now.imported, now.skipped, now.failed, tenant.usage().await), (0, 5, 3, 2));
}

async fn faulty_rows_are_settled_at_once(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![faulty("a"), faulty("b")]).await;
    assert!(running.import.finished_at.is_some(), "there is nothing to wait for");
    assert_eq!(running.counts().await, (0, 0, 2));
    assert_eq!(store.queue_depth(BULK_VERIFIER_QUEUE).await.unwrap(), (0, 0));
    assert!(matches!(&running.states().await[0], RowState::Faulty(fault) if fault.error == "Missing"));
}

async fn the_plan_decides_before_anything_is_stored(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 3).await;
    tenant.add(mailbox("known")).await;
    let rows = |names: &[&str]| names.iter().map(|name| row(name)).collect::<Vec<_>>();
    let create = async |rows| store.create_import(tenant.workspace, tenant.owner, import(RowCheck::Smtp, rows)).await;
    let refused = create(rows(&["a", "b", "c"])).await.unwrap_err();
    assert!(matches!(refused, CoreError::LimitExceeded { usage: 1, limit: 3, requested: 3 }), "{refused:?}");
    assert_eq!((database.count("imports"), database.count("import_rows")), (0, 0));
    create(rows(&["known", "a", "b", "a"])).await.unwrap();

    let none = Plan { subscription_active: false, max_mailboxes: None };
    store.set_plan("owner@tenant.example", none).await.unwrap();
    for names in [&["x"][..], &["known"], &[]] {
        assert!(matches!(create(rows(names)).await, Err(CoreError::SubscriptionRequired)), "{names:?}");
    }
}

async fn a_plan_that_fills_up_meanwhile_fails_rows(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    let new = import(RowCheck::Smtp, vec![row("a"), row("b"), row("c")]);
    store.set_plan("owner@tenant.example", UNLIMITED).await.unwrap();
    let made = store.create_import(tenant.workspace, tenant.owner, new).await.unwrap();
    let limited = Plan { subscription_active: true, max_mailboxes: Some(1) };
    store.set_plan("owner@tenant.example", limited).await.unwrap();
    let lane = LaneRef { import_id: made.id, workspace_id: tenant.workspace, lane: 0 };
    let NextRow::Row(first) = store.next_import_row(lane).await.unwrap() else { panic!("no row") };
    assert_eq!(first.no_room, None);
    for position in 0..3 {
        let next = store.settle_import_row(lane, position, RowOutcome::Accepted).await.unwrap();
        if let NextRow::Row(next) = next {
            assert_eq!(next.no_room, Some(NoRoom::PlanFull), "known before anybody is dialled");
        }
    }
    let rows = store.import_rows(&made).await.unwrap();
    assert!(matches!(rows[0].state, RowState::Imported(_)));
    for row in &rows[1..] {
        assert_eq!(row.state, RowState::NoRoom(NoRoom::PlanFull));
    }
    assert_eq!((tenant.usage().await, database.count("mailboxes")), (1, 1));
}

async fn there_are_at_most_twenty_lanes(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for (rows, lanes) in [(3, 3), (LANES, LANES), (60, LANES)] {
        database.execute("DELETE FROM queue_messages");
        let rows = (0..rows).map(|n| row(&format!("m{rows}-{n}"))).collect();
        store.create_import(tenant.workspace, tenant.owner, import(RowCheck::Smtp, rows)).await.unwrap();
        let messages = store.claim_messages(BULK_VERIFIER_QUEUE, 100, Duration::from_secs(9)).await.unwrap();
        let mut opened: Vec<i32> = messages
            .iter()
            .map(|message| match Envelope::parse(message.envelope.as_bytes()).unwrap().event {
                Event::ImportLaneOpened(lane) => lane.lane,
                other => panic!("{other:?}"),
            })
            .collect();
        opened.sort_unstable();
        assert_eq!(opened, (0..lanes as i32).collect::<Vec<_>>());
    }
}

async fn a_lane_goes_on_with_its_row_after_a_crash(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Both, vec![row("a"), row("b"), row("c")]).await;
    assert_eq!((running.take(0).await, running.take(1).await), (Some(0), Some(1)));
    store.record_row_refusal(running.lane(1), 1, &finding(FailureCode::AuthBadCredentials)).await.unwrap();
    assert_eq!((running.take(1).await, running.take(0).await), (Some(1), Some(0)), "each its own");
    let NextRow::Row(job) = store.next_import_row(running.lane(1)).await.unwrap() else { panic!("no row") };
    assert_eq!(job.recorded_refusal.map(|refusal| refusal.code), Some(FailureCode::AuthBadCredentials));
}

async fn repeating_a_result_changes_nothing(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![row("a"), row("b")]).await;
    running.take(0).await;
    for _ in 0..2 {
        assert_eq!(position(&running.settle(0, 0, RowOutcome::Accepted).await), Some(1));
    }
    running.settle(0, 0, refused()).await;
    // Another lane cannot settle it.
    running.settle(7, 1, refused()).await;
    assert_eq!((running.counts().await, running.tenant.usage().await), ((1, 0, 0), 1));
    running.settle(0, 1, refused()).await;
    for _ in 0..2 {
        store.finish_import(running.lane(0)).await.unwrap();
    }
    assert_eq!(running.counts().await, (1, 0, 1));
}

async fn a_deferred_row_waits_until_it_is_due(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![row("a"), row("b")]).await;
    running.take(0).await;
    let hour = Duration::from_secs(3600);
    assert_eq!(position(&running.settle(0, 0, RowOutcome::Deferred(hour)).await), Some(1));
    let next = running.settle(0, 1, refused()).await;
    let NextRow::NotBefore(at) = next else { panic!("{next:?}") };
    assert!(at > Timestamp::now().plus(hour / 2));
    store.finish_import(running.lane(0)).await.unwrap();
    assert_eq!(running.now().await.finished_at, None);
    database.execute("UPDATE import_rows SET due_at = 0 WHERE state = 'waiting'");
    let NextRow::Row(job) = store.next_import_row(running.lane(5)).await.unwrap() else { panic!("no row") };
    assert_eq!((job.position, job.attempts_made), (0, 1));
}

async fn secrets_are_gone_when_a_row_is_settled(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![row("a"), row("a"), row("b"), row("c")]).await;
    assert!(!database.dump("import_rows").contains("sesame"));
    let sealed = |also: &str| database.count(&format!("import_rows WHERE credentials IS NOT NULL {also}"));
    assert_eq!((sealed(""), sealed("AND settings IS NULL")), (3, 0), "the repeated one has none");
    running.take(0).await;
    running.settle(0, 0, RowOutcome::Accepted).await;
    running.settle(0, 2, refused()).await;
    assert_eq!(sealed(""), 1);
    assert_eq!(sealed("AND state = 'taken'"), 1);
}

async fn lanes_side_by_side_lose_nothing(database: TestDatabase) {
    let store = database.open().await;
    let rows = (0..60).map(|n| row(&format!("m{n}"))).collect();
    let running = RunningImport::start(&store, RowCheck::Smtp, rows).await;
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..LANES as i32 {
        let (store, lane) = (store.clone(), running.lane(lane));
        lanes.spawn(async move {
            let mut next = store.next_import_row(lane).await.unwrap();
            loop {
                next = match next {
                    NextRow::Row(job) => {
                        let outcome = if job.position % 3 == 0 { refused() } else { RowOutcome::Accepted };
                        store.settle_import_row(lane, job.position, outcome).await.unwrap()
                    }
                    // Another lane is just taking it.
                    NextRow::NotBefore(_) => store.next_import_row(lane).await.unwrap(),
                    NextRow::Nothing => return store.finish_import(lane).await.unwrap(),
                };
            }
        });
    }
    while let Some(result) = lanes.join_next().await {
        result.unwrap();
    }
    assert_eq!((running.counts().await, running.tenant.usage().await), ((40, 0, 20), 40));
    assert!(running.now().await.finished_at.is_some());
    assert_eq!(running.tenant.names(MailboxFilter::default()).await.len(), 40);
}

async fn lost_lanes_are_opened_again(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![row("a"), row("b")]).await;
    database.execute("DELETE FROM queue_messages");
    let hour = Duration::from_secs(3600);
    assert_eq!(store.reopen_stalled_imports(hour).await.unwrap(), 0, "it is too early");
    database.execute("UPDATE imports SET created_at = 0");
    assert_eq!(store.reopen_stalled_imports(hour).await.unwrap(), 0, "its rows are young");
    database.execute("UPDATE import_rows SET due_at = 0");
    assert_eq!(store.reopen_stalled_imports(hour).await.unwrap(), 1);
    assert_eq!(store.queue_depth(BULK_VERIFIER_QUEUE).await.unwrap().0, LANES as i64);
    assert_eq!(store.reopen_stalled_imports(hour).await.unwrap(), 0, "they are on their way");
    running.take(0).await;
}

async fn imports_are_tenants_own_and_forgotten(database: TestDatabase) {
    let store = database.open().await;
    let running = RunningImport::start(&store, RowCheck::Smtp, vec![faulty("a")]).await;
    let sibling = running.tenant.sibling().await;
    let id = running.import.id;
    for (workspace, source, id) in [
        (sibling.workspace, CSV, id),
        (running.tenant.workspace, ImportSource("bulk"), id),
        (running.tenant.workspace, CSV, ImportId::new()),
    ] {
        assert!(matches!(store.import(workspace, source, id).await, Err(CoreError::NotFound("import"))));
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(store.purge_imports(hour).await.unwrap(), 0);
    database.execute("UPDATE imports SET finished_at = 0");
    assert_eq!(store.purge_imports(hour).await.unwrap(), 1);
    assert_eq!((database.count("imports"), database.count("import_rows")), (0, 0));
}

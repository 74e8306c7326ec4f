//! Verifications: the verifier's input, and how its result is stored.

use std::time::Duration;

use shared_models::domain::mailboxes::{ConnectionTest, NewMailbox};
use shared_models::domain::{CoreError, FailureCode, MailboxId, MailboxStatus};
use shared_models::events::{Envelope, Event, WEBHOOK_QUEUE};
use shared_models::store::{MailboxFilter, RefusedMailbox, Settled, Settlement};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, WEEK, accepted, endpoint, finding, kept, mailbox, refused, report};

contract!(
    a_job_has_everything_a_check_needs,
    a_deferral_counts_once,
    an_overdue_verification_is_asked_for_again,
    a_recorded_refusal_comes_back_with_the_job,
    acceptance_activates,
    acceptance_keeps_what_was_learned,
    refusal_deletes_and_says_why,
    refusal_of_a_kept_mailbox,
    refusal_never_deletes_a_pending_mailbox,
    repeating_changes_nothing,
    a_deleted_mailbox_is_superseded,
    a_refused_mailbox_is_remembered_when_it_is_gone,
);

async fn a_job_has_everything_a_check_needs(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let new = mailbox("dana");
    let added = tenant.add(new.clone()).await;
    let job = store.verification_job(added.id).await.unwrap().unwrap();
    let id = added.id;
    assert_eq!((job.mailbox, job.credentials), (added, new.credentials));
    assert_eq!((job.recorded_refusal, job.attempts_made), (None, 0));
    let unknown = store.verification_job(MailboxId::new()).await;
    assert!(matches!(unknown, Err(CoreError::NotFound("mailbox"))), "an event about it is a fault");
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    assert!(store.verification_job(id).await.unwrap().is_none(), "an event about it is only late");
}

async fn a_deferral_counts_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    let made = async || store.verification_job(id).await.unwrap().unwrap().attempts_made;
    for (attempt, expected) in [(1, 1), (1, 1), (3, 3), (2, 3)] {
        store.record_deferral(id, attempt).await.unwrap();
        assert_eq!(made().await, expected);
    }
    store.record_deferral(MailboxId::new(), 1).await.unwrap();
}

async fn an_overdue_verification_is_asked_for_again(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (lost, settled) = (tenant.add(mailbox("dana")).await.id, tenant.add(mailbox("otto")).await.id);
    store.settle_verification(settled, accepted()).await.unwrap();
    store.record_deferral(lost, 2).await.unwrap();
    database.execute("DELETE FROM queue_messages");
    let hour = Duration::from_secs(3600);
    assert_eq!(store.request_overdue_verifications(hour, 10).await.unwrap(), 0, "it is too early");
    database.execute("UPDATE mailboxes SET verification_asked_at = verification_asked_at - 3600001");
    assert_eq!(store.request_overdue_verifications(hour, 0).await.unwrap(), 0);
    assert_eq!(store.request_overdue_verifications(hour, 10).await.unwrap(), 1);
    assert_eq!(store.request_overdue_verifications(hour, 10).await.unwrap(), 0, "it is on its way");
    let asked = database.text("SELECT envelope AS value FROM queue_messages");
    assert!(asked.contains("mailbox.verification_requested") && asked.contains(&lost.to_string()), "{asked}");
    assert_eq!(store.verification_job(lost).await.unwrap().unwrap().attempts_made, 0, "it begins anew");
}

async fn a_recorded_refusal_comes_back_with_the_job(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (id, other) = (tenant.add(mailbox("dana")).await.id, tenant.add(mailbox("otto")).await.id);
    let decisive = finding(FailureCode::AuthAppPasswordRequired);
    store.record_refusal(id, &decisive).await.unwrap();
    store.record_refusal(MailboxId::new(), &decisive).await.unwrap();
    // The record is for a restart.
    drop(store);
    let store = database.open().await;
    let recorded = async |id| store.verification_job(id).await.unwrap().unwrap().recorded_refusal.map(|f| *f);
    assert_eq!(recorded(id).await, Some(decisive));
    assert_eq!(recorded(other).await, None);
}

async fn acceptance_activates(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let before = tenant.add(mailbox("dana")).await;
    let bystander = tenant.add(mailbox("otto")).await;
    assert_eq!(store.settle_verification(before.id, accepted()).await.unwrap(), Settled::Stored);
    let after = store.find_mailbox(tenant.workspace, before.id).await.unwrap();
    assert_eq!((after.status, after.sending_enabled), (MailboxStatus::Active, true));
    assert_eq!((after.last_error.as_deref(), &after.imap), (None, &before.imap));
    assert!(after.updated_at >= before.updated_at && after.created_at == before.created_at);
    assert_eq!(store.connection_test(tenant.workspace, before.id).await.unwrap(), ConnectionTest::Passed);
    assert!(store.verification_job(before.id).await.unwrap().is_none(), "no result is awaited");
    assert_eq!(tenant.usage().await, 2);
    assert_eq!(store.find_mailbox(tenant.workspace, bystander.id).await.unwrap(), bystander);
    assert_eq!(store.connection_test(tenant.workspace, bystander.id).await.unwrap(), ConnectionTest::Pending);
}

async fn acceptance_keeps_what_was_learned(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(NewMailbox { imap_guessed: true, ..mailbox("dana") }).await.id;
    store.record_refusal(id, &finding(FailureCode::AuthBadCredentials)).await.unwrap();
    let note = finding(FailureCode::NetConnectTimeout);
    let settlement = Settlement::Accepted {
        report: report(),
        note: Some(note.clone()),
        imap: Some(endpoint("mail2.mail.example", 993)),
    };
    store.settle_verification(id, settlement).await.unwrap();
    let after = store.find_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!((after.status, after.imap.host()), (MailboxStatus::Active, "mail2.mail.example"));
    assert_eq!(after.last_error, Some(note.remedy));
    assert_eq!(store.connection_test(tenant.workspace, id).await.unwrap(), ConnectionTest::Passed);
    assert_eq!(database.count("mailboxes WHERE recorded_refusal IS NOT NULL"), 0);
}

async fn refusal_deletes_and_says_why(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    tenant.add(mailbox("otto")).await;
    let id = tenant.add(mailbox("dana")).await.id;
    assert_eq!(store.settle_verification(id, refused()).await.unwrap(), Settled::Stored);
    assert!(matches!(store.find_mailbox(tenant.workspace, id).await, Err(CoreError::NotFound("mailbox"))));
    assert_eq!(tenant.names(MailboxFilter::default()).await, ["otto"]);
    assert_eq!((tenant.usage().await, store.count_mailboxes(tenant.workspace).await.unwrap()), (1, 1));
    let why = finding(FailureCode::AuthBadCredentials);
    assert_eq!(store.connection_test(tenant.workspace, id).await.unwrap(), ConnectionTest::Failed(Box::new(why)));

    let again = tenant.add(mailbox("dana")).await.id;
    assert_eq!(store.connection_test(tenant.workspace, again).await.unwrap(), ConnectionTest::Pending);
    assert!(matches!(store.connection_test(tenant.workspace, id).await.unwrap(), ConnectionTest::Failed(_)));
}

async fn refusal_of_a_kept_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(kept("dana")).await.id;
    let why = finding(FailureCode::TlsCertExpired);
    let settlement = Settlement::Refused { report: None, finding: why.clone(), keep_result: WEEK };
    assert_eq!(store.settle_verification(id, settlement).await.unwrap(), Settled::Stored);
    let after = store.find_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!((after.status, after.sending_enabled), (MailboxStatus::Failed, false));
    assert_eq!(after.last_error.as_ref(), Some(&why.remedy));
    assert_eq!(tenant.usage().await, 1);
    assert_eq!(store.connection_test(tenant.workspace, id).await.unwrap(), ConnectionTest::Failed(Box::new(why)));
    assert!(store.verification_job(id).await.unwrap().is_none());
    let taken = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await;
    assert!(matches!(taken, Err(CoreError::AlreadyExists)));
}

async fn refusal_never_deletes_a_pending_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    database.execute("UPDATE mailboxes SET status = 'pending'");
    assert_eq!(store.connection_test(tenant.workspace, id).await.unwrap(), ConnectionTest::Pending);
    assert_eq!(store.settle_verification(id, refused()).await.unwrap(), Settled::Stored);
    let after = store.find_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!((after.status, tenant.usage().await), (MailboxStatus::Failed, 1));
}

async fn repeating_changes_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("bystander")).await;
    for (new, first) in [(mailbox("a"), refused()), (kept("b"), refused()), (mailbox("c"), accepted())] {
        let id = tenant.add(new).await.id;
        store.settle_verification(id, first).await.unwrap();
        let state =
            || ["mailboxes", "verification_results", "owners", "queue_messages"].map(|table| database.dump(table));
        let settled = state();
        let other = Settlement::Refused { report: None, finding: finding(FailureCode::NetReset), keep_result: WEEK };
        for settlement in [refused(), accepted(), other] {
            assert_eq!(store.settle_verification(id, settlement).await.unwrap(), Settled::Superseded);
        }
        assert_eq!(state(), settled);
    }
}

async fn a_deleted_mailbox_is_superseded(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    for settlement in [accepted(), refused()] {
        assert_eq!(store.settle_verification(id, settlement).await.unwrap(), Settled::Superseded);
    }
    assert_eq!((tenant.usage().await, database.count("verification_results")), (0, 0));
    assert!(matches!(store.connection_test(tenant.workspace, id).await, Err(CoreError::NotFound(_))));
    assert_eq!(store.settle_verification(MailboxId::new(), refused()).await.unwrap(), Settled::Superseded);
}

async fn a_refused_mailbox_is_remembered_when_it_is_gone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let read = async |id| store.refused_mailbox(tenant.workspace, id).await.unwrap();
    let why = finding(FailureCode::AuthBadCredentials);
    for (new, deleted) in [(mailbox("dana"), true), (kept("otto"), false)] {
        let email = new.email.as_str().to_owned();
        let id = tenant.add(new).await.id;
        assert_eq!(read(id).await, None, "nothing is known yet");
        store.settle_verification(id, refused()).await.unwrap();
        let expected = RefusedMailbox { email, deleted, finding: why.clone() };
        assert_eq!(read(id).await, Some(expected));
        let sibling = store.refused_mailbox(tenant.owner.to_string().parse().unwrap(), id).await.unwrap();
        assert_eq!(sibling, None);
        let messages = store.claim_messages(WEBHOOK_QUEUE, 9, WEEK).await.unwrap();
        let events: Vec<Event> =
            messages.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event).collect();
        assert!(
            matches!(events[..], [Event::MailboxVerificationFailed(about)] if about.mailbox_id == id),
            "{events:?}"
        );
        if !deleted {
            store.delete_mailbox(tenant.workspace, id).await.unwrap();
            assert_eq!(read(id).await, None, "its owner removed it");
        }
    }
    let active = tenant.add(mailbox("faye")).await.id;
    store.settle_verification(active, accepted()).await.unwrap();
    assert_eq!(read(active).await, None);
    let messages = store.claim_messages(WEBHOOK_QUEUE, 9, WEEK).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].envelope.contains("mailbox.activated") && messages[0].envelope.contains(&active.to_string()));
    // As an older version would have stored it.
    let old = tenant.add(mailbox("gus")).await.id;
    store.settle_verification(old, refused()).await.unwrap();
    database.execute("UPDATE verification_results SET email = NULL");
    assert_eq!(read(old).await, None);
}

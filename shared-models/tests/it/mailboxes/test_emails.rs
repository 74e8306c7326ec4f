//! Test messages: requested, sent once, counted.

use shared_models::domain::mailboxes::{Delivery, TestEmail, TestEmailState};
use shared_models::domain::{CoreError, EmailAddress, FailureCode, Finding, MailboxId, TestEmailId};
use shared_models::events::{Event, TestEmailRef};
use shared_models::store::{Settled, Store, TestEmailRequest};

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, accepted, finding, mailbox};

contract!(
    a_request_is_announced_and_counted,
    only_an_active_mailbox_of_the_workspace_sends,
    the_lower_limit_counts,
    requests_of_the_same_moment_keep_to_the_limit,
    another_day_begins_at_zero,
    a_message_is_begun_once,
    a_message_whose_password_cannot_be_read_is_not_begun,
    the_end_is_stored_once_and_announced,
    only_what_was_not_sent_is_not_counted,
    a_refusal_after_midnight_takes_nothing_from_the_new_day,
    a_message_whose_sender_died_is_refused,
    nothing_is_left_of_a_deleted_mailbox,
    after_a_day_it_is_forgotten,
);

const MANY: i64 = 1000;

/// A mailbox that may send, with a limit of 15 mails a day.
async fn active(tenant: &Tenant) -> MailboxId {
    let id = tenant.add(mailbox("dana")).await.id;
    tenant.store.settle_verification(id, accepted()).await.unwrap();
    id
}

fn recipient() -> EmailAddress {
    EmailAddress::parse("friend@elsewhere.example").unwrap()
}

async fn request(tenant: &Tenant, id: MailboxId, at_most: i64) -> TestEmailRequest {
    tenant.store.request_test_email(tenant.workspace, id, recipient(), at_most).await.unwrap()
}

async fn asked(tenant: &Tenant, id: MailboxId) -> TestEmail {
    match request(tenant, id, MANY).await {
        TestEmailRequest::Asked(message) => message,
        other => panic!("{other:?}"),
    }
}

/// A message that was requested and begun.
async fn begun(tenant: &Tenant, id: MailboxId) -> TestEmailId {
    let id = asked(tenant, id).await.id;
    assert!(tenant.store.begin_test_email(id).await.unwrap().is_some());
    id
}

async fn sent_today(tenant: &Tenant, id: MailboxId) -> i64 {
    let sent = tenant.store.sent_today(tenant.workspace, vec![id]).await.unwrap();
    sent.get(&id).copied().unwrap_or(0)
}

fn why() -> Box<Finding> {
    Box::new(finding(FailureCode::SendFromNotOwned))
}

async fn state(tenant: &Tenant, id: TestEmailId) -> TestEmailState {
    tenant.store.test_email(tenant.workspace, id).await.unwrap().state
}

async fn a_request_is_announced_and_counted(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let mut news = store.news();
    let message = asked(&tenant, id).await;
    let about = TestEmailRef { test_email_id: message.id, mailbox_id: id, workspace_id: tenant.workspace };
    assert_eq!(news.try_recv().unwrap(), Event::TestEmailRequested(about));
    let queued = "queue_messages WHERE event_type = 'test_email.requested' AND queue = 'mailmoor.verifier'";
    assert_eq!(database.count(queued), 1);
    assert_eq!((message.state.clone(), message.recipient.clone()), (TestEmailState::Asked, recipient()));
    let id_of_message = message.message_id.strip_prefix('<').unwrap().strip_suffix("@mail.example>").unwrap();
    assert_eq!(id_of_message.len(), 36, "a UUID");
    assert_eq!(store.test_email(tenant.workspace, message.id).await.unwrap(), message);
    assert_eq!(sent_today(&tenant, id).await, 1);
    assert_ne!(asked(&tenant, id).await.message_id, message.message_id);
    assert_eq!(sent_today(&tenant, id).await, 2);

    let other = tenant.sibling().await;
    let foreign = store.test_email(other.workspace, message.id).await;
    assert!(matches!(foreign, Err(CoreError::NotFound(_))), "{foreign:?}");
    assert!(store.sent_today(other.workspace, vec![id]).await.unwrap().is_empty());
    let silent = tenant.add(mailbox("otto")).await.id;
    let sent = store.sent_today(tenant.workspace, vec![silent, id, MailboxId::new()]).await.unwrap();
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), [(id, 2)]);
    assert!(store.sent_today(tenant.workspace, vec![]).await.unwrap().is_empty());
}

async fn only_an_active_mailbox_of_the_workspace_sends(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    for status in ["unverified", "pending", "failed"] {
        database.execute(&format!("UPDATE mailboxes SET status = '{status}'"));
        assert_eq!(request(&tenant, id, MANY).await, TestEmailRequest::NotActive, "{status}");
    }
    database.execute("UPDATE mailboxes SET status = 'active'");
    for (workspace, id) in [(tenant.sibling().await.workspace, id), (tenant.workspace, MailboxId::new())] {
        let unknown = store.request_test_email(workspace, id, recipient(), MANY).await;
        assert!(matches!(unknown, Err(CoreError::NotFound("mailbox"))), "{unknown:?}");
    }
    assert_eq!((database.count("test_emails"), database.count("daily_sending")), (0, 0));
    asked(&tenant, id).await;
}

async fn the_lower_limit_counts(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    assert_eq!(request(&tenant, id, 0).await, TestEmailRequest::DailyLimit);
    for _ in 0..2 {
        assert!(matches!(request(&tenant, id, 2).await, TestEmailRequest::Asked(_)));
    }
    assert_eq!(request(&tenant, id, 2).await, TestEmailRequest::DailyLimit);
    for _ in 2..15 {
        asked(&tenant, id).await;
    }
    assert_eq!(request(&tenant, id, MANY).await, TestEmailRequest::DailyLimit);
    assert_eq!((database.count("test_emails"), sent_today(&tenant, id).await), (15, 15));
}

async fn requests_of_the_same_moment_keep_to_the_limit(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    for so_far in [0, 6] {
        // The first round also makes the row of the count, the second one finds it.
        let answers = at_once((0..12).map(|_| {
            let tenant = tenant.clone();
            async move { request(&tenant, id, so_far + 6).await }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, TestEmailRequest::Asked(_))).count(), 6);
        assert_eq!(answers.iter().filter(|answer| **answer == TestEmailRequest::DailyLimit).count(), 6);
        assert_eq!(sent_today(&tenant, id).await, so_far + 6);
    }
    assert_eq!(database.count("test_emails"), 12);
}

async fn another_day_begins_at_zero(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    asked(&tenant, id).await;
    assert_eq!(request(&tenant, id, 1).await, TestEmailRequest::DailyLimit);
    database.execute("UPDATE daily_sending SET day = day - 1, sent = 15");
    assert_eq!(sent_today(&tenant, id).await, 0);
    assert!(matches!(request(&tenant, id, 1).await, TestEmailRequest::Asked(_)));
    assert_eq!((sent_today(&tenant, id).await, database.count("daily_sending")), (1, 1));
}

async fn a_message_is_begun_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let message = asked(&tenant, id).await;
    let begin = |store: Store| async move { store.begin_test_email(message.id).await.unwrap() };
    let jobs = at_once((0..8).map(|_| begin(store.clone()))).await;
    let mut jobs = jobs.into_iter().flatten();
    let job = jobs.next().unwrap();
    assert!(jobs.next().is_none(), "the others got nothing");
    assert_eq!((job.mailbox.id, job.mailbox.email.as_str()), (id, "dana@mail.example"));
    assert_eq!((job.secret.username.as_str(), job.secret.password.expose()), ("dana-login", "sesame-smtp"));
    assert_eq!((job.recipient, job.message_id), (recipient(), message.message_id));
    assert_eq!(state(&tenant, message.id).await, TestEmailState::Sending);
    assert!(store.begin_test_email(TestEmailId::new()).await.unwrap().is_none());
    store.settle_test_email(message.id, Delivery::Sent).await.unwrap();
    assert!(store.begin_test_email(message.id).await.unwrap().is_none(), "nor when it is done");
}

async fn a_message_whose_password_cannot_be_read_is_not_begun(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let message = asked(&tenant, id).await;
    let other = tenant.add(mailbox("otto")).await;
    // As if it had been sealed for another mailbox.
    database.execute(&format!(
        "UPDATE mailboxes SET credentials = (SELECT credentials FROM mailboxes WHERE id = '{}') WHERE id = '{id}'",
        other.id
    ));
    let failed = store.begin_test_email(message.id).await;
    assert!(matches!(failed, Err(CoreError::Internal(_))), "{failed:?}");
    assert_eq!(state(&tenant, message.id).await, TestEmailState::Asked);
}

async fn the_end_is_stored_once_and_announced(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mailbox_id = active(&tenant).await;
    let ends = [
        (Delivery::Sent, TestEmailState::Sent),
        (Delivery::NotSent(why()), TestEmailState::Refused(why())),
        (Delivery::Unknown(why()), TestEmailState::Refused(why())),
    ];
    for (end, shown) in ends {
        let id = asked(&tenant, mailbox_id).await.id;
        assert_eq!(store.settle_test_email(id, end.clone()).await.unwrap(), Settled::Superseded, "not begun");
        assert_eq!(state(&tenant, id).await, TestEmailState::Asked);
        store.begin_test_email(id).await.unwrap().unwrap();
        let mut news = store.news();
        assert_eq!(store.settle_test_email(id, end).await.unwrap(), Settled::Stored);
        let about = TestEmailRef { test_email_id: id, mailbox_id, workspace_id: tenant.workspace };
        assert_eq!(news.try_recv().unwrap(), Event::TestEmailSettled(about));
        assert_eq!(state(&tenant, id).await, shown);
        let all = || ["test_emails", "daily_sending", "queue_messages"].map(|table| database.dump(table));
        let settled = all();
        for again in [Delivery::Sent, Delivery::NotSent(Box::new(finding(FailureCode::NetReset)))] {
            assert_eq!(store.settle_test_email(id, again).await.unwrap(), Settled::Superseded);
        }
        assert_eq!(all(), settled);
        assert!(news.try_recv().is_err(), "nothing more is said");
    }
    assert_eq!(store.settle_test_email(TestEmailId::new(), Delivery::Sent).await.unwrap(), Settled::Superseded);
}

async fn only_what_was_not_sent_is_not_counted(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    for (end, counted) in [(Delivery::Sent, 1), (Delivery::NotSent(why()), 1), (Delivery::Unknown(why()), 2)] {
        let message = begun(&tenant, id).await;
        store.settle_test_email(message, end).await.unwrap();
        assert_eq!(sent_today(&tenant, id).await, counted);
    }
}

async fn a_refusal_after_midnight_takes_nothing_from_the_new_day(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let yesterdays = begun(&tenant, id).await;
    database.execute("UPDATE test_emails SET created_at = created_at - 86400000");
    database.execute("UPDATE daily_sending SET day = day - 1");
    begun(&tenant, id).await;
    store.settle_test_email(yesterdays, Delivery::NotSent(why())).await.unwrap();
    assert_eq!(sent_today(&tenant, id).await, 1);
}

async fn a_message_whose_sender_died_is_refused(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mailbox_id = active(&tenant).await;
    let (waiting, lost) = (asked(&tenant, mailbox_id).await.id, begun(&tenant, mailbox_id).await);
    database.execute("UPDATE test_emails SET updated_at = updated_at - 110000");
    assert_eq!(state(&tenant, lost).await, TestEmailState::Sending);
    database.execute("UPDATE test_emails SET updated_at = updated_at - 10001");
    let TestEmailState::Refused(finding) = state(&tenant, lost).await else { panic!("it is still awaited") };
    assert_eq!((finding.code, finding.observed.host.as_str()), (FailureCode::SysDeadline, "smtp.mail.example"));
    assert!(finding.remedy.contains("unknown whether the message was sent"), "{}", finding.remedy);
    assert_eq!(state(&tenant, waiting).await, TestEmailState::Asked, "one that nobody began can still be sent");
    assert!(store.begin_test_email(lost).await.unwrap().is_none(), "it is not sent again");
    assert_eq!(sent_today(&tenant, mailbox_id).await, 2, "it may have been sent");
    // The sender was only slow after all.
    assert_eq!(store.settle_test_email(lost, Delivery::Sent).await.unwrap(), Settled::Stored);
    assert_eq!(state(&tenant, lost).await, TestEmailState::Sent);
}

async fn nothing_is_left_of_a_deleted_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let (waiting, under_way) = (asked(&tenant, id).await.id, begun(&tenant, id).await);
    let bystander = tenant.add(mailbox("otto")).await.id;
    store.settle_verification(bystander, accepted()).await.unwrap();
    begun(&tenant, bystander).await;
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    assert!(store.begin_test_email(waiting).await.unwrap().is_none());
    assert_eq!(store.settle_test_email(under_way, Delivery::NotSent(why())).await.unwrap(), Settled::Superseded);
    let gone = store.test_email(tenant.workspace, under_way).await;
    assert!(matches!(gone, Err(CoreError::NotFound(_))), "{gone:?}");
    assert_eq!((database.count("test_emails"), database.count("daily_sending")), (1, 1));
    assert_eq!(sent_today(&tenant, bystander).await, 1);
}

async fn after_a_day_it_is_forgotten(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = active(&tenant).await;
    let old = begun(&tenant, id).await;
    database.execute("UPDATE test_emails SET created_at = created_at - 86400001");
    database.execute("UPDATE daily_sending SET day = day - 1");
    let other = tenant.add(mailbox("otto")).await.id;
    store.settle_verification(other, accepted()).await.unwrap();
    let young = begun(&tenant, other).await;
    assert_eq!(store.purge_test_emails().await.unwrap(), 1);
    assert!(matches!(store.test_email(tenant.workspace, old).await, Err(CoreError::NotFound(_))));
    assert_eq!(state(&tenant, young).await, TestEmailState::Sending);
    assert_eq!((sent_today(&tenant, other).await, database.count("daily_sending")), (1, 1));
    assert_eq!(store.purge_test_emails().await.unwrap(), 0);
}

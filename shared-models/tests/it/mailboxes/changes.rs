//! Changing and deleting a mailbox, and the walls between workspaces.

use shared_models::domain::mailboxes::{ConnectionTest, MailboxChange};
use shared_models::domain::{CoreError, Mailbox, MailboxId, MailboxStatus};
use shared_models::events::{DNS_CHECKER_QUEUE, VERIFIER_QUEUE};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, accepted, mailbox, tagged};

type Change = (MailboxChange, fn(&mut Mailbox));

contract!(
    every_member_changes_alone,
    an_empty_change_changes_nothing,
    sending_wished_for_a_pending_mailbox_asks_for_a_verification,
    deletion_returns_the_slot_once,
    ids_of_another_workspace_are_unknown,
);

async fn every_member_changes_alone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let bystander = tenant.add(mailbox("bystander")).await;
    let mut expected = tenant.add(tagged("dana", &["north"])).await;
    let name = "Dana 'D' \"\\ %_ ü".to_owned();
    let changes: [Change; 6] = [
        (MailboxChange { display_name: Some(name), ..Default::default() }, |m| {
            m.display_name = "Dana 'D' \"\\ %_ ü".to_owned();
        }),
        (MailboxChange { daily_send_limit: Some(50), ..Default::default() }, |m| m.daily_send_limit = 50),
        (MailboxChange { signature: Some(Some("<b>D</b>\n".to_owned())), ..Default::default() }, |m| {
            m.signature = Some("<b>D</b>\n".to_owned());
        }),
        (MailboxChange { tags: Some(vec!["süd".to_owned(), "x".to_owned()]), ..Default::default() }, |m| {
            m.tags = vec!["süd".to_owned(), "x".to_owned()];
        }),
        (MailboxChange { signature: Some(None), tags: Some(vec![]), ..Default::default() }, |m| {
            m.signature = None;
            m.tags.clear();
        }),
        (MailboxChange { sending_enabled: Some(true), ..Default::default() }, |m| m.sending_enabled = true),
    ];
    for (change, apply) in changes {
        let changed = store.change_mailbox(tenant.workspace, expected.id, change.clone()).await.unwrap();
        apply(&mut expected);
        assert!(changed.updated_at >= expected.updated_at);
        expected.updated_at = changed.updated_at;
        assert_eq!(changed, expected, "{change:?}");
        assert_eq!(store.find_mailbox(tenant.workspace, expected.id).await.unwrap(), expected);
    }
    assert_eq!(store.find_mailbox(tenant.workspace, bystander.id).await.unwrap(), bystander);
}

async fn an_empty_change_changes_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let before = tenant.add(mailbox("dana")).await;
    database.execute("UPDATE mailboxes SET updated_at = 1000");
    let after = store.change_mailbox(tenant.workspace, before.id, MailboxChange::default()).await.unwrap();
    assert_eq!((after.updated_at.millis(), after.display_name), (1000, before.display_name));
}

async fn sending_wished_for_a_pending_mailbox_asks_for_a_verification(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let pending = tenant.add(mailbox("pending")).await.id;
    let active = tenant.add(mailbox("active")).await.id;
    let unverified = tenant.add(mailbox("unverified")).await.id;
    store.settle_verification(active, accepted()).await.unwrap();
    database.execute(&format!("UPDATE mailboxes SET status = 'pending' WHERE id = '{pending}'"));
    database.execute("DELETE FROM queue_messages");

    let wish = async |id, sending_enabled| {
        let change = MailboxChange { sending_enabled: Some(sending_enabled), ..Default::default() };
        store.change_mailbox(tenant.workspace, id, change).await.unwrap()
    };
    wish(active, false).await;
    wish(active, true).await;
    wish(unverified, true).await;
    wish(pending, false).await;
    assert_eq!(database.count("queue_messages"), 0, "only a pending mailbox needs it");
    assert_eq!(wish(pending, true).await.status, MailboxStatus::Pending);
    wish(pending, true).await;
    assert_eq!(database.text("SELECT event_type AS value FROM queue_messages"), "mailbox.verification_requested");
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (1, 0));
    assert_eq!(store.queue_depth(DNS_CHECKER_QUEUE).await.unwrap(), (0, 0));
    assert!(store.verification_job(pending).await.unwrap().is_some());
}

async fn deletion_returns_the_slot_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("bystander")).await;
    let id = tenant.add(mailbox("dana")).await.id;
    store.settle_verification(id, accepted()).await.unwrap();
    store.delete_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!((tenant.usage().await, database.count("mailboxes")), (1, 1));
    for _ in 0..2 {
        let again = store.delete_mailbox(tenant.workspace, id).await;
        assert!(matches!(again, Err(CoreError::NotFound("mailbox"))), "{again:?}");
    }
    assert_eq!(tenant.usage().await, 1);
    assert!(matches!(store.find_mailbox(tenant.workspace, id).await, Err(CoreError::NotFound(_))));
    assert!(matches!(store.connection_test(tenant.workspace, id).await, Err(CoreError::NotFound(_))));
    assert_eq!(database.count("verification_results"), 0);
    assert!(store.verification_job(id).await.unwrap().is_none());
    assert!(store.mailbox_for_dns_check(id).await.unwrap().is_none());
    tenant.add(mailbox("dana")).await;
}

async fn ids_of_another_workspace_are_unknown(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let mine = tenant.add(mailbox("dana")).await;
    for id in [mine.id, MailboxId::new()] {
        let other = sibling.workspace;
        let change = MailboxChange { display_name: Some("taken over".to_owned()), ..Default::default() };
        assert!(matches!(store.find_mailbox(other, id).await, Err(CoreError::NotFound("mailbox"))));
        assert!(matches!(store.change_mailbox(other, id, change).await, Err(CoreError::NotFound("mailbox"))));
        assert!(matches!(store.delete_mailbox(other, id).await, Err(CoreError::NotFound("mailbox"))));
        assert!(matches!(store.connection_test(other, id).await, Err(CoreError::NotFound("mailbox"))));
    }
    assert_eq!(store.find_mailbox(tenant.workspace, mine.id).await.unwrap(), mine);
    assert_eq!(store.connection_test(tenant.workspace, mine.id).await.unwrap(), ConnectionTest::Pending);
}

//! Deletions of many mailboxes in one request.

use std::time::Duration;

use shared_models::domain::{CoreError, DeletionId, MailboxId};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, accepted, mailbox};

contract!(
    mailboxes_that_exist_go_and_the_rest_is_reported,
    deletions_side_by_side_count_once,
    deletions_are_tenants_own
);

async fn mailboxes_that_exist_go_and_the_rest_is_reported(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (dana, otto) = (tenant.add(mailbox("dana")).await.id, tenant.add(mailbox("otto")).await.id);
    let foreign = tenant.sibling().await.add(mailbox("dana")).await.id;
    store.settle_verification(dana, accepted()).await.unwrap();
    let ids = vec![otto, MailboxId::new(), dana, foreign, otto];
    let deletion = store.delete_mailboxes(tenant.workspace, ids.clone()).await.unwrap();
    let emails: Vec<Option<&str>> = deletion.results.iter().map(|result| result.email.as_deref()).collect();
    assert_eq!(emails, [Some("otto@mail.example"), None, Some("dana@mail.example"), None, None]);
    assert_eq!(deletion.results.iter().map(|result| result.id).collect::<Vec<_>>(), ids);
    assert_eq!((tenant.usage().await, database.count("mailboxes"), database.count("verification_results")), (1, 1, 0));
    assert_eq!(store.deletion(tenant.workspace, deletion.id).await.unwrap(), deletion);
}

async fn deletions_side_by_side_count_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut ids = vec![];
    for n in 0..20 {
        ids.push(tenant.add(mailbox(&format!("m{n}"))).await.id);
    }
    let mut reversed = ids.clone();
    reversed.reverse();
    let (one, other) =
        tokio::join!(store.delete_mailboxes(tenant.workspace, ids), store.delete_mailboxes(tenant.workspace, reversed));
    let gone = [one.unwrap(), other.unwrap()];
    let count = gone.iter().flat_map(|deletion| &deletion.results).filter(|result| result.email.is_some()).count();
    assert_eq!((count, tenant.usage().await, database.count("mailboxes")), (20, 0, 0));
}

async fn deletions_are_tenants_own(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let deletion = store.delete_mailboxes(tenant.workspace, vec![]).await.unwrap();
    let sibling = tenant.sibling().await;
    for (workspace, id) in [(sibling.workspace, deletion.id), (tenant.workspace, DeletionId::new())] {
        assert!(matches!(store.deletion(workspace, id).await, Err(CoreError::NotFound("deletion"))));
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(store.purge_deletions(hour).await.unwrap(), 0);
    database.execute("UPDATE deletions SET created_at = 0");
    assert_eq!(store.purge_deletions(hour).await.unwrap(), 1);
}

//! The result of a refused mailbox after it is gone: for how long it is reported, and to whom.

use std::time::Duration;

use shared_models::domain::mailboxes::ConnectionTest;
use shared_models::domain::{CoreError, FailureCode, MailboxId};
use shared_models::store::Settlement;

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, WEEK, finding, kept, mailbox, refused};

contract!(it_is_bound_to_the_workspace, it_expires, only_what_has_expired_is_purged, unknown_mailboxes);

fn refused_for(keep_result: Duration) -> Settlement {
    Settlement::Refused { report: None, finding: finding(FailureCode::AuthBadCredentials), keep_result }
}

async fn it_is_bound_to_the_workspace(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let id = tenant.add(mailbox("dana")).await.id;
    store.settle_verification(id, refused()).await.unwrap();
    assert!(matches!(store.connection_test(tenant.workspace, id).await, Ok(ConnectionTest::Failed(_))));
    assert!(matches!(store.connection_test(sibling.workspace, id).await, Err(CoreError::NotFound("mailbox"))));
}

async fn it_expires(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.add(mailbox("dana")).await.id;
    store.settle_verification(id, refused_for(WEEK)).await.unwrap();
    let until: i64 = database
        .text("SELECT CAST(expires_at - settled_at AS TEXT) AS value FROM verification_results")
        .parse()
        .unwrap();
    assert!((until - 7 * 86_400_000).abs() < 60_000, "{until}");
    database.execute("UPDATE verification_results SET expires_at = 1000");
    assert!(matches!(store.connection_test(tenant.workspace, id).await, Err(CoreError::NotFound("mailbox"))));
    let at_once = tenant.add(mailbox("otto")).await.id;
    store.settle_verification(at_once, refused_for(Duration::ZERO)).await.unwrap();
    assert!(matches!(store.connection_test(tenant.workspace, at_once).await, Err(CoreError::NotFound("mailbox"))));
}

async fn only_what_has_expired_is_purged(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (gone, fresh, here) = (
        tenant.add(mailbox("gone")).await.id,
        tenant.add(mailbox("fresh")).await.id,
        tenant.add(kept("here")).await.id,
    );
    store.settle_verification(gone, refused_for(Duration::ZERO)).await.unwrap();
    store.settle_verification(fresh, refused_for(WEEK)).await.unwrap();
    store.settle_verification(here, refused_for(Duration::ZERO)).await.unwrap();
    assert_eq!(store.purge_expired_results().await.unwrap(), 1);
    assert_eq!(store.purge_expired_results().await.unwrap(), 0);
    assert_eq!(database.count("verification_results"), 2);
    for id in [fresh, here] {
        assert!(matches!(store.connection_test(tenant.workspace, id).await, Ok(ConnectionTest::Failed(_))));
    }
}

async fn unknown_mailboxes(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let unknown = store.connection_test(tenant.workspace, MailboxId::new()).await;
    assert!(matches!(unknown, Err(CoreError::NotFound("mailbox"))));
}

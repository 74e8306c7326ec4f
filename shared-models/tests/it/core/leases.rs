//! Messages of dead and of slow consumers.

use std::time::Duration;

use shared_models::domain::Timestamp;
use shared_models::events::{DNS_CHECKER_QUEUE, VERIFIER_QUEUE};

use crate::core::queue::{LONG, claim, claim_one, until_due};
use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, mailbox};

contract!(a_lease_that_ran_out_frees_the_message, a_renewed_lease_holds, the_owner_of_the_file_frees_everything);

const SHORT: Duration = Duration::from_millis(40);

async fn a_lease_that_ran_out_frees_the_message(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    let before = Timestamp::now();
    let first = store.claim_messages(VERIFIER_QUEUE, 1, SHORT).await.unwrap().remove(0);
    let due = store.next_message_at(VERIFIER_QUEUE).await.unwrap().unwrap();
    assert!(due >= before.plus(SHORT), "the end of the lease");
    until_due(&store).await;
    let second = claim_one(&store).await;
    assert_eq!((second.id, second.attempt, second.deliveries), (first.id, 1, 2), "an interrupted try does not count");
    assert_ne!(second.lease, first.lease);

    // The first consumer was only slow. Its answer is about a message that it no longer holds.
    store.ack_message(&first).await.unwrap();
    store.return_message(VERIFIER_QUEUE, &first, Duration::ZERO, true).await.unwrap();
    store.park_message(&first, "late".to_owned()).await.unwrap();
    store.renew_leases(vec![(first.id, first.lease.clone())], Duration::ZERO).await.unwrap();
    assert!(claim(&store, 1).await.is_empty());
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (1, 0));
    store.ack_message(&second).await.unwrap();
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (0, 0));
}

async fn a_renewed_lease_holds(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    tenant.add(mailbox("otto")).await;
    let claimed = store.claim_messages(VERIFIER_QUEUE, 2, SHORT).await.unwrap();
    store.renew_leases(vec![(claimed[0].id, claimed[0].lease.clone())], LONG).await.unwrap();
    until_due(&store).await;
    let free = claim_one(&store).await;
    assert_eq!(free.id, claimed[1].id, "only the other one's lease has run out");
    store.ack_message(&claimed[0]).await.unwrap();
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (1, 0));
}

async fn the_owner_of_the_file_frees_everything(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for name in ["a", "b", "c"] {
        tenant.add(mailbox(name)).await;
    }
    let returned = claim_one_of(&store).await;
    store.return_message(VERIFIER_QUEUE, &returned, LONG, true).await.unwrap();
    claim(&store, 2).await;
    store.claim_messages(DNS_CHECKER_QUEUE, 1, LONG).await.unwrap();
    drop(store);
    let store = database.open().await;
    assert!(claim(&store, 10).await.is_empty());
    assert_eq!(store.release_all_leases().await.unwrap(), 3);
    let freed = claim(&store, 10).await;
    assert_eq!(freed.len(), 2, "a message that waits for its next try goes on waiting");
    assert!(freed.iter().all(|message| message.deliveries == 2 && message.attempt == 1));
    assert_eq!(store.claim_messages(DNS_CHECKER_QUEUE, 10, LONG).await.unwrap().len(), 3);
}

async fn claim_one_of(store: &shared_models::store::Store) -> shared_models::store::queue::ClaimedMessage {
    claim(store, 1).await.remove(0)
}

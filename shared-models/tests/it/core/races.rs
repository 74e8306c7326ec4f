//! Many requests and workers at the same moment.

use std::pin::Pin;
use std::sync::Arc;

use shared_models::domain::mailboxes::ConnectionTest;
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{CoreError, Mailbox, MailboxId, MailboxStatus};
use shared_models::store::{Settled, Settlement};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, UNLIMITED, accepted, kept, mailbox, refused};

contract!(
    the_last_slot_is_taken_once,
    one_of_many_equal_addresses_wins,
    a_mixed_crowd_is_told_apart,
    refusals_and_creates_of_one_address_do_not_block_each_other,
    a_claim_is_exclusive_between_processes,
    a_mailbox_is_settled_once,
    acceptance_and_refusal_do_not_mix,
    refusal_and_deletion_return_one_slot,
    a_workspace_is_not_closed_over_a_new_mailbox,
);

/// Enough to meet a race that the store does not guard against.
const ROUNDS: usize = 12;

/// Does all of it at the same moment and returns the results in no order.
pub(crate) async fn at_once<T, F>(work: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let work: Vec<F> = work.into_iter().collect();
    let start = Arc::new(Barrier::new(work.len()));
    let mut tasks = JoinSet::new();
    for one in work {
        let start = start.clone();
        tasks.spawn(async move {
            start.wait().await;
            one.await
        });
    }
    tasks.join_all().await
}

async fn the_last_slot_is_taken_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 5).await;
    for name in ["a", "b", "c", "d"] {
        tenant.add(mailbox(name)).await;
    }
    let results =
        at_once(
            (0..24).map(|n| {
                let tenant = tenant.clone();
                async move {
                    tenant.store.create_mailbox(tenant.workspace, tenant.owner, mailbox(&format!("racer{n}"))).await
                }
            }),
        )
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, CoreError::LimitExceeded { usage: 5, limit: 5, requested: 1 }), "{error}");
    }
    assert_eq!((tenant.usage().await, database.count("mailboxes"), database.count("queue_messages")), (5, 5, 10));
}

async fn one_of_many_equal_addresses_wins(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 100).await;
    let results = at_once((0..16).map(|_| {
        let tenant = tenant.clone();
        async move { tenant.store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, CoreError::AlreadyExists), "{error}");
    }
    assert_eq!((tenant.usage().await, database.count("mailboxes"), database.count("queue_messages")), (1, 1, 2));
}

/// Owners with room, without room and without a subscription, a closed workspace, and equal addresses, all at once:
/// on PostgreSQL they meet in the same batches.
async fn a_mixed_crowd_is_told_apart(database: TestDatabase) {
    let store = database.open().await;
    let limited = Plan { subscription_active: true, max_mailboxes: Some(3) };
    let inactive = Plan { subscription_active: false, max_mailboxes: None };
    let free = Tenant::with_plan(&store, "free@tenant.example", UNLIMITED).await;
    let narrow = Tenant::with_plan(&store, "narrow@tenant.example", limited).await;
    let unpaid = Tenant::with_plan(&store, "unpaid@tenant.example", inactive).await;
    let closed = free.sibling().await;
    store.delete_workspace(closed.workspace).await.unwrap();
    for round in 0..ROUNDS {
        // Three of each address for the first owner; the others have one slot for five, or none.
        let crowd = (0..9).map(|n| (free.clone(), n / 3)).chain((10..15).map(|n| (narrow.clone(), n)));
        let crowd = crowd.chain([(unpaid.clone(), 20), (closed.clone(), 21)]);
        let results = at_once(crowd.map(|(tenant, n)| async move {
            let new = mailbox(&format!("m{round}-{n}"));
            let result = tenant.store.create_mailbox(tenant.workspace, tenant.owner, new).await;
            (tenant.workspace, result)
        }))
        .await;
        let of = |tenant: &Tenant, wanted: fn(&Result<Mailbox, CoreError>) -> bool| {
            results.iter().filter(|(workspace, result)| *workspace == tenant.workspace && wanted(result)).count()
        };
        assert_eq!(of(&free, |r| r.is_ok()), 3);
        assert_eq!(of(&free, |r| matches!(r, Err(CoreError::AlreadyExists))), 6);
        assert_eq!(of(&narrow, |r| r.is_ok()), if round == 0 { 3 } else { 0 });
        let full = of(&narrow, |r| matches!(r, Err(CoreError::LimitExceeded { usage: 3, limit: 3, requested: 1 })));
        assert_eq!(full, if round == 0 { 2 } else { 5 });
        assert_eq!(of(&unpaid, |r| matches!(r, Err(CoreError::SubscriptionRequired))), 1);
        assert_eq!(of(&closed, |r| matches!(r, Err(CoreError::NotFound("workspace")))), 1);
    }
    assert_eq!((free.usage().await, narrow.usage().await, unpaid.usage().await), (3 * ROUNDS as i64, 3, 0));
    assert_eq!(
        database.count("queue_messages"),
        2 * (3 * ROUNDS as i64 + 3),
        "two queues want each event, nothing else"
    );
}

/// Each waits for the other's row and for the owner's counter; in the wrong order that is a deadlock.
async fn refusals_and_creates_of_one_address_do_not_block_each_other(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for _ in 0..ROUNDS {
        let mut ids = vec![];
        for n in 0..8 {
            ids.push(tenant.add(mailbox(&format!("dana{n}"))).await.id);
        }
        let refusals = ids.into_iter().map(|id| {
            let tenant = tenant.clone();
            Box::pin(async move {
                assert_eq!(tenant.store.settle_verification(id, refused()).await.unwrap(), Settled::Stored)
            }) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        let creates = (0..8).map(|n| {
            let tenant = tenant.clone();
            Box::pin(async move {
                let new = mailbox(&format!("dana{n}"));
                match tenant.store.create_mailbox(tenant.workspace, tenant.owner, new).await {
                    Ok(again) => tenant.store.delete_mailbox(tenant.workspace, again.id).await.unwrap(),
                    Err(CoreError::AlreadyExists) => {}
                    Err(error) => panic!("{error}"),
                }
            }) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        at_once(refusals.chain(creates)).await;
        assert_eq!((tenant.usage().await, database.count("mailboxes")), (0, 0));
    }
}

/// SQLite has one process only, so nobody is kept out.
async fn a_claim_is_exclusive_between_processes(database: TestDatabase) {
    let (here, elsewhere) = (database.open().await, database.open().await);
    let (dana, otto) = (MailboxId::new(), MailboxId::new());
    let is_shared = matches!(database, TestDatabase::Postgres(_));
    let claim = here.claim_mailbox(dana).await.unwrap().unwrap();
    assert_eq!(elsewhere.claim_mailbox(dana).await.unwrap().is_none(), is_shared);
    assert!(elsewhere.claim_mailbox(otto).await.unwrap().is_some());
    drop(claim);
    until(async || elsewhere.claim_mailbox(dana).await.unwrap().is_some()).await;
    // The claim ends with the process, when the server sees its connection end.
    until(async || here.claim_mailbox(dana).await.unwrap().map(std::mem::forget).is_some()).await;
    if is_shared {
        assert!(elsewhere.claim_mailbox(dana).await.unwrap().is_none(), "not frozen for long");
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'");
    }
    until(async || elsewhere.claim_mailbox(dana).await.unwrap().is_some()).await;
    // Its old claim is lost, but it can make new ones.
    until(async || here.claim_mailbox(otto).await.is_ok_and(|claim| claim.is_some())).await;
}

/// Waits for a state that nothing announces.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.expect("it did not come");
}

async fn a_mailbox_is_settled_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("bystander")).await;
    for (new, settlement, left) in
        [(mailbox("a"), refused(), 1), (kept("b"), refused(), 2), (mailbox("c"), accepted(), 3)]
    {
        let id = tenant.add(new).await.id;
        let results = at_once((0..8).map(|_| {
            let (store, settlement) = (store.clone(), settlement.clone());
            async move { store.settle_verification(id, settlement).await.unwrap() }
        }))
        .await;
        assert_eq!(results.iter().filter(|settled| **settled == Settled::Stored).count(), 1);
        assert_eq!((tenant.usage().await, database.count("mailboxes")), (left, left));
    }
}

async fn acceptance_and_refusal_do_not_mix(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for round in 0..ROUNDS {
        let id = tenant.add(mailbox(&format!("m{round}"))).await.id;
        let results = at_once([accepted(), refused()].map(|settlement| {
            let store = store.clone();
            let accepts = matches!(settlement, Settlement::Accepted { .. });
            async move { (accepts, store.settle_verification(id, settlement).await.unwrap()) }
        }))
        .await;
        let winners: Vec<bool> = results
            .into_iter()
            .filter(|(_, settled)| *settled == Settled::Stored)
            .map(|(accepts, _)| accepts)
            .collect();
        let test = store.connection_test(tenant.workspace, id).await.unwrap();
        let found = store.find_mailbox(tenant.workspace, id).await;
        match winners[..] {
            [true] => {
                assert_eq!((test, found.unwrap().status), (ConnectionTest::Passed, MailboxStatus::Active));
            }
            [false] => {
                assert!(matches!(test, ConnectionTest::Failed(_)));
                assert!(matches!(found, Err(CoreError::NotFound(_))));
            }
            _ => panic!("both settlements counted"),
        }
        assert_eq!(tenant.usage().await, database.count("mailboxes"));
    }
}

async fn refusal_and_deletion_return_one_slot(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for round in 0..ROUNDS {
        let keeps = round % 2 == 0;
        let name = format!("m{round}");
        let id = tenant.add(if keeps { kept(&name) } else { mailbox(&name) }).await.id;
        let (settler, deleter) = (store.clone(), store.clone());
        let workspace = tenant.workspace;
        let (settled, deleted) = tokio::join!(
            tokio::spawn(async move { settler.settle_verification(id, refused()).await }),
            tokio::spawn(async move { deleter.delete_mailbox(workspace, id).await }),
        );
        let (settled, deleted) = (settled.unwrap().unwrap(), deleted.unwrap());
        match (settled, keeps) {
            (Settled::Stored, false) => assert!(matches!(deleted, Err(CoreError::NotFound(_))), "{deleted:?}"),
            (Settled::Stored, true) | (Settled::Superseded, _) => deleted.unwrap(),
        }
        assert_eq!((tenant.usage().await, database.count("mailboxes")), (0, 0));
        // A mailbox that the customer deleted has no result, and no result is kept for ever.
        let told = store.connection_test(workspace, id).await;
        assert_eq!(told.is_ok(), settled == Settled::Stored && !keeps, "{told:?}");
        assert_eq!(database.count("verification_results WHERE expires_at IS NULL"), 0);
    }
}

async fn a_workspace_is_not_closed_over_a_new_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for round in 0..ROUNDS {
        let workspace = store.create_workspace(tenant.owner, &format!("w{round}")).await.unwrap().id;
        let (closer, adder, owner) = (store.clone(), store.clone(), tenant.owner);
        let (closed, added) = tokio::join!(
            tokio::spawn(async move { closer.delete_workspace(workspace).await }),
            tokio::spawn(async move { adder.create_mailbox(workspace, owner, mailbox("dana")).await }),
        );
        let (closed, added) = (closed.unwrap(), added.unwrap());
        assert_ne!(closed.is_ok(), added.is_ok(), "{closed:?} {added:?}");
        assert_eq!(store.workspace(workspace).await.is_ok(), added.is_ok());
    }
    assert_eq!(tenant.usage().await, database.count("mailboxes"));
}

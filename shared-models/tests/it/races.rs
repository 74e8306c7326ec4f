//! What many requests and workers do at the same moment.

use std::sync::Arc;

use shared_models::domain::mailbox::ConnectionTest;
use shared_models::domain::{DomainError, MailboxStatus};
use shared_models::store::{Settled, Settlement};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::home::Home;
use crate::tenant::{Tenant, accepted, kept, mailbox, refused};

contract!(
    the_last_place_is_taken_once,
    one_of_many_equal_addresses_wins,
    a_mailbox_is_settled_once,
    acceptance_and_refusal_do_not_mix,
    refusal_and_deletion_give_one_place_back,
    a_workspace_is_not_closed_over_a_new_mailbox,
);

/// Enough to meet a race that the store does not guard against.
const ROUNDS: usize = 12;

/// Does all of it at the same moment and gives what came out, in no order.
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

async fn the_last_place_is_taken_once(home: Home) {
    let store = home.open().await;
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
        assert!(matches!(error, DomainError::LimitExceeded { usage: 5, limit: 5, requested: 1 }), "{error}");
    }
    assert_eq!((tenant.usage().await, home.count("mailboxes"), home.count("queue_messages")), (5, 5, 10));
}

async fn one_of_many_equal_addresses_wins(home: Home) {
    let store = home.open().await;
    let tenant = Tenant::limited(&store, 100).await;
    let results = at_once((0..16).map(|_| {
        let tenant = tenant.clone();
        async move { tenant.store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, DomainError::AlreadyExists), "{error}");
    }
    assert_eq!((tenant.usage().await, home.count("mailboxes"), home.count("queue_messages")), (1, 1, 2));
}

async fn a_mailbox_is_settled_once(home: Home) {
    let store = home.open().await;
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
        assert_eq!((tenant.usage().await, home.count("mailboxes")), (left, left));
    }
}

async fn acceptance_and_refusal_do_not_mix(home: Home) {
    let store = home.open().await;
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
                assert!(matches!(found, Err(DomainError::NotFound(_))));
            }
            _ => panic!("both settlements counted"),
        }
        assert_eq!(tenant.usage().await, home.count("mailboxes"));
    }
}

async fn refusal_and_deletion_give_one_place_back(home: Home) {
    let store = home.open().await;
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
            (Settled::Stored, false) => assert!(matches!(deleted, Err(DomainError::NotFound(_))), "{deleted:?}"),
            (Settled::Stored, true) | (Settled::Superseded, _) => deleted.unwrap(),
        }
        assert_eq!((tenant.usage().await, home.count("mailboxes")), (0, 0));
        // What the customer deleted tells nothing any more, and no result is kept for ever.
        let told = store.connection_test(workspace, id).await;
        assert_eq!(told.is_ok(), settled == Settled::Stored && !keeps, "{told:?}");
        assert_eq!(home.count("verification_results WHERE expires_at IS NULL"), 0);
    }
}

async fn a_workspace_is_not_closed_over_a_new_mailbox(home: Home) {
    let store = home.open().await;
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
    assert_eq!(tenant.usage().await, home.count("mailboxes"));
}

//! The overview of all tenants for the operator.

use shared_models::domain::Timestamp;
use shared_models::domain::tenancy::{KeyReach, Plan};
use shared_models::store::{KeyOverview, NewApiKey, OwnerOverview, Store};

use crate::support::database::TestDatabase;
use crate::support::kinds::{KINDS, OF_OWNER};
use crate::support::tenant::{Tenant, UNLIMITED, mailbox};

contract!(
    owners_are_listed_with_their_usage,
    workspaces_are_listed_with_their_mailboxes,
    keys_are_listed_with_names,
    the_last_use_of_a_key_is_recorded_to_the_minute
);

async fn owners_are_listed_with_their_usage(database: TestDatabase) {
    let store = database.open().await;
    assert_eq!(store.list_owners().await.unwrap(), []);
    let tenant = Tenant::limited(&store, 3).await;
    tenant.sibling().await;
    let closed = store.create_workspace(tenant.owner, "closed").await.unwrap();
    store.delete_workspace(closed.id).await.unwrap();
    let other = store
        .create_owner("other@tenant.example", Plan { subscription_active: false, max_mailboxes: None })
        .await
        .unwrap();
    store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await.unwrap();
    let listed = store.list_owners().await.unwrap();
    let owner = store.owner(tenant.owner).await.unwrap();
    assert_eq!(owner.mailbox_usage, 1);
    assert_eq!(
        listed,
        [OwnerOverview { owner, workspaces: 2 }, OwnerOverview { owner: other, workspaces: 0 }],
        "oldest first"
    );
}

async fn workspaces_are_listed_with_their_mailboxes(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let other = Tenant::with_plan(&store, "other@tenant.example", UNLIMITED).await;
    for (tenant, name) in [(&tenant, "a"), (&tenant, "b"), (&other, "a")] {
        store.create_mailbox(tenant.workspace, tenant.owner, mailbox(name)).await.unwrap();
    }
    let closed = store.create_workspace(tenant.owner, "closed").await.unwrap();
    store.delete_workspace(closed.id).await.unwrap();
    let listed = store.list_workspaces().await.unwrap();
    let of = |tenant: &Tenant| listed.iter().find(|listed| listed.workspace.id == tenant.workspace).unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!([of(&tenant).mailboxes, of(&sibling).mailboxes, of(&other).mailboxes], [2, 0, 1]);
    assert_eq!(of(&sibling).owner_email, "owner@tenant.example");
    assert_eq!(of(&other).owner_email, "other@tenant.example");
}

async fn keys_are_listed_with_names(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for kind in KINDS {
        let workspace = (kind.reach == KeyReach::Workspace).then_some(tenant.workspace);
        store.create_api_key(NewApiKey { kind, owner: tenant.owner, workspace, scopes: vec![] }).await.unwrap();
    }
    store.delete_workspace(tenant.workspace).await.unwrap();
    for listed in store.list_api_keys().await.unwrap() {
        let bound = listed.key.kind != OF_OWNER.name;
        assert_eq!(listed.workspace_name.as_deref(), bound.then_some("default"));
        assert_eq!((listed.owner_email.as_str(), listed.last_used_at), ("owner@tenant.example", None));
        assert_eq!((listed.key.revoked_at.is_some(), listed.replaces), (bound, None));
    }
}

async fn only_key(store: &Store) -> KeyOverview {
    let mut all = store.list_api_keys().await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Waits until a use after `before` is recorded.
async fn used_since(store: &Store, before: Timestamp) -> Timestamp {
    loop {
        match only_key(store).await.last_used_at {
            Some(at) if at >= before => return at,
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn the_last_use_of_a_key_is_recorded_to_the_minute(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let kind = OF_OWNER;
    let new = NewApiKey { kind, owner: tenant.owner, workspace: None, scopes: vec![] };
    let (_, text) = store.create_api_key(new).await.unwrap();
    let begin = Timestamp::now();
    store.authenticate(text.clone(), &KINDS).await.unwrap();
    let first = used_since(&store, begin).await;
    for _ in 0..20 {
        store.authenticate(text.clone(), &KINDS).await.unwrap();
    }
    // A process that starts anew knows of no use but the recorded one.
    let other = database.open().await;
    other.authenticate(text.clone(), &KINDS).await.unwrap();
    assert_eq!(only_key(&store).await.last_used_at, Some(first), "not yet a minute old");

    database.execute("UPDATE api_keys SET last_used_at = last_used_at - 60000");
    let before = Timestamp::now();
    other.authenticate(text, &KINDS).await.unwrap();
    used_since(&store, before).await;
}

//! Workspaces: names, and when they can be closed.

use shared_models::domain::{CoreError, WorkspaceId};
use shared_models::store::NewApiKey;

use crate::support::database::TestDatabase;
use crate::support::kinds::{KINDS, OF_OWNER, ONE_OF_WORKSPACE};
use crate::support::tenant::{Tenant, UNLIMITED, mailbox};

contract!(
    names_are_unique_within_an_owner,
    they_are_listed_oldest_first,
    one_with_mailboxes_is_not_deleted,
    deletion_revokes_its_keys_and_frees_its_name,
    unknown_workspaces,
);

async fn names_are_unique_within_an_owner(database: TestDatabase) {
    let store = database.open().await;
    let dana = store.create_owner("dana@tenant.example", UNLIMITED).await.unwrap().id;
    let otto = store.create_owner("otto@tenant.example", UNLIMITED).await.unwrap().id;
    let sales = store.create_workspace(dana, "sales").await.unwrap();
    assert!(matches!(store.create_workspace(dana, "sales").await, Err(CoreError::AlreadyExists)));
    let others = store.create_workspace(otto, "sales").await.unwrap();
    assert_eq!(store.workspaces_named("sales").await.unwrap(), [sales.clone(), others]);

    let support = store.create_workspace(dana, "support").await.unwrap();
    let taken = store.rename_workspace(support.id, "sales".to_owned()).await;
    assert!(matches!(taken, Err(CoreError::AlreadyExists)));
    assert_eq!(store.workspace(support.id).await.unwrap(), support);
    store.rename_workspace(sales.id, "sales 2".to_owned()).await.unwrap();
    store.rename_workspace(support.id, "sales".to_owned()).await.unwrap();
    assert_eq!(store.workspace(sales.id).await.unwrap().name, "sales 2");
}

async fn they_are_listed_oldest_first(database: TestDatabase) {
    let store = database.open().await;
    let dana = store.create_owner("dana@tenant.example", UNLIMITED).await.unwrap().id;
    let otto = store.create_owner("otto@tenant.example", UNLIMITED).await.unwrap().id;
    for name in ["c", "a", "b"] {
        store.create_workspace(dana, name).await.unwrap();
        store.create_workspace(otto, name).await.unwrap();
    }
    let listed = store.workspaces_of(dana).await.unwrap();
    assert_eq!(listed.iter().map(|w| w.name.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
    for workspace in listed {
        assert!(store.owns_workspace(dana, workspace.id).await.unwrap());
        assert!(!store.owns_workspace(otto, workspace.id).await.unwrap());
        assert_eq!(store.workspace(workspace.id).await.unwrap(), workspace);
    }
}

async fn one_with_mailboxes_is_not_deleted(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mailbox = tenant.add(mailbox("dana")).await;
    assert_eq!(store.count_mailboxes(tenant.workspace).await.unwrap(), 1);
    let refused = store.delete_workspace(tenant.workspace).await;
    assert!(matches!(refused, Err(CoreError::Conflict(_))), "{refused:?}");
    assert!(store.workspace(tenant.workspace).await.is_ok());
    store.delete_mailbox(tenant.workspace, mailbox.id).await.unwrap();
    store.delete_workspace(tenant.workspace).await.unwrap();
}

async fn deletion_revokes_its_keys_and_frees_its_name(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let mut keys = vec![];
    for workspace in [Some(tenant.workspace), Some(sibling.workspace), None] {
        let kind = workspace.map_or(OF_OWNER, |_| ONE_OF_WORKSPACE);
        let new = NewApiKey { kind, owner: tenant.owner, workspace, scopes: vec![] };
        keys.push(store.create_api_key(new).await.unwrap().1);
    }
    store.delete_workspace(tenant.workspace).await.unwrap();

    assert!(matches!(store.authenticate(keys[0].clone(), &KINDS).await, Err(CoreError::Unauthenticated)));
    assert!(store.authenticate(keys[1].clone(), &KINDS).await.is_ok(), "the sibling's key");
    assert!(store.authenticate(keys[2].clone(), &KINDS).await.is_ok(), "the owner's key");
    assert!(!store.owns_workspace(tenant.owner, tenant.workspace).await.unwrap());
    assert!(matches!(store.workspace(tenant.workspace).await, Err(CoreError::NotFound(_))));
    assert!(matches!(store.delete_workspace(tenant.workspace).await, Err(CoreError::NotFound(_))));
    let left: Vec<_> = store.workspaces_of(tenant.owner).await.unwrap().iter().map(|w| w.id).collect();
    assert_eq!(left, [sibling.workspace]);
    let again = store.create_workspace(tenant.owner, "default").await.unwrap();
    assert_ne!(again.id, tenant.workspace);
}

async fn unknown_workspaces(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let nowhere = WorkspaceId::new();
    assert!(matches!(store.workspace(nowhere).await, Err(CoreError::NotFound(_))));
    assert!(matches!(store.delete_workspace(nowhere).await, Err(CoreError::NotFound(_))));
    assert!(!store.owns_workspace(tenant.owner, nowhere).await.unwrap());
    assert_eq!(store.workspaces_named("nowhere").await.unwrap(), []);
}

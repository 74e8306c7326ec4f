//! Keys that are replaced: both open during the overlap, and the old one stops by the clock alone.

use std::time::Duration;

use shared_models::domain::tenancy::{ApiKey, KeyKind, KeyReach, KeyText};
use shared_models::domain::{ApiKeyId, CoreError, Timestamp};
use shared_models::store::NewApiKey;

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::support::kinds::{KINDS, OF_OWNER, OF_WORKSPACE, ONE_OF_WORKSPACE};
use crate::support::tenant::Tenant;

contract!(
    both_keys_open_until_the_overlap_ends,
    the_overlap_may_be_nothing,
    the_new_key_opens_what_the_old_one_opened,
    a_second_rotation_waits_for_the_first,
    of_many_rotations_at_once_one_is_made,
    an_ended_key_is_not_rotated,
    during_the_overlap_no_third_key_is_made,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn make(tenant: &Tenant, kind: KeyKind, scopes: &[&str]) -> (ApiKey, KeyText) {
    let workspace = (kind.reach == KeyReach::Workspace).then_some(tenant.workspace);
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    tenant.store.create_api_key(NewApiKey { kind, owner: tenant.owner, workspace, scopes }).await.unwrap()
}

async fn opens(tenant: &Tenant, text: &KeyText) -> bool {
    match tenant.store.authenticate(text.clone(), &KINDS).await {
        Ok(_) => true,
        Err(CoreError::Unauthenticated) => false,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CoreError>, why: &str) {
    match result {
        Err(CoreError::Conflict(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?}"),
    }
}

fn pass(database: &TestDatabase, key: ApiKeyId) {
    let now = Timestamp::now().millis();
    database.execute(&format!("UPDATE api_keys SET expires_at = {now} WHERE id = '{key}'"));
}

async fn both_keys_open_until_the_overlap_ends(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let (old, old_text) = make(&tenant, ONE_OF_WORKSPACE, &[]).await;
    let before = Timestamp::now();
    let rotated = tenant.store.rotate_api_key(old.id, &KINDS, DAY).await.unwrap();
    let end = rotated.replaced.expires_at.unwrap();
    assert!(end >= before.plus(DAY) && end <= Timestamp::now().plus(DAY), "{end:?}");
    assert_eq!(rotated.replaced, ApiKey { expires_at: Some(end), ..old.clone() });
    assert_ne!(rotated.text.expose(), old_text.expose());
    assert!(opens(&tenant, &old_text).await && opens(&tenant, &rotated.text).await);
    let listed = tenant.store.list_api_keys().await.unwrap();
    assert_eq!(listed.iter().map(|key| key.replaces).collect::<Vec<_>>(), [None, Some(old.id)]);

    pass(&database, old.id);
    assert!(!opens(&tenant, &old_text).await && opens(&tenant, &rotated.text).await);
}

async fn the_overlap_may_be_nothing(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let (old, old_text) = make(&tenant, ONE_OF_WORKSPACE, &[]).await;
    let rotated = tenant.store.rotate_api_key(old.id, &KINDS, Duration::ZERO).await.unwrap();
    assert!(!opens(&tenant, &old_text).await && opens(&tenant, &rotated.text).await);
    tenant.store.rotate_api_key(rotated.key.id, &KINDS, Duration::ZERO).await.unwrap();
}

async fn the_new_key_opens_what_the_old_one_opened(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    for (kind, scopes) in [(OF_OWNER, &[][..]), (OF_WORKSPACE, &["sender_accounts:read", "campaigns:all"])] {
        let (old, _) = make(&tenant, kind, scopes).await;
        let rotated = tenant.store.rotate_api_key(old.id, &KINDS, DAY).await.unwrap();
        let ApiKey { id, hint, created_at, .. } = rotated.key.clone();
        assert_eq!(rotated.key, ApiKey { id, hint, created_at, ..old });
        assert_eq!(tenant.store.authenticate(rotated.text, &KINDS).await.unwrap(), rotated.key);
    }
}

async fn a_second_rotation_waits_for_the_first(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    for kind in KINDS {
        let (old, old_text) = make(&tenant, kind, &[]).await;
        let new = tenant.store.rotate_api_key(old.id, &KINDS, DAY).await.unwrap();
        refused(tenant.store.rotate_api_key(old.id, &KINDS, DAY).await, "being replaced already");
        refused(tenant.store.rotate_api_key(new.key.id, &KINDS, Duration::ZERO).await, "the key before it still works");
        assert!(opens(&tenant, &old_text).await && opens(&tenant, &new.text).await, "nothing has changed");
        tenant.store.revoke_api_key(old.id).await.unwrap();
        let newest = tenant.store.rotate_api_key(new.key.id, &KINDS, DAY).await.unwrap();
        pass(&database, new.key.id);
        tenant.store.rotate_api_key(newest.key.id, &KINDS, DAY).await.unwrap();
    }
}

async fn of_many_rotations_at_once_one_is_made(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    for kind in KINDS {
        let (old, _) = make(&tenant, kind, &[]).await;
        let before = database.count("api_keys");
        let store = &tenant.store;
        let results = at_once((0..8).map(|_| {
            let store = store.clone();
            async move { store.rotate_api_key(old.id, &KINDS, DAY).await }
        }))
        .await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for result in results.into_iter().filter(Result::is_err) {
            refused(result, "being replaced already");
        }
        assert_eq!(database.count("api_keys"), before + 1);
    }
}

async fn an_ended_key_is_not_rotated(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let (old, _) = make(&tenant, ONE_OF_WORKSPACE, &[]).await;
    let new = tenant.store.rotate_api_key(old.id, &KINDS, Duration::ZERO).await.unwrap();
    refused(tenant.store.rotate_api_key(old.id, &KINDS, DAY).await, "has been replaced");
    tenant.store.revoke_api_key(new.key.id).await.unwrap();
    refused(tenant.store.rotate_api_key(new.key.id, &KINDS, DAY).await, "is revoked");
    let (foreign, _) = make(&tenant, OF_WORKSPACE, &[]).await;
    refused(tenant.store.rotate_api_key(foreign.id, &[ONE_OF_WORKSPACE], DAY).await, "no dialect has keys");
    let unknown = tenant.store.rotate_api_key(ApiKeyId::new(), &KINDS, DAY).await;
    assert!(matches!(unknown, Err(CoreError::NotFound("key"))), "{unknown:?}");
}

async fn during_the_overlap_no_third_key_is_made(database: TestDatabase) {
    let tenant = Tenant::new(&database.open().await).await;
    let kind = ONE_OF_WORKSPACE;
    let (old, old_text) = make(&tenant, kind, &[]).await;
    let new = tenant.store.rotate_api_key(old.id, &KINDS, DAY).await.unwrap();
    let again = || NewApiKey { kind, owner: tenant.owner, workspace: Some(tenant.workspace), scopes: vec![] };
    assert!(matches!(tenant.store.create_api_key(again()).await, Err(CoreError::AlreadyExists)));
    // Without the successor the workspace has no lasting key; the one that is made may not be replaced yet.
    tenant.store.revoke_api_key(new.key.id).await.unwrap();
    let (third, _) = tenant.store.create_api_key(again()).await.unwrap();
    refused(tenant.store.rotate_api_key(third.id, &KINDS, DAY).await, "the key before it still works");
    assert!(opens(&tenant, &old_text).await);
    tenant.store.delete_workspace(tenant.workspace).await.unwrap();
    assert!(!opens(&tenant, &old_text).await, "closing the workspace ends both");
}

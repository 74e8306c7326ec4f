//! API keys: shown once, stored as a hash, revocable.

use shared_models::domain::tenancy::{ApiKey, KeyKind, KeyReach, KeyText};
use shared_models::domain::{ApiKeyId, CoreError};
use shared_models::store::{NewApiKey, Store};

use crate::core::races::at_once;
use crate::support::database::TestDatabase;
use crate::support::kinds::{KINDS, OF_OWNER, OF_WORKSPACE, ONE_OF_WORKSPACE};
use crate::support::tenant::Tenant;

contract!(
    every_kind_has_its_shape_and_opens,
    only_a_hash_is_stored,
    unknown_texts_open_nothing,
    keys_of_other_kinds_open_nothing,
    revocation_is_final,
    keys_with_the_same_beginning_are_told_apart,
    a_workspace_has_one_sendkit_key,
);

async fn list(store: &Store) -> Vec<ApiKey> {
    store.list_api_keys().await.unwrap().into_iter().map(|listed| listed.key).collect()
}

async fn make(tenant: &Tenant, kind: KeyKind) -> (ApiKey, KeyText) {
    let workspace = (kind.reach == KeyReach::Workspace).then_some(tenant.workspace);
    let scopes = vec!["mailboxes:read".to_owned(), "mailboxes:write".to_owned()];
    tenant.store.create_api_key(NewApiKey { kind, owner: tenant.owner, workspace, scopes }).await.unwrap()
}

fn is_unauthenticated<T>(result: &Result<T, CoreError>) -> bool {
    matches!(result, Err(CoreError::Unauthenticated))
}

async fn every_kind_has_its_shape_and_opens(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut made = vec![];
    for kind in KINDS {
        let (key, text) = make(&tenant, kind).await;
        assert_eq!(KeyKind::of_text(&KINDS, &text), Some(&kind));
        assert!(kind.body.fits(text.expose().strip_prefix(kind.prefix).unwrap()));
        assert_eq!(key.hint, text.expose()[..kind.prefix.len() + 8]);
        assert_eq!((&*key.kind, key.owner_id, key.scopes.len()), (kind.name, tenant.owner, 2));
        assert_eq!(key.workspace_id, (kind.reach == KeyReach::Workspace).then_some(tenant.workspace));
        assert_eq!(key.revoked_at, None);
        assert_eq!(store.authenticate(text, &KINDS).await.unwrap(), key);
        made.push(key);
    }
    assert_eq!(list(&store).await, made, "oldest first");
}

async fn only_a_hash_is_stored(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for kind in KINDS {
        let (key, text) = make(&tenant, kind).await;
        let stored = database.dump("api_keys");
        let secret = &text.expose()[key.hint.len()..];
        assert!(stored.contains(&key.hint) && !stored.contains(secret));
        let hash = ring::digest::digest(&ring::digest::SHA256, text.expose().as_bytes());
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert!(stored.contains(&hex), "SHA-256 of the whole text");
        assert!(!format!("{text:?}").contains(secret));
    }
}

async fn unknown_texts_open_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (_, text) = make(&tenant, ONE_OF_WORKSPACE).await;
    let good = text.expose();
    let last = if good.ends_with('0') { '1' } else { '0' };
    let altered = format!("{}{last}", &good[..good.len() - 1]);
    let as_other_kind = good.replacen("sk_", "sk_user_", 1);
    let upper = good.to_uppercase().replacen("SK_", "sk_", 1);
    for bad in [
        "",
        "sk_",
        "hello",
        &good[..11],
        &good[3..],
        &altered,
        &as_other_kind,
        &upper,
        &format!("{good}0"),
        &format!("{good} "),
    ] {
        assert!(is_unauthenticated(&store.authenticate(KeyText::new(bad), &KINDS).await), "{bad}");
    }
    assert!(store.authenticate(text, &KINDS).await.is_ok());
}

/// Which kinds a route accepts decides, also where the prefix of one is the beginning of another's.
async fn keys_of_other_kinds_open_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for kind in KINDS {
        let (key, text) = make(&tenant, kind).await;
        for accepted in KINDS {
            let found = store.authenticate(text.clone(), &[accepted]).await;
            assert_eq!(found.ok(), (accepted == kind).then(|| key.clone()), "{} {}", kind.name, accepted.name);
        }
        let others: Vec<KeyKind> = KINDS.into_iter().filter(|other| *other != kind).collect();
        assert!(is_unauthenticated(&store.authenticate(text.clone(), &others).await));
        assert!(is_unauthenticated(&store.authenticate(text, &[]).await));
    }
    // A stored kind that the text does not promise is a fault of the row.
    let (_, text) = make(&tenant, OF_WORKSPACE).await;
    let namesake = KeyKind { name: "another", ..OF_WORKSPACE };
    assert!(matches!(store.authenticate(text, &[namesake]).await, Err(CoreError::Internal(_))));
}

async fn revocation_is_final(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (key, text) = make(&tenant, OF_OWNER).await;
    let (kept, kept_text) = make(&tenant, OF_OWNER).await;
    let revoked = store.revoke_api_key(key.id).await.unwrap();
    assert!(revoked.revoked_at.is_some());
    assert!(is_unauthenticated(&store.authenticate(text, &KINDS).await));
    assert_eq!(store.revoke_api_key(key.id).await.unwrap(), revoked, "repeating it changes nothing");
    assert_eq!(list(&store).await, [revoked, kept.clone()]);
    assert_eq!(store.authenticate(kept_text, &KINDS).await.unwrap(), kept);
    assert!(matches!(store.revoke_api_key(ApiKeyId::new()).await, Err(CoreError::NotFound(_))));
}

/// The hint only narrows the search; the hash decides.
async fn keys_with_the_same_beginning_are_told_apart(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (one, one_text) = make(&tenant, OF_OWNER).await;
    let (other, other_text) = make(&tenant, OF_OWNER).await;
    database.execute(&format!("UPDATE api_keys SET hint = '{}' WHERE id = '{}'", one.hint, other.id));
    assert_eq!(store.authenticate(one_text, &KINDS).await.unwrap(), one);
    assert!(is_unauthenticated(&store.authenticate(other_text, &KINDS).await), "its hint is another now");
}

async fn a_workspace_has_one_sendkit_key(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let kind = ONE_OF_WORKSPACE;
    let create = |tenant: &Tenant| {
        let new = NewApiKey { kind, owner: tenant.owner, workspace: Some(tenant.workspace), scopes: vec![] };
        let store = store.clone();
        async move { store.create_api_key(new).await }
    };
    let mut made = vec![];
    for result in at_once((0..8).map(|_| create(&tenant))).await {
        match result {
            Ok((key, _)) => made.push(key),
            Err(error) => assert!(matches!(error, CoreError::AlreadyExists), "{error}"),
        }
    }
    assert_eq!(list(&store).await, made);
    assert_eq!(made.len(), 1);
    create(&tenant.sibling().await).await.unwrap();
    make(&tenant, OF_WORKSPACE).await;
    make(&tenant, OF_WORKSPACE).await;
    store.revoke_api_key(made[0].id).await.unwrap();
    create(&tenant).await.unwrap();
}

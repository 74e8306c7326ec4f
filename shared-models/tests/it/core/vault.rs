//! The master keys of a database: proven at every start, never replaced silently.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared_models::domain::CoreError;
use shared_models::store::LockedStore;
use shared_models::store::vault::KeyRing;
use tokio::task::JoinSet;

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, mailbox};

contract!(
    a_new_database_has_sealed_nothing,
    a_missing_key_is_a_loud_fault,
    a_wrong_key_is_a_loud_fault,
    the_first_key_of_a_ring_seals_and_all_open,
    a_key_that_seals_nothing_may_go,
    many_processes_may_bring_the_same_new_key,
    a_moved_ciphertext_does_not_open,
);

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// The text of the refusal, which shows no key.
async fn refusal(database: &TestDatabase, keys: &str) -> String {
    match database.unlock(keys).await {
        Ok(_) => panic!("unlocked"),
        Err(CoreError::Internal(text)) => {
            assert!((1..9).all(|byte| !text.contains(&key(byte))), "{text}");
            text
        }
        Err(other) => panic!("{other}"),
    }
}

async fn a_new_database_has_sealed_nothing(database: TestDatabase) {
    let locked = LockedStore::open(database.settings()).await.unwrap();
    assert!(!locked.has_sealed_secrets().await.unwrap());
    locked.unlock(KeyRing::parse(&key(1).into()).unwrap()).await.unwrap();
    assert!(LockedStore::open(database.settings()).await.unwrap().has_sealed_secrets().await.unwrap());
}

async fn a_missing_key_is_a_loud_fault(database: TestDatabase) {
    let store = database.unlock(&key(1)).await.unwrap();
    let id = Tenant::new(&store).await.add(mailbox("dana")).await.id;
    for other in [key(2), format!("b:{}", key(2))] {
        let text = refusal(&database, &other).await;
        assert!(text.contains("is missing") && text.contains("1 mailbox"), "{text}");
    }
    assert_eq!(database.count("master_keys"), 1, "the wrong key was not taken in");
    let store = database.unlock(&key(1)).await.unwrap();
    assert!(store.verification_job(id).await.is_ok());
}

async fn a_wrong_key_is_a_loud_fault(database: TestDatabase) {
    database.unlock(&format!("a:{}", key(1))).await.unwrap();
    for wrong in [format!("a:{}", key(2)), format!("a:{},b:{}", key(2), key(1)), format!("b:{},a:{}", key(1), key(2))] {
        let text = refusal(&database, &wrong).await;
        assert!(text.contains("'a'") && text.contains("is not the key"), "{text}");
    }
    // The same key under another name is another key: the database knows keys by their id.
    assert!(refusal(&database, &format!("z:{}", key(1))).await.contains("'a' is missing"));
    database.unlock(&format!("a:{}", key(1))).await.unwrap();
}

async fn the_first_key_of_a_ring_seals_and_all_open(database: TestDatabase) {
    let store = database.unlock(&format!("a:{}", key(1))).await.unwrap();
    let tenant = Tenant::new(&store).await;
    let old = tenant.add(mailbox("old")).await.id;
    let store = database.unlock(&format!("b:{},a:{}", key(2), key(1))).await.unwrap();
    let new = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("new")).await.unwrap().id;
    for (id, name) in [(old, "old"), (new, "new")] {
        let job = store.verification_job(id).await.unwrap().unwrap();
        assert_eq!(job.credentials, mailbox(name).credentials);
    }
    let sealed_by = database.texts("SELECT credentials_key_id AS value FROM mailboxes ORDER BY id");
    assert_eq!(sealed_by, [Some("a".to_owned()), Some("b".to_owned())]);
    for ring in [format!("a:{}", key(1)), format!("b:{}", key(2)), format!("c:{}", key(3))] {
        assert!(refusal(&database, &ring).await.contains("is missing"));
    }
}

async fn a_key_that_seals_nothing_may_go(database: TestDatabase) {
    let store = database.unlock(&format!("a:{}", key(1))).await.unwrap();
    let tenant = Tenant::new(&store).await;
    let old = tenant.add(mailbox("old")).await.id;
    let store = database.unlock(&format!("b:{},a:{}", key(2), key(1))).await.unwrap();
    let new = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("new")).await.unwrap().id;
    store.delete_mailbox(tenant.workspace, old).await.unwrap();
    let store = database.unlock(&format!("b:{}", key(2))).await.unwrap();
    assert!(store.verification_job(new).await.unwrap().is_some());
}

async fn many_processes_may_bring_the_same_new_key(database: TestDatabase) {
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let locked = LockedStore::open(database.settings()).await.unwrap();
        starting.spawn(locked.unlock(KeyRing::parse(&key(1).into()).unwrap()));
    }
    assert!(starting.join_all().await.iter().all(Result::is_ok));
    assert_eq!(database.count("master_keys"), 1);
}

async fn a_moved_ciphertext_does_not_open(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (one, two) = (tenant.add(mailbox("one")).await.id, tenant.add(mailbox("two")).await.id);
    database.execute(&format!(
        "UPDATE mailboxes SET credentials = (SELECT credentials FROM mailboxes WHERE id = '{one}') WHERE id = '{two}'"
    ));
    assert!(store.verification_job(one).await.is_ok());
    let error = store.verification_job(two).await.err().unwrap();
    assert!(matches!(&error, CoreError::Internal(text) if text.contains(&two.to_string())), "{error}");
}

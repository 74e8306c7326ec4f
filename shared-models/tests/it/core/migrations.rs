//! Migrations run at every start, in every process.

use shared_models::domain::CoreError;
use shared_models::store::{DatabaseSettings, LockedStore};
use tokio::task::JoinSet;

use crate::support::database::{KEY, TestDatabase};
use crate::support::tenant::{Tenant, mailbox};

contract!(a_fresh_database_is_migrated_once, many_processes_may_start_at_once);

async fn a_fresh_database_is_migrated_once(database: TestDatabase) {
    let (applied, added) = {
        let store = database.open().await;
        store.ping().await.unwrap();
        let tenant = Tenant::new(&store).await;
        (database.count("__diesel_schema_migrations"), (tenant.clone(), tenant.add(mailbox("dana")).await))
    };
    assert!(applied >= 1);
    let store = database.open().await;
    assert_eq!(database.count("__diesel_schema_migrations"), applied);
    let (tenant, mailbox) = added;
    assert_eq!(store.find_mailbox(tenant.workspace, mailbox.id).await.unwrap(), mailbox);
}

async fn many_processes_may_start_at_once(database: TestDatabase) {
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        let settings = database.settings();
        starting.spawn(async move {
            let locked = LockedStore::open(settings).await?;
            locked.unlock(shared_models::store::vault::KeyRing::parse(&KEY.into()).unwrap()).await
        });
    }
    for started in starting.join_all().await {
        started.unwrap().ping().await.unwrap();
    }
    let versions = database.texts("SELECT version AS value FROM __diesel_schema_migrations ORDER BY version");
    assert!(!versions.is_empty() && versions.is_sorted());
    assert_eq!(database.count("master_keys"), 1);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_its_password_stays_secret() {
    let nobody = mail_lab::refused_port().unwrap();
    let url = format!("postgres://dana:sesame@{}/mailmoor", nobody.addr());
    let error = match LockedStore::open(DatabaseSettings::Postgres { url, max_connections: 2 }).await {
        Ok(_) => panic!("opened a database where there is none"),
        Err(error) => error,
    };
    assert!(matches!(error, CoreError::Unavailable { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_unavailable() {
    let settings = DatabaseSettings::Sqlite { path: "/nowhere/at/all/mailmoor.db".into() };
    assert!(matches!(LockedStore::open(settings).await.err(), Some(CoreError::Unavailable { .. })));
}

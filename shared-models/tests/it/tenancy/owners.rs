//! Owners and their plans: added, found, changed.

use shared_models::domain::tenancy::Plan;
use shared_models::domain::{CoreError, OwnerId};

use crate::support::database::TestDatabase;
use crate::support::tenant::UNLIMITED;

contract!(an_owner_is_found_by_address_and_by_id, an_address_has_one_owner, plans_and_names_change, unknown_owners);

async fn an_owner_is_found_by_address_and_by_id(database: TestDatabase) {
    let store = database.open().await;
    assert!(store.is_empty().await.unwrap());
    let plan = Plan { subscription_active: false, max_mailboxes: Some(3) };
    let owner = store.create_owner("dana@tenant.example", plan).await.unwrap();
    assert!(!store.is_empty().await.unwrap());
    assert_eq!((owner.email.as_str(), owner.name.as_str()), ("dana@tenant.example", "dana"));
    assert_eq!((owner.plan, owner.mailbox_usage), (plan, 0));
    assert_eq!(store.owner(owner.id).await.unwrap(), owner);
    assert_eq!(store.owner_by_email("dana@tenant.example").await.unwrap(), owner);
}

async fn an_address_has_one_owner(database: TestDatabase) {
    let store = database.open().await;
    let first = store.create_owner("dana@tenant.example", UNLIMITED).await.unwrap();
    let second = store.create_owner("dana@tenant.example", UNLIMITED).await;
    assert!(matches!(second, Err(CoreError::AlreadyExists)));
    assert_eq!(store.owner_by_email("dana@tenant.example").await.unwrap(), first);
    assert_eq!(database.count("owners"), 1);
}

async fn plans_and_names_change(database: TestDatabase) {
    let store = database.open().await;
    let owner = store.create_owner("dana@tenant.example", UNLIMITED).await.unwrap();
    let other = store.create_owner("otto@tenant.example", UNLIMITED).await.unwrap();
    for plan in [
        Plan { subscription_active: false, max_mailboxes: Some(0) },
        Plan { subscription_active: true, max_mailboxes: Some(9) },
        UNLIMITED,
    ] {
        assert_eq!(store.set_plan("dana@tenant.example", plan).await.unwrap().plan, plan);
        assert_eq!(store.owner(owner.id).await.unwrap().plan, plan);
    }
    assert_eq!(store.rename_owner(owner.id, "Dana Field".to_owned()).await.unwrap().name, "Dana Field");
    assert_eq!(store.owner(other.id).await.unwrap(), other, "nobody else is touched");
}

async fn unknown_owners(database: TestDatabase) {
    let store = database.open().await;
    let nobody = OwnerId::new();
    for result in [
        store.owner(nobody).await,
        store.owner_by_email("nobody@tenant.example").await,
        store.set_plan("nobody@tenant.example", UNLIMITED).await,
        store.rename_owner(nobody, "Nobody".to_owned()).await,
    ] {
        assert!(matches!(result, Err(CoreError::NotFound("owner"))), "{result:?}");
    }
}

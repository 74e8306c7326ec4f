//! Keys, suspension and deletion of hosted mailboxes, and their sender rules.

use shared_models::domain::hosted::{HostedStatus, MAX_KEYS};
use shared_models::domain::sending_domains::{FilterKind, FilterMode, FilterRule, FilterSet, SenderPattern};
use shared_models::domain::tenancy::KeyText;
use shared_models::domain::{CoreError, CredentialId, HostedMailboxId};
use shared_models::events::PLATFORM_QUEUE;
use shared_models::store::PendingAnswer;

use crate::core::races::at_once;
use crate::hosted::provisioning::fields;
use crate::support::database::TestDatabase;
use crate::support::kinds::OF_MAILBOX;
use crate::support::tenant::Tenant;

contract!(
    each_key_is_revoked_alone,
    keys_have_a_limit,
    a_suspended_mailbox_is_closed_and_kept,
    a_deleted_mailbox_is_closed_for_good,
    slots_are_returned_once,
    each_change_of_access_is_announced_once,
    workers_learn_how_a_mailbox_stands,
    a_key_of_a_mailbox_is_recognised,
    filters_of_the_mailbox_stand_for_those_of_the_domain,
    filters_go_with_their_mailbox,
);

impl Tenant {
    async fn add_key(&self, id: HostedMailboxId, name: &str) -> Result<(CredentialId, KeyText), CoreError> {
        let answer = PendingAnswer::not_kept();
        let issued = self.store.create_mailbox_key(self.workspace, id, OF_MAILBOX, name.to_owned(), answer).await?;
        assert_eq!(issued.key.app_name, name);
        Ok((issued.key.id, issued.text))
    }

    async fn mailbox_with_key(&self, email: &str) -> (HostedMailboxId, CredentialId, KeyText) {
        let made = self.provision(email).await;
        (made.mailbox.id, made.key.key.id, made.key.text)
    }
}

/// The prefixes of the keys that the mail servers let in.
fn admitted(database: &TestDatabase) -> Vec<String> {
    let mut prefixes: Vec<String> =
        database.texts("SELECT key_prefix AS value FROM mail_logins").into_iter().flatten().collect();
    prefixes.sort();
    prefixes
}

fn prefixes<const N: usize>(keys: [&KeyText; N]) -> Vec<String> {
    let mut prefixes: Vec<String> = keys.iter().map(|key| key.expose()[..20].to_owned()).collect();
    prefixes.sort();
    prefixes
}

async fn each_key_is_revoked_alone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, first, first_text) = tenant.mailbox_with_key("kim@acme.example").await;
    let (second, second_text) = tenant.add_key(id, "Telephone").await.unwrap();
    assert_eq!(admitted(&database), prefixes([&first_text, &second_text]));
    for _ in 0..2 {
        store.revoke_mailbox_key(tenant.workspace, id, first).await.unwrap();
        assert_eq!(admitted(&database), prefixes([&second_text]));
    }
    let other = tenant.provision("ben@acme.example").await.mailbox.id;
    for (mailbox, key) in [(id, CredentialId::new()), (other, second)] {
        let unknown = store.revoke_mailbox_key(tenant.workspace, mailbox, key).await;
        assert!(matches!(unknown, Err(CoreError::NotFound("key"))), "{unknown:?}");
    }
}

async fn keys_have_a_limit(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, first, _) = tenant.mailbox_with_key("kim@acme.example").await;
    let results = at_once((0..MAX_KEYS + 5).map(|n| {
        let tenant = tenant.clone();
        async move { tenant.add_key(id, &format!("app {n}")).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count() as i64, MAX_KEYS - 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, CoreError::LimitExceeded { limit: MAX_KEYS, .. }), "{error}");
    }
    store.revoke_mailbox_key(tenant.workspace, id, first).await.unwrap();
    tenant.add_key(id, "one more").await.unwrap();
    assert_eq!(database.count("mail_logins"), MAX_KEYS);
}

async fn a_suspended_mailbox_is_closed_and_kept(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, _, text) = tenant.mailbox_with_key("kim@acme.example").await;
    let views = || ["mail_logins", "mail_accounts", "mail_senders"].map(|view| database.count(view));
    assert_eq!(views(), [1, 1, 1]);
    let suspended = store.suspend_mailbox(tenant.workspace, id, true).await.unwrap();
    assert_eq!((suspended.status, views(), tenant.usage().await), (HostedStatus::Suspended, [0, 0, 0], 1));
    assert_eq!(tenant.hosted(id).await.unwrap(), suspended);
    assert_eq!(store.suspend_mailbox(tenant.workspace, id, true).await.unwrap(), suspended, "again");
    let refused = tenant.add_key(id, "Telephone").await.unwrap_err();
    assert_eq!(fields(refused), ["status"]);
    let resumed = store.suspend_mailbox(tenant.workspace, id, false).await.unwrap();
    assert_eq!((resumed.status, views()), (HostedStatus::Active, [1, 1, 1]));
    assert_eq!(store.suspend_mailbox(tenant.workspace, id, false).await.unwrap(), resumed, "again");
    assert_eq!(admitted(&database), prefixes([&text]));
}

async fn a_deleted_mailbox_is_closed_for_good(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.receiving("acme.example").await;
    let (id, key, text) = tenant.mailbox_with_key("kim@acme.example").await;
    store.delete_hosted_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!(["mail_logins", "mail_accounts", "mail_senders"].map(|view| database.count(view)), [0, 0, 0]);
    assert_eq!(database.count("mailbox_keys WHERE revoked_at IS NULL"), 0);
    assert_eq!((tenant.usage().await, store.domain(tenant.workspace, domain).await.unwrap().mailbox_count), (0, 0));
    assert!(matches!(tenant.hosted(id).await, Err(CoreError::NotFound("mailbox"))));
    assert!(matches!(tenant.add_key(id, "x").await, Err(CoreError::NotFound("mailbox"))));
    for gone in [
        store.delete_hosted_mailbox(tenant.workspace, id).await,
        store.revoke_mailbox_key(tenant.workspace, id, key).await,
    ] {
        assert!(matches!(gone, Err(CoreError::NotFound("mailbox"))), "{gone:?}");
    }
    for suspend in [true, false] {
        let refused = store.suspend_mailbox(tenant.workspace, id, suspend).await;
        assert!(matches!(refused, Err(CoreError::Conflict(_))), "{refused:?}");
    }
    // The address starts anew, with a folder of its own.
    let (again, _, other_text) = tenant.mailbox_with_key("kim@acme.example").await;
    assert_ne!((again, text.expose()), (id, other_text.expose()));
    assert_eq!(database.text("SELECT folder AS value FROM mail_accounts"), again.to_string());
}

async fn slots_are_returned_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 3).await;
    tenant.receiving("acme.example").await;
    for name in ["a", "b"] {
        tenant.provision(&format!("{name}@acme.example")).await;
    }
    for _ in 0..6 {
        let (id, key, _) = tenant.mailbox_with_key("kim@acme.example").await;
        let results = at_once((0..8).map(|n| {
            let (store, workspace) = (store.clone(), tenant.workspace);
            async move {
                match n {
                    0 => store.suspend_mailbox(workspace, id, true).await.map(|_| ()).ok(),
                    1 => store.revoke_mailbox_key(workspace, id, key).await.ok(),
                    _ => store.delete_hosted_mailbox(workspace, id).await.ok(),
                }
                .map(|()| n)
            }
        }))
        .await;
        assert_eq!(results.into_iter().flatten().filter(|n| *n > 1).count(), 1, "deleted once");
        assert_eq!(tenant.usage().await, 2);
    }
    assert_eq!(database.count("mail_accounts"), 2);
}

async fn each_change_of_access_is_announced_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, key, _) = tenant.mailbox_with_key("kim@acme.example").await;
    let mut news = store.news();
    for _ in 0..2 {
        store.revoke_mailbox_key(tenant.workspace, id, key).await.unwrap();
        store.suspend_mailbox(tenant.workspace, id, true).await.unwrap();
    }
    store.suspend_mailbox(tenant.workspace, id, false).await.unwrap();
    tenant.add_key(id, "Telephone").await.unwrap();
    store.delete_hosted_mailbox(tenant.workspace, id).await.unwrap();
    let mut types = vec![];
    while let Ok(event) = news.try_recv() {
        assert_eq!(event.subject(), format!("hosted-mailboxes/{id}"));
        types.push(event.event_type());
    }
    let changed = "hosted_mailbox.access_changed";
    assert_eq!(types, [changed, changed, "hosted_mailbox.resumed", "hosted_mailbox.deleted"]);
    assert_eq!(store.queue_depth(PLATFORM_QUEUE).await.unwrap(), (3, 0));
}

async fn workers_learn_how_a_mailbox_stands(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let id = tenant.provision("kim@acme.example").await.mailbox.id;
    let standing = async || {
        let standing = store.hosted_standing(id).await.unwrap().unwrap();
        assert_eq!(standing.email.as_str(), "kim@acme.example");
        (standing.status, standing.is_succeeded)
    };
    assert_eq!(standing().await, (HostedStatus::Active, false));
    store.suspend_mailbox(tenant.workspace, id, true).await.unwrap();
    assert_eq!(standing().await, (HostedStatus::Suspended, false));
    store.delete_hosted_mailbox(tenant.workspace, id).await.unwrap();
    assert_eq!(standing().await, (HostedStatus::Deleted, false));
    tenant.provision("kim@acme.example").await;
    assert_eq!(standing().await, (HostedStatus::Deleted, true));
    assert_eq!(store.hosted_standing(HostedMailboxId::new()).await.unwrap(), None);
}

async fn a_key_of_a_mailbox_is_recognised(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, _, text) = tenant.mailbox_with_key("kim@acme.example").await;
    assert!(store.mailbox_key(text.clone()).await.unwrap().is_some());
    let same_prefix = KeyText::new(format!("{}{}", &text.expose()[..20], "a".repeat(28)));
    for other in [same_prefix, KeyText::new("smx_mbx_"), KeyText::new("")] {
        assert!(store.mailbox_key(other).await.unwrap().is_none());
    }
    store.suspend_mailbox(tenant.workspace, id, true).await.unwrap();
    assert!(store.mailbox_key(text).await.unwrap().is_none());
}

fn filters(mode: FilterMode, patterns: &[&str]) -> FilterSet {
    let kind = if mode == FilterMode::Allowlist { FilterKind::Allow } else { FilterKind::Deny };
    let rule = |pattern: &&str| FilterRule { kind, pattern: SenderPattern::parse(pattern).unwrap(), note: None };
    FilterSet::new(mode, patterns.iter().map(rule).collect()).unwrap()
}

async fn filters_of_the_mailbox_stand_for_those_of_the_domain(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.receiving("acme.example").await;
    let id = tenant.provision("kim@acme.example").await.mailbox.id;
    tenant.provision("ben@acme.example").await;
    let of_domain = async |set| drop(store.set_domain_filters(tenant.workspace, domain, set, None).await.unwrap());
    let of_kim = async |set| drop(store.set_mailbox_filters(tenant.workspace, id, set, None).await.unwrap());
    // For each sender: true if Kim, and true if Ben, gets the mail.
    let verdicts = async || {
        let mut verdicts = String::new();
        for sender in ["Eve@Bad.example", "al@bad.example", "al@sub.bad.example", ""] {
            for recipient in ["Kim@ACME.example", "ben@acme.example"] {
                let verdict = store.lets_through(sender, recipient).await.unwrap();
                // Mail servers ask about an address as it was written to them.
                let [dotted, rooted] = [sender, recipient].map(|address| format!("{address}."));
                assert_eq!(store.lets_through(&dotted, &rooted).await.unwrap(), verdict, "{dotted} {rooted}");
                verdicts += if verdict { "+" } else { "-" };
            }
            verdicts += " ";
        }
        verdicts
    };
    assert_eq!(verdicts().await, "++ ++ ++ ++ ");
    of_domain(filters(FilterMode::Denylist, &["bad.example"])).await;
    assert_eq!(verdicts().await, "-- -- ++ ++ ");
    of_kim(filters(FilterMode::Denylist, &["al@bad.example"])).await;
    assert_eq!(verdicts().await, "+- -- ++ ++ ");
    of_kim(filters(FilterMode::Allowlist, &["eve@bad.example", "good.example"])).await;
    assert_eq!(verdicts().await, "+- -- -+ -+ ");
    of_kim(filters(FilterMode::Allowlist, &[])).await;
    assert_eq!(verdicts().await, "-- -- -+ -+ ");
    of_kim(filters(FilterMode::Off, &["eve@bad.example"])).await;
    assert_eq!(verdicts().await, "-- -- ++ ++ ", "off is no rule of one's own");
    of_domain(filters(FilterMode::Allowlist, &["bad.example"])).await;
    assert_eq!(verdicts().await, "++ ++ -- -- ");
    of_domain(filters(FilterMode::Off, &["bad.example"])).await;
    assert_eq!(verdicts().await, "++ ++ ++ ++ ");
    assert!(store.lets_through("eve@bad.example", "stranger@elsewhere.example").await.unwrap());
}

async fn filters_go_with_their_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let id = tenant.provision("kim@acme.example").await.mailbox.id;
    let get = async || store.mailbox_filters(tenant.workspace, id).await;
    let put = async |set, expected| store.set_mailbox_filters(tenant.workspace, id, set, expected).await;
    let (none, some) = (FilterSet::default(), filters(FilterMode::Denylist, &["b.example", "a@b.example"]));
    assert_eq!(get().await.unwrap(), none);
    assert_eq!(put(some.clone(), Some(none.clone())).await.unwrap(), some);
    assert_eq!(get().await.unwrap(), some);
    let late = put(none.clone(), Some(none)).await;
    assert!(matches!(late, Err(CoreError::Conflict(_))), "{late:?}");
    assert_eq!(get().await.unwrap(), some);
    store.delete_hosted_mailbox(tenant.workspace, id).await.unwrap();
    assert!(matches!(get().await, Err(CoreError::NotFound("mailbox"))));
    assert!(matches!(put(some, None).await, Err(CoreError::NotFound("mailbox"))));
    assert_eq!((database.count("sender_filters"), database.count("sender_filter_modes")), (0, 0));
}

//! Accepting a mailbox: one transaction, or nothing at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{
    CoreError, Credentials, LoginSecret, MailboxStatus, OwnerId, Password, Security, ServerEndpoint, WorkspaceId,
};

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, UNLIMITED, mailbox};

contract!(
    it_is_kept_as_given,
    credentials_are_nowhere_in_clear,
    an_address_is_unique_in_its_workspace,
    subscription_comes_before_limit_before_duplicate,
    the_limit_counts_all_workspaces_of_the_owner,
    a_refused_mailbox_leaves_nothing_behind,
    a_closed_workspace_takes_no_mailbox,
);

async fn it_is_kept_as_given(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let new = NewMailbox {
        email_as_given: None,
        display_name: "Dana \"D\" O'Field \u{1F980} %_\\".to_owned(),
        provider: ProviderLabel::Outlook,
        daily_send_limit: 50,
        signature: Some("<p>Grüße</p>\r\n\tDana".to_owned()),
        tags: vec!["north".to_owned(), "süd 'x' \"y\" \\ %_".to_owned()],
        smtp: ServerEndpoint::parse("smtp.mail.example", 25, Security::Opportunistic).unwrap(),
        imap: ServerEndpoint::parse("2001:db8::1", 65535, Security::Required).unwrap(),
        imap_guessed: true,
        ..mailbox("dana")
    };
    let added = tenant.add(new.clone()).await;
    assert_eq!((added.workspace_id, added.status), (tenant.workspace, MailboxStatus::Unverified));
    assert_eq!((&added.email, &added.display_name), (&new.email, &new.display_name));
    assert_eq!((added.provider, added.daily_send_limit), (new.provider, new.daily_send_limit));
    assert_eq!((&added.signature, &added.tags), (&new.signature, &new.tags));
    assert_eq!((&added.smtp, &added.imap, added.imap_guessed), (&new.smtp, &new.imap, true));
    assert_eq!((added.sending_enabled, &added.last_error, &added.dns), (false, &None, &None));
    assert_eq!(added.created_at, added.updated_at);
    assert_eq!(store.find_mailbox(tenant.workspace, added.id).await.unwrap(), added);
    assert_eq!(tenant.usage().await, 1);
}

async fn credentials_are_nowhere_in_clear(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let login =
        |name: &str, password: &str| LoginSecret { username: name.to_owned(), password: Password::new(password) };
    let credentials = Credentials {
        smtp: login("planted-name-one", " planted-pässword-one\" "),
        imap: login("planted-name-two", "planted-pässword-two"),
    };
    let added = tenant.add(NewMailbox { credentials: credentials.clone(), ..mailbox("dana") }).await;
    store
        .record_refusal(
            added.id,
            &crate::support::tenant::finding(shared_models::domain::FailureCode::AuthBadCredentials),
        )
        .await
        .unwrap();
    let everything: String =
        ["mailboxes", "queue_messages", "verification_results", "master_keys", "owners", "workspaces"]
            .map(|table| database.dump(table))
            .concat();
    assert!(everything.contains("dana@mail.example"), "the dump is one");
    for secret in ["planted-name-one", "planted-name-two", "planted-p", "ssword-one", "ssword-two"] {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        for form in [secret.to_owned(), hex, STANDARD.encode(secret).trim_end_matches('=').to_owned()] {
            assert!(!everything.contains(&form), "{form}");
        }
    }
    let job = store.verification_job(added.id).await.unwrap().unwrap();
    assert_eq!(job.credentials, credentials);
    assert!(!format!("{job:?} {added:?}").contains("planted"));
}

async fn an_address_is_unique_in_its_workspace(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    let first = tenant.add(mailbox("dana")).await;
    let again = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("Dana")).await;
    assert!(matches!(again, Err(CoreError::AlreadyExists)), "{again:?}");
    assert_eq!(tenant.usage().await, 1);
    sibling.add(mailbox("dana")).await;
    assert_eq!(tenant.usage().await, 2);
    store.delete_mailbox(tenant.workspace, first.id).await.unwrap();
    tenant.add(mailbox("dana")).await;
    assert_eq!(tenant.usage().await, 2);
}

async fn subscription_comes_before_limit_before_duplicate(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 1).await;
    tenant.add(mailbox("dana")).await;
    let add = || store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana"));
    let plan = |active, max| Plan { subscription_active: active, max_mailboxes: max };

    store.set_plan("owner@tenant.example", plan(false, Some(1))).await.unwrap();
    assert!(matches!(add().await, Err(CoreError::SubscriptionRequired)));
    store.set_plan("owner@tenant.example", plan(false, None)).await.unwrap();
    assert!(matches!(add().await, Err(CoreError::SubscriptionRequired)));
    store.set_plan("owner@tenant.example", plan(true, Some(1))).await.unwrap();
    assert!(matches!(add().await, Err(CoreError::LimitExceeded { usage: 1, limit: 1, requested: 1 })));
    // A plan that was made smaller is over its limit, not broken.
    store.set_plan("owner@tenant.example", plan(true, Some(0))).await.unwrap();
    assert!(matches!(add().await, Err(CoreError::LimitExceeded { usage: 1, limit: 0, requested: 1 })));
    store.set_plan("owner@tenant.example", plan(true, Some(2))).await.unwrap();
    assert!(matches!(add().await, Err(CoreError::AlreadyExists)));
    assert_eq!(tenant.usage().await, 1);
}

async fn the_limit_counts_all_workspaces_of_the_owner(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    let sibling = tenant.sibling().await;
    let stranger = Tenant::with_plan(&store, "stranger@tenant.example", UNLIMITED).await;
    let first = tenant.add(mailbox("a")).await;
    sibling.add(mailbox("b")).await;
    for (workspace, name) in [(tenant.workspace, "c"), (sibling.workspace, "d")] {
        let full = store.create_mailbox(workspace, tenant.owner, mailbox(name)).await;
        assert!(matches!(full, Err(CoreError::LimitExceeded { usage: 2, limit: 2, requested: 1 })), "{full:?}");
    }
    stranger.add(mailbox("e")).await;
    store.delete_mailbox(tenant.workspace, first.id).await.unwrap();
    sibling.add(mailbox("c")).await;
    assert_eq!((tenant.usage().await, stranger.usage().await), (2, 1));
}

async fn a_refused_mailbox_leaves_nothing_behind(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 1).await;
    tenant.add(mailbox("dana")).await;
    let before = ["mailboxes", "queue_messages", "owners"].map(|table| database.dump(table));
    for (workspace, owner) in
        [(tenant.workspace, tenant.owner), (tenant.workspace, OwnerId::new()), (WorkspaceId::new(), tenant.owner)]
    {
        assert!(store.create_mailbox(workspace, owner, mailbox("otto")).await.is_err());
    }
    store.set_plan("owner@tenant.example", UNLIMITED).await.unwrap();
    assert!(store.create_mailbox(WorkspaceId::new(), tenant.owner, mailbox("otto")).await.is_err());
    assert!(store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await.is_err());
    store.set_plan("owner@tenant.example", Plan { max_mailboxes: Some(1), ..UNLIMITED }).await.unwrap();
    assert_eq!(["mailboxes", "queue_messages", "owners"].map(|table| database.dump(table)), before);
}

/// The key was valid when the request began; the workspace was closed before it was done.
async fn a_closed_workspace_takes_no_mailbox(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    store.delete_workspace(tenant.workspace).await.unwrap();
    let late = store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await;
    assert!(matches!(late, Err(CoreError::NotFound("workspace"))), "{late:?}");
    assert_eq!((tenant.usage().await, database.count("mailboxes")), (0, 0));
}

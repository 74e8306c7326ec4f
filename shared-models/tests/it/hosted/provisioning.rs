//! Hosted mailboxes: provisioned as a whole or not at all, listed, changed.

use shared_models::domain::hosted::{
    Availability, HostedMailbox, HostedMailboxChange, HostedStatus, NewHostedMailbox, ProvisionedMailbox, SendScope,
};
use shared_models::domain::sending_domains::{DomainChecks, DomainMode, DomainStatus, FAILURES_UNTIL_UNSERVED};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{CoreError, DomainId, EmailAddress, FieldError, HostedMailboxId, SendingAccountId};
use shared_models::events::Event;
use shared_models::store::PendingAnswer;

use crate::core::races::at_once;
use crate::sending_accounts::accounts::new_account;
use crate::sending_domains::domains::COMPLETE;
use crate::support::database::TestDatabase;
use crate::support::kinds::OF_MAILBOX;
use crate::support::tenant::{Tenant, UNLIMITED};

contract!(
    a_mailbox_comes_with_a_key_and_takes_a_slot,
    every_fault_is_named_at_once,
    only_verified_domains_of_the_team_that_receive_have_mailboxes,
    nothing_is_left_of_what_was_refused,
    the_last_slot_is_provisioned_once,
    an_address_is_provisioned_once,
    pages_go_from_the_newest_to_the_oldest,
    a_mailbox_belongs_to_one_workspace,
    a_change_is_all_or_nothing,
    addresses_say_whether_they_can_be_had,
    a_domain_with_mailboxes_is_not_removed,
    whoever_lost_a_domain_loses_its_mail_after_a_week,
    whoever_verifies_a_name_gets_its_mail,
    the_mail_servers_know_their_domains,
);

const GIB: i64 = 1 << 30;

pub(crate) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn new_hosted(text: &str) -> NewHostedMailbox {
    NewHostedMailbox {
        email: email(text),
        display_name: Some("Kim".to_owned()),
        quota_bytes: GIB,
        send_scope: SendScope::All,
        faults: vec![],
    }
}

impl Tenant {
    /// A domain under which mailboxes can be had.
    pub(crate) async fn receiving(&self, name: &str) -> DomainId {
        let id = self.domain(name).await.id;
        assert_eq!(self.checked(id, COMPLETE).await.status, DomainStatus::Verified);
        id
    }

    pub(crate) async fn try_provision(&self, new: NewHostedMailbox) -> Result<ProvisionedMailbox, CoreError> {
        self.store.provision_mailbox(self.workspace, self.owner, new, OF_MAILBOX, PendingAnswer::not_kept()).await
    }

    pub(crate) async fn provision(&self, email: &str) -> ProvisionedMailbox {
        self.try_provision(new_hosted(email)).await.unwrap()
    }

    pub(crate) async fn hosted(&self, id: HostedMailboxId) -> Result<HostedMailbox, CoreError> {
        self.store.hosted_mailbox(self.workspace, id).await
    }
}

/// The bad fields of a refusal.
pub(crate) fn fields(error: CoreError) -> Vec<String> {
    match error {
        CoreError::Invalid(faults) => faults.into_iter().map(|fault| fault.field).collect(),
        other => panic!("{other}"),
    }
}

async fn a_mailbox_comes_with_a_key_and_takes_a_slot(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.receiving("acme.example").await;
    let mut news = store.news();
    let ProvisionedMailbox { mailbox, key } = tenant.provision("Kim+a%b@ACME.example").await;
    assert_eq!((mailbox.email.as_str(), mailbox.domain_id), ("kim+a%b@acme.example", domain));
    assert_eq!(
        (mailbox.status, mailbox.quota_bytes, &mailbox.send_scope),
        (HostedStatus::Active, GIB, &SendScope::All)
    );
    assert_eq!(tenant.hosted(mailbox.id).await.unwrap(), mailbox);
    assert_eq!((tenant.usage().await, store.domain(tenant.workspace, domain).await.unwrap().mailbox_count), (1, 1));
    assert!(
        matches!(news.recv().await.unwrap(), Event::HostedMailboxCreated(about) if about.hosted_mailbox_id == mailbox.id)
    );

    let text = key.text.expose();
    assert!(text.starts_with("smx_mbx_") && text.len() == 48, "{}", text.len());
    assert!(text[8..].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    assert_eq!((key.key.prefix.as_str(), key.key.suffix.as_str()), (&text[..20], &text[44..]));
    assert_eq!((key.key.mailbox_id, key.username.as_str()), (mailbox.id, "kim+a%b@acme.example"));
    assert_ne!(tenant.provision("ben@acme.example").await.key.text.expose(), text);
    // The mail servers compare with this.
    let sent = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hash: String = sent.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let login = format!(
        "SELECT email || ' ' || password_hash || ' ' || quota_bytes || ' ' || folder AS value FROM mail_logins
         WHERE key_prefix = '{}'",
        key.key.prefix
    );
    let expected = format!("kim+a%b@acme.example {{SHA256.HEX}}{hash} 1073741824 {}", mailbox.id);
    assert_eq!(database.text(&login), expected);
    for table in ["mailbox_keys", "hosted_mailboxes", "queue_messages", "idempotency_records"] {
        assert!(!database.dump(table).contains(text), "{table}");
    }
}

async fn every_fault_is_named_at_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let stranger = Tenant::with_plan(&store, "stranger@tenant.example", UNLIMITED).await;
    let theirs = stranger
        .store
        .create_sending_account(stranger.workspace, new_account("a"), PendingAnswer::not_kept())
        .await
        .unwrap()
        .id;
    let own =
        store.create_sending_account(tenant.workspace, new_account("a"), PendingAnswer::not_kept()).await.unwrap().id;
    let bad = NewHostedMailbox {
        display_name: Some("Kim\nBcc: x".to_owned()),
        quota_bytes: GIB + 1,
        send_scope: SendScope::Providers(vec![own, own, theirs, own, SendingAccountId::new()]),
        faults: vec![FieldError::new("send_scope.group_public_ids", "belongs to another type")],
        ..new_hosted("kim@nowhere.example")
    };
    let error = tenant.try_provision(bad).await.unwrap_err();
    let (of_scope, lists) = ("send_scope.provider_public_ids", "send_scope.group_public_ids");
    let scope = [format!("{of_scope}.2"), format!("{of_scope}.4"), lists.to_owned()];
    assert_eq!(fields(error), [&["email", "display_name", "quota_bytes"].map(str::to_owned)[..], &scope].concat());
    for refused in ["mailer-daemon@acme.example", "a*b@acme.example", "o'neil@acme.example"] {
        assert_eq!(fields(tenant.try_provision(new_hosted(refused)).await.unwrap_err()), ["email"], "{refused}");
    }
    let twice = SendScope::Providers(vec![own, own]);
    let scoped = NewHostedMailbox { send_scope: twice, ..new_hosted("kim@acme.example") };
    let made = tenant.try_provision(scoped).await.unwrap().mailbox;
    assert_eq!(tenant.hosted(made.id).await.unwrap().send_scope, SendScope::Providers(vec![own]));
}

async fn only_verified_domains_of_the_team_that_receive_have_mailboxes(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let sibling = tenant.sibling().await;
    sibling.receiving("sibling.example").await;
    let pending = tenant.domain("pending.example").await.id;
    let sending = tenant.try_domain("sending.example", DomainMode::SendOnly).await.unwrap().id;
    tenant.checked(sending, COMPLETE).await;
    for name in ["sibling.example", "pending.example", "sending.example", "mail.sibling.example"] {
        let refused = tenant.try_provision(new_hosted(&format!("kim@{name}"))).await.unwrap_err();
        assert_eq!(fields(refused), ["email"], "{name}");
    }
    tenant.checked(pending, COMPLETE).await;
    tenant.provision("kim@pending.example").await;
    tenant.checked(pending, DomainChecks { mx: false, ..COMPLETE }).await;
    assert_eq!(fields(tenant.try_provision(new_hosted("ben@pending.example")).await.unwrap_err()), ["email"]);
    assert_eq!(database.count("mail_accounts"), 1, "a domain that fails takes nobody's mail away");
}

async fn nothing_is_left_of_what_was_refused(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 1).await;
    tenant.receiving("acme.example").await;
    tenant.provision("kim@acme.example").await;
    let again = tenant.try_provision(new_hosted("KIM@acme.example")).await;
    assert!(matches!(again, Err(CoreError::AlreadyExists)), "{again:?}");
    let full = tenant.try_provision(NewHostedMailbox { quota_bytes: 7, ..new_hosted("ben@acme.example") }).await;
    assert!(matches!(full, Err(CoreError::LimitExceeded { usage: 1, limit: 1, requested: 1 })), "{full:?}");
    let plan = Plan { subscription_active: false, max_mailboxes: None };
    store.set_plan("owner@tenant.example", plan).await.unwrap();
    let unpaid = tenant.try_provision(new_hosted("ben@acme.example")).await;
    assert!(matches!(unpaid, Err(CoreError::SubscriptionRequired)), "{unpaid:?}");
    assert_eq!((database.count("hosted_mailboxes"), database.count("mailbox_keys"), tenant.usage().await), (1, 1, 1));
}

async fn the_last_slot_is_provisioned_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    tenant.receiving("acme.example").await;
    tenant.receiving("other.example").await;
    tenant.provision("first@acme.example").await;
    let results = at_once((0..16).map(|n| {
        let tenant = tenant.clone();
        let domain = if n % 2 == 0 { "acme" } else { "other" };
        async move { tenant.try_provision(new_hosted(&format!("racer{n}@{domain}.example"))).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, CoreError::LimitExceeded { usage: 2, limit: 2, requested: 1 }), "{error}");
    }
    assert_eq!((database.count("hosted_mailboxes"), database.count("mailbox_keys"), tenant.usage().await), (2, 2, 2));
}

async fn an_address_is_provisioned_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let results = at_once((0..12).map(|_| {
        let tenant = tenant.clone();
        async move { tenant.try_provision(new_hosted("kim@acme.example")).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.into_iter().filter_map(Result::err).all(|error| matches!(error, CoreError::AlreadyExists)));
    assert_eq!((database.count("mail_logins"), tenant.usage().await), (1, 1));
}

async fn pages_go_from_the_newest_to_the_oldest(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let mut ids = vec![];
    for name in ["a", "b", "c", "d"] {
        ids.push(tenant.provision(&format!("{name}@acme.example")).await.mailbox.id);
    }
    store.delete_hosted_mailbox(tenant.workspace, ids[1]).await.unwrap();
    let list = async |deleted, after, limit| {
        let page = store.list_hosted_mailboxes(tenant.workspace, deleted, after, limit).await.unwrap();
        let names: String = page.items.iter().map(|m| m.email.local_part().to_owned()).collect();
        (names, page.has_more)
    };
    assert_eq!(list(false, None, 2).await, ("dc".to_owned(), true));
    assert_eq!(list(false, Some(ids[2]), 2).await, ("a".to_owned(), false));
    assert_eq!(list(true, None, 4).await, ("dcba".to_owned(), false));
    assert_eq!(list(true, Some(ids[2]), 1).await, ("b".to_owned(), true));
    let sibling = tenant.sibling().await;
    assert!(store.list_hosted_mailboxes(sibling.workspace, true, None, 9).await.unwrap().items.is_empty());
}

async fn a_mailbox_belongs_to_one_workspace(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let (id, key) = {
        let made = tenant.provision("kim@acme.example").await;
        (made.mailbox.id, made.key.key.id)
    };
    let elsewhere = tenant.sibling().await.workspace;
    let change = HostedMailboxChange { display_name: Some(None), ..HostedMailboxChange::default() };
    let not_found = [
        store.hosted_mailbox(elsewhere, id).await.err(),
        store.change_hosted_mailbox(elsewhere, id, change, None).await.err(),
        store.suspend_mailbox(elsewhere, id, true).await.err(),
        store.delete_hosted_mailbox(elsewhere, id).await.err(),
        store.revoke_mailbox_key(elsewhere, id, key).await.err(),
        store.mailbox_filters(elsewhere, id).await.err(),
        store.create_mailbox_key(elsewhere, id, OF_MAILBOX, "x".to_owned(), PendingAnswer::not_kept()).await.err(),
    ];
    for error in not_found {
        assert!(matches!(error, Some(CoreError::NotFound("mailbox"))), "{error:?}");
    }
    assert_eq!(database.count("mail_logins"), 1);
}

async fn a_change_is_all_or_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    let before = tenant.provision("kim@acme.example").await.mailbox;
    let change =
        async |change, expected| store.change_hosted_mailbox(tenant.workspace, before.id, change, expected).await;
    let bad = HostedMailboxChange {
        display_name: Some(Some("Ben".to_owned())),
        quota_bytes: Some(2 * GIB),
        send_scope: Some(SendScope::Providers(vec![SendingAccountId::new()])),
        faults: vec![],
    };
    let faults = fields(change(bad, None).await.unwrap_err());
    assert_eq!(faults, ["quota_bytes", "send_scope.provider_public_ids.0"]);
    assert_eq!(tenant.hosted(before.id).await.unwrap(), before);
    assert_eq!(change(HostedMailboxChange::default(), None).await.unwrap(), before);

    let good = HostedMailboxChange { display_name: Some(None), quota_bytes: Some(5 * GIB), ..Default::default() };
    let after = change(good, Some(before.clone())).await.unwrap();
    assert_eq!((&after.display_name, after.quota_bytes), (&None, 5 * GIB));
    assert!(after.updated_at >= before.updated_at);
    assert_eq!(tenant.hosted(before.id).await.unwrap(), after);
    assert_eq!(database.text("SELECT CAST(quota_bytes AS TEXT) AS value FROM mail_accounts"), (5 * GIB).to_string());
    let late = change(HostedMailboxChange { quota_bytes: Some(GIB), ..Default::default() }, Some(before.clone())).await;
    assert!(matches!(late, Err(CoreError::Conflict(_))), "{late:?}");
}

async fn addresses_say_whether_they_can_be_had(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.receiving("acme.example").await;
    tenant.domain("pending.example").await;
    let taken = tenant.provision("kim@acme.example").await.mailbox.id;
    let of = async |text: &str| store.hosted_address(tenant.workspace, email(text)).await.unwrap();
    for (address, expected) in [
        ("ben@acme.example", Availability::Available),
        ("kim@acme.example", Availability::Taken),
        ("mailer-daemon@acme.example", Availability::Reserved),
        ("ben@pending.example", Availability::DomainNotAvailable),
        ("ben@elsewhere.example", Availability::DomainNotAvailable),
        ("b/n@acme.example", Availability::InvalidEmail),
    ] {
        assert_eq!(of(address).await, expected, "{address}");
    }
    store.suspend_mailbox(tenant.workspace, taken, true).await.unwrap();
    assert_eq!(of("kim@acme.example").await, Availability::Taken);
    store.delete_hosted_mailbox(tenant.workspace, taken).await.unwrap();
    assert_eq!(of("kim@acme.example").await, Availability::Available);
}

async fn a_domain_with_mailboxes_is_not_removed(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.receiving("acme.example").await;
    let id = tenant.provision("kim@acme.example").await.mailbox.id;
    for suspend in [false, true] {
        store.suspend_mailbox(tenant.workspace, id, suspend).await.unwrap();
        let refused = store.delete_domain(tenant.workspace, domain).await;
        assert!(matches!(refused, Err(CoreError::Conflict(_))), "{refused:?}");
    }
    let closed = store.delete_workspace(tenant.workspace).await;
    assert!(matches!(closed, Err(CoreError::Conflict(_))), "{closed:?}");
    store.delete_hosted_mailbox(tenant.workspace, id).await.unwrap();
    store.delete_domain(tenant.workspace, domain).await.unwrap();
    assert_eq!(database.count("hosted_mailboxes"), 1, "the record stays");
    store.delete_workspace(tenant.workspace).await.unwrap();
}

async fn whoever_lost_a_domain_loses_its_mail_after_a_week(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let domain = tenant.receiving("acme.example").await;
    tenant.provision("kim@acme.example").await;
    tenant.checked(domain, DomainChecks { verification_txt: false, ..COMPLETE }).await;
    let is_served = || (database.count("mail_domains"), database.count("mail_senders"));
    for (failures, served) in [(FAILURES_UNTIL_UNSERVED - 1, 1), (FAILURES_UNTIL_UNSERVED, 0)] {
        database.execute(&format!("UPDATE sending_domains SET failures = {failures}"));
        assert_eq!(store.domain(tenant.workspace, domain).await.unwrap().is_served(), served == 1, "the domain's rule");
        assert_eq!(is_served(), (served, served), "the views of the mail servers keep the domain's rule");
    }
    assert_eq!(database.count("mail_logins"), 1, "what is in the mailbox can be read");
    tenant.checked(domain, COMPLETE).await;
    assert_eq!(is_served(), (1, 1));
}

async fn whoever_verifies_a_name_gets_its_mail(database: TestDatabase) {
    let store = database.open().await;
    let old = Tenant::new(&store).await;
    let new = Tenant::with_plan(&store, "new@tenant.example", UNLIMITED).await;
    let (domain, kept) = (old.receiving("acme.example").await, old.receiving("kept.example").await);
    let lost = old.provision("kim@acme.example").await;
    old.store.suspend_mailbox(old.workspace, old.provision("ben@acme.example").await.mailbox.id, true).await.unwrap();
    old.provision("kim@kept.example").await;
    old.checked(domain, DomainChecks { verification_txt: false, ..COMPLETE }).await;
    assert_eq!((database.count("mail_logins"), old.usage().await), (2, 3), "as long as it is nobody else's");

    new.receiving("acme.example").await;
    assert_eq!((database.count("mail_logins"), old.usage().await), (1, 1));
    assert!(matches!(old.hosted(lost.mailbox.id).await, Err(CoreError::NotFound("mailbox"))));
    assert!(store.mailbox_key(lost.key.text).await.unwrap().is_none());
    assert_eq!(store.domain(old.workspace, kept).await.unwrap().mailbox_count, 1);
    new.provision("kim@acme.example").await;
    assert_eq!((database.count("mail_accounts"), new.usage().await), (2, 1));
}

async fn the_mail_servers_know_their_domains(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let known = || {
        let mut names = database.texts("SELECT domain AS value FROM mail_domains");
        names.sort();
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let [acme, empty] = [tenant.receiving("acme.example").await, tenant.receiving("empty.example").await];
    tenant.domain("pending.example").await;
    let sending = tenant.try_domain("sending.example", DomainMode::SendOnly).await.unwrap().id;
    tenant.checked(sending, COMPLETE).await;
    tenant.provision("kim@acme.example").await;
    assert_eq!(known(), "acme.example empty.example");
    for id in [acme, empty] {
        tenant.checked(id, DomainChecks { spf: false, ..COMPLETE }).await;
    }
    assert_eq!(known(), "acme.example");
}

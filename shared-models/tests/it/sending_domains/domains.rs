//! Domains of a workspace: added, listed, changed, removed; their keys and their rules.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::{Signer, Verifier};
use secrecy::ExposeSecret;
use shared_models::domain::sending_domains::{DomainChecks, DomainMode, DomainStatus, NewDomain, SendingDomain};
use shared_models::domain::sending_domains::{FilterKind, FilterMode, FilterRule, FilterSet, SenderPattern};
use shared_models::domain::{CoreError, DomainId, EmailAddress, MailDomain};
use shared_models::store::PendingAnswer;

use crate::support::database::{KEY, TestDatabase};
use crate::support::tenant::{Tenant, UNLIMITED};

contract!(
    a_new_domain_has_a_key_and_a_token_of_its_own,
    a_workspace_has_a_name_once,
    a_name_in_use_is_not_added_elsewhere,
    pages_go_from_the_newest_to_the_oldest,
    a_domain_belongs_to_one_workspace,
    receiving_has_to_be_verified_anew,
    a_removed_domain_leaves_nothing,
    a_domain_with_a_mailbox_stays,
    rules_are_replaced_as_a_whole,
    a_domain_that_only_sends_has_no_rules,
    the_key_is_sealed_and_signs,
    a_master_key_that_seals_a_domain_is_missed,
    a_workspace_has_a_thousand_domains_at_most,
    a_workspace_with_a_domain_is_not_closed,
);

pub(crate) const COMPLETE: DomainChecks = DomainChecks {
    verification_txt: true,
    spf: true,
    dmarc: true,
    mx: true,
    mail_from_mx: true,
    mail_from_spf: true,
    dkim: true,
};

impl Tenant {
    pub(crate) async fn try_domain(&self, name: &str, mode: DomainMode) -> Result<SendingDomain, CoreError> {
        let new = NewDomain { name: MailDomain::parse(name).unwrap(), mode };
        self.store.create_domain(self.workspace, new, PendingAnswer::not_kept()).await
    }

    pub(crate) async fn domain(&self, name: &str) -> SendingDomain {
        self.try_domain(name, DomainMode::SendReceive).await.unwrap()
    }

    /// As if somebody had asked for a check that found this.
    pub(crate) async fn checked(&self, id: DomainId, checks: DomainChecks) -> SendingDomain {
        self.store.request_domain_check(self.workspace, id).await.unwrap();
        let job = self.store.domain_check_job(id).await.unwrap().unwrap();
        self.store.record_domain_check(job, checks).await.unwrap();
        self.store.domain(self.workspace, id).await.unwrap()
    }
}

fn rule(kind: FilterKind, pattern: &str, note: Option<&str>) -> FilterRule {
    FilterRule { kind, pattern: SenderPattern::parse(pattern).unwrap(), note: note.map(str::to_owned) }
}

async fn a_new_domain_has_a_key_and_a_token_of_its_own(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (acme, other) = (tenant.domain("acme.example").await, tenant.domain("other.example").await);
    assert_eq!(
        (acme.name.as_str(), acme.mode, acme.status),
        ("acme.example", DomainMode::SendReceive, DomainStatus::Pending)
    );
    assert_eq!((acme.checks, acme.checked_at, acme.verified_at, acme.mailbox_count), (None, None, None, 0));
    assert_eq!(acme.ownership_token.len(), 32);
    assert_ne!(acme.ownership_token, other.ownership_token);
    assert_ne!(acme.dkim.selector, other.dkim.selector);
    assert_ne!(acme.dkim.base64, other.dkim.base64);
    assert_eq!(store.domain(tenant.workspace, acme.id).await.unwrap(), acme);
    assert!(store.domain_check_job(acme.id).await.unwrap().is_none(), "nobody asked");
}

async fn a_workspace_has_a_name_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.domain("acme.example").await;
    let again = tenant.try_domain("ACME.example.", DomainMode::SendOnly).await;
    assert!(matches!(again, Err(CoreError::AlreadyExists)), "{again:?}");
    let sibling = tenant.sibling().await;
    sibling.domain("acme.example").await;
    assert_eq!(database.count("sending_domains"), 2);
}

async fn a_name_in_use_is_not_added_elsewhere(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    assert_eq!(tenant.checked(id, COMPLETE).await.status, DomainStatus::Verified);
    let sibling = tenant.sibling().await;
    let refused = sibling.try_domain("acme.example", DomainMode::SendReceive).await;
    assert!(matches!(refused, Err(CoreError::Conflict(_))), "{refused:?}");
    store.delete_domain(tenant.workspace, id).await.unwrap();
    sibling.domain("acme.example").await;
}

async fn pages_go_from_the_newest_to_the_oldest(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for name in ["a.example", "b.example", "c.example"] {
        tenant.domain(name).await;
    }
    tenant.sibling().await.domain("d.example").await;
    let page = store.list_domains(tenant.workspace, None, 2).await.unwrap();
    let names = |items: &[SendingDomain]| items.iter().map(|d| d.name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!((names(&page.items), page.has_more), (vec!["c.example".to_owned(), "b.example".to_owned()], true));
    let rest = store.list_domains(tenant.workspace, Some(page.items[1].id), 2).await.unwrap();
    assert_eq!((names(&rest.items), rest.has_more), (vec!["a.example".to_owned()], false));
    let exact = store.list_domains(tenant.workspace, None, 3).await.unwrap();
    assert!(exact.items.len() == 3 && !exact.has_more);
}

async fn a_domain_belongs_to_one_workspace(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    let stranger = Tenant::with_plan(&store, "stranger@tenant.example", UNLIMITED).await.workspace;
    for (workspace, id) in [(stranger, id), (tenant.workspace, DomainId::new())] {
        let not_found = |error: CoreError| assert!(matches!(error, CoreError::NotFound("domain")), "{error}");
        not_found(store.domain(workspace, id).await.unwrap_err());
        not_found(store.let_domain_receive(workspace, id, None).await.unwrap_err());
        not_found(store.delete_domain(workspace, id).await.unwrap_err());
        not_found(store.domain_filters(workspace, id).await.unwrap_err());
        not_found(store.set_domain_filters(workspace, id, FilterSet::default(), None).await.unwrap_err());
        not_found(store.request_domain_check(workspace, id).await.unwrap_err());
    }
    assert!(store.list_domains(stranger, None, 10).await.unwrap().items.is_empty());
    assert_eq!(database.count("queue_messages"), 0);
}

async fn receiving_has_to_be_verified_anew(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.try_domain("acme.example", DomainMode::SendOnly).await.unwrap().id;
    let verified = tenant.checked(id, COMPLETE).await;
    let changed = store.let_domain_receive(tenant.workspace, id, None).await.unwrap();
    let expected = SendingDomain {
        mode: DomainMode::SendReceive,
        status: DomainStatus::Pending,
        checks: None,
        checked_at: None,
        verified_at: None,
        ..verified
    };
    assert_eq!(changed, expected);
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap(), expected);
    let verified = tenant.checked(id, COMPLETE).await;
    assert_eq!(store.let_domain_receive(tenant.workspace, id, None).await.unwrap(), verified, "it does already");
}

async fn a_removed_domain_leaves_nothing(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (id, bystander) = (tenant.domain("acme.example").await.id, tenant.domain("other.example").await);
    for id in [id, bystander.id] {
        let set = FilterSet::new(FilterMode::Denylist, vec![rule(FilterKind::Deny, "spam.example", None)]).unwrap();
        store.set_domain_filters(tenant.workspace, id, set, None).await.unwrap();
    }
    store.delete_domain(tenant.workspace, id).await.unwrap();
    assert!(matches!(store.domain(tenant.workspace, id).await, Err(CoreError::NotFound("domain"))));
    assert!(matches!(store.delete_domain(tenant.workspace, id).await, Err(CoreError::NotFound("domain"))));
    assert_eq!((database.count("sender_filters"), database.count("sender_filter_modes")), (1, 1));
    assert_eq!(store.domain(tenant.workspace, bystander.id).await.unwrap(), bystander);
}

async fn a_domain_with_a_mailbox_stays(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    tenant.checked(id, COMPLETE).await;
    let made = tenant.provision("dana@acme.example").await.mailbox.id;
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap().mailbox_count, 1);
    assert_eq!(store.list_domains(tenant.workspace, None, 1).await.unwrap().items[0].mailbox_count, 1);
    assert!(matches!(store.delete_domain(tenant.workspace, id).await, Err(CoreError::Conflict(_))));
    // A suspended mailbox is in the way, too, but does not count as active.
    store.suspend_mailbox(tenant.workspace, made, true).await.unwrap();
    assert_eq!(store.domain(tenant.workspace, id).await.unwrap().mailbox_count, 0);
    assert!(matches!(store.delete_domain(tenant.workspace, id).await, Err(CoreError::Conflict(_))));
    store.delete_hosted_mailbox(tenant.workspace, made).await.unwrap();
    store.delete_domain(tenant.workspace, id).await.unwrap();
}

async fn rules_are_replaced_as_a_whole(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    assert_eq!(store.domain_filters(tenant.workspace, id).await.unwrap(), FilterSet::default());
    let (allow, deny) = (FilterKind::Allow, FilterKind::Deny);
    let sets = [
        FilterSet::new(
            FilterMode::Denylist,
            vec![rule(deny, "b.example", Some("\"ü\"")), rule(deny, "kim@a.example", None)],
        ),
        FilterSet::new(FilterMode::Allowlist, (0..1000).map(|n| rule(allow, &format!("d{n}.example"), None)).collect()),
        FilterSet::new(FilterMode::Off, vec![rule(allow, "a.example", None), rule(deny, "b.example", None)]),
        FilterSet::new(FilterMode::Off, vec![]),
    ];
    for set in sets {
        let set = set.unwrap();
        assert_eq!(store.set_domain_filters(tenant.workspace, id, set.clone(), None).await.unwrap(), set);
        assert_eq!(store.domain_filters(tenant.workspace, id).await.unwrap(), set);
        assert_eq!(database.count("sender_filters"), set.rules().len() as i64);
    }
}

async fn a_domain_that_only_sends_has_no_rules(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.try_domain("acme.example", DomainMode::SendOnly).await.unwrap().id;
    assert!(matches!(store.domain_filters(tenant.workspace, id).await, Err(CoreError::Conflict(_))));
    let refused = store.set_domain_filters(tenant.workspace, id, FilterSet::default(), None).await;
    assert!(matches!(refused, Err(CoreError::Conflict(_))));
    assert_eq!(database.count("sender_filter_modes"), 0);
}

/// The published key verifies signatures of the sealed one.
async fn the_key_is_sealed_and_signs(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let (domain, other) = (tenant.domain("acme.example").await, tenant.domain("other.example").await);
    let dana = EmailAddress::parse("Dana@acme.example").unwrap();
    assert!(matches!(store.dkim_signer(&dana).await, Err(CoreError::NotFound("mailbox"))));
    tenant.checked(domain.id, COMPLETE).await;
    let mailbox = tenant.provision(dana.as_str()).await.mailbox.id;
    // Another tenant may have the name by now; the mailbox is still under this domain.
    tenant.checked(domain.id, DomainChecks { spf: false, ..COMPLETE }).await;
    let namesake = tenant.sibling().await.domain("acme.example").await;
    let signer = store.dkim_signer(&dana).await.unwrap();
    assert_eq!((signer.domain.as_str(), &signer.selector), ("acme.example", &domain.dkim.selector));
    let private = PKey::private_key_from_pem(signer.private_key.expose_secret().as_bytes()).unwrap();
    assert_eq!(private.rsa().unwrap().size(), 256);
    let text = b"from:dana@acme.example\r\n";
    let mut signing = Signer::new(MessageDigest::sha256(), &private).unwrap();
    let signature = signing.sign_oneshot_to_vec(text).unwrap();
    let is_theirs = |published: &str| {
        let public = PKey::public_key_from_der(&STANDARD.decode(published).unwrap()).unwrap();
        Verifier::new(MessageDigest::sha256(), &public).unwrap().verify_oneshot(&signature, text).unwrap()
    };
    assert!(is_theirs(&domain.dkim.base64) && !is_theirs(&other.dkim.base64) && !is_theirs(&namesake.dkim.base64));

    assert!(!format!("{signer:?}").contains("PRIVATE"));
    let pem: String = b"-----BEGIN".iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!database.dump("sending_domains").contains(&pem));
    database.execute(&format!(
        "UPDATE sending_domains SET dkim_private_key = (SELECT dkim_private_key FROM sending_domains WHERE id = '{}') WHERE id = '{}'",
        other.id, domain.id
    ));
    let moved = store.dkim_signer(&dana).await.unwrap_err();
    assert!(matches!(&moved, CoreError::Internal(text) if text.contains(&domain.id.to_string())), "{moved}");
    store.delete_hosted_mailbox(tenant.workspace, mailbox).await.unwrap();
    assert!(matches!(store.dkim_signer(&dana).await, Err(CoreError::NotFound("mailbox"))));
}

async fn a_master_key_that_seals_a_domain_is_missed(database: TestDatabase) {
    let (old, new) = (format!("old:{KEY}"), format!("new:{}", STANDARD.encode([9; 32])));
    let store = database.unlock(&old).await.unwrap();
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    tenant.checked(id, COMPLETE).await;
    let (email, mailbox) = ("dana@acme.example", tenant.provision("dana@acme.example").await.mailbox.id);
    let store = database.unlock(&format!("{new},{old}")).await.unwrap();
    assert!(store.dkim_signer(&EmailAddress::parse(email).unwrap()).await.is_ok());
    let refused = database.unlock(&new).await.err().unwrap().to_string();
    assert!(refused.contains("'old' is missing"), "{refused}");
    store.delete_hosted_mailbox(tenant.workspace, mailbox).await.unwrap();
    store.delete_domain(tenant.workspace, id).await.unwrap();
    database.unlock(&new).await.unwrap();
}

async fn a_workspace_has_a_thousand_domains_at_most(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.domain("acme.example").await;
    let columns = "mode, status, ownership_token, dkim_selector, dkim_public_key, dkim_key_id, dkim_private_key, \
                   failures, asked_at, asked_by_clock, answered_at, created_at";
    for doubling in 0..10 {
        database.execute(&format!(
            "INSERT INTO sending_domains (id, workspace_id, name, {columns}) \
             SELECT id || '{doubling}', workspace_id, name || '{doubling}', {columns} FROM sending_domains"
        ));
    }
    let refused = tenant.try_domain("other.example", DomainMode::SendReceive).await;
    let Err(CoreError::LimitExceeded { usage: 1024, limit: 1000, .. }) = refused else { panic!("{refused:?}") };
    let known = tenant.try_domain("acme.example", DomainMode::SendReceive).await;
    assert!(matches!(known, Err(CoreError::AlreadyExists)), "{known:?}");
}

async fn a_workspace_with_a_domain_is_not_closed(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let id = tenant.domain("acme.example").await.id;
    assert!(matches!(store.delete_workspace(tenant.workspace).await, Err(CoreError::Conflict(_))));
    store.delete_domain(tenant.workspace, id).await.unwrap();
    store.delete_workspace(tenant.workspace).await.unwrap();
    let late = tenant.try_domain("acme.example", DomainMode::SendReceive).await;
    assert!(matches!(late, Err(CoreError::NotFound("workspace"))), "{late:?}");
}

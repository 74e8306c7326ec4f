//! Sending providers: what is kept of them, and how many there may be.

use std::collections::BTreeMap;

use shared_models::domain::sending_accounts::{LoginTestResult, TestOutcome};
use shared_models::domain::sending_accounts::{
    NewSendingAccount, Quota, Quotas, QuotasChange, Sender, SendingAccount, SendingAccountChange, SendingAccountStatus,
    SmtpProtocol,
};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{
    CoreError, LoginSecret, LoginTestId, Password, SendingAccountId, ServerEndpoint, WorkspaceId,
};
use shared_models::events::{Event, SendingAccountRef};
use shared_models::store::{LimitIncrease, PendingAnswer, SendingAccountQuery, Settled, Store};

use crate::core::races::at_once;
use crate::world::home::Home;
use crate::world::tenant::Tenant;

contract!(
    what_is_stored_is_read,
    its_password_is_sealed_for_its_place,
    lists_are_pages_of_one_workspace,
    a_change_of_nothing_changes_nothing,
    a_change_of_another_version_is_a_conflict,
    nothing_is_left_of_a_deleted_provider,
    the_plan_limits_providers,
    requests_of_the_same_moment_keep_to_the_limit,
    an_increase_is_asked_for_once,
    a_workspace_with_providers_stays_open,
);

pub(crate) fn provider(name: &str) -> NewSendingAccount {
    let protocol = SmtpProtocol::Starttls;
    NewSendingAccount {
        name: name.to_owned(),
        smtp: ServerEndpoint::parse("smtp.mail.example", 587, protocol.security()).unwrap(),
        protocol,
        secret: LoginSecret { username: "dana".to_owned(), password: Password::new("sesame-provider") },
        sender: Sender { from_email: Some("Dana@mail.example".to_owned()), ..Sender::default() },
        quotas: Quotas { per_day: Some(Quota { min: 5, max: 9 }), ..Quotas::default() },
        percentage: 70,
        tracking_domain: None,
        variables: BTreeMap::from([("a".to_owned(), "ü".to_owned())]),
    }
}

pub(crate) fn refused() -> TestOutcome {
    TestOutcome::Refused { reason: "Wrong password.".to_owned(), of_password: true }
}

pub(crate) fn age_tests(home: &Home, millis: i64) {
    home.execute(&format!("UPDATE provider_tests SET created_at = created_at - {millis}"));
}

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
}

impl Bench {
    pub(crate) async fn new(home: &Home) -> Self {
        let store = home.open().await;
        Self { tenant: Tenant::new(&store).await, store }
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.tenant.workspace
    }

    pub(crate) async fn add(&self, name: &str) -> (SendingAccount, LoginTestId) {
        let mut news = self.store.news();
        let added = self
            .store
            .create_sending_account(self.workspace(), provider(name), PendingAnswer::not_kept())
            .await
            .unwrap();
        let about = SendingAccountRef { sending_account_id: added.id, workspace_id: self.workspace() };
        assert_eq!(news.try_recv().unwrap(), Event::SendingAccountCreated(about));
        let Ok(Event::LoginTestRequested(test)) = news.try_recv() else { panic!("no test") };
        assert_eq!((test.sending_account_id, test.workspace_id), (added.id, self.workspace()));
        (added, test.login_test_id)
    }

    pub(crate) async fn read(&self, id: SendingAccountId) -> SendingAccount {
        self.store.sending_account(self.workspace(), id).await.unwrap()
    }

    pub(crate) async fn status(&self, id: SendingAccountId) -> (SendingAccountStatus, Option<String>) {
        let standing = self.read(id).await.standing;
        (standing.status, standing.reason)
    }

    pub(crate) async fn change(&self, id: SendingAccountId, change: SendingAccountChange) -> SendingAccount {
        self.store.change_sending_account(self.workspace(), id, change, None).await.unwrap()
    }

    /// Begins and settles.
    pub(crate) async fn make(&self, test: LoginTestId, outcome: TestOutcome) {
        assert!(self.store.begin_login_test(test).await.unwrap().is_some());
        assert_eq!(self.store.settle_login_test(test, outcome, 12).await.unwrap(), Settled::Stored);
    }

    pub(crate) async fn ask(&self, id: SendingAccountId) -> LoginTestId {
        let test = self.store.request_login_test(self.workspace(), id).await.unwrap();
        assert_eq!(test.result, None);
        test.id
    }

    pub(crate) async fn result(&self, test: LoginTestId) -> Option<LoginTestResult> {
        self.store.login_test(self.workspace(), test).await.unwrap().result
    }
}

async fn what_is_stored_is_read(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, _) = bench.add("one").await;
    assert_eq!(bench.read(added.id).await, added);
    assert_eq!((added.standing.status, added.standing.is_active), (SendingAccountStatus::Pending, true));
    let change = SendingAccountChange {
        name: Some("two".to_owned()),
        host: Some("127.0.0.1".to_owned()),
        port: Some(2525),
        protocol: Some(SmtpProtocol::None),
        username: Some("eve".to_owned()),
        password: Some(Password::new("other")),
        from_email: Some(None),
        from_name: Some(Some("Dana".to_owned())),
        reply_to_email: Some(Some("r@mail.example".to_owned())),
        reply_to_name: Some(Some("R".to_owned())),
        quotas: QuotasChange { per_day: Some(None), ..QuotasChange::default() },
        percentage: Some(0),
        tracking_domain: Some(Some("t.mail.example".to_owned())),
        variables: Some(BTreeMap::new()),
    };
    let changed = bench.change(added.id, change).await;
    assert_eq!(bench.read(added.id).await, changed);
    assert!(changed.updated_at >= added.updated_at);
    assert_eq!((changed.name.as_str(), changed.username.as_str()), ("two", "eve"));
    assert_eq!((changed.sender.from_email, changed.quotas), (None, Quotas::default()));
    let smtp = ServerEndpoint::parse("127.0.0.1", 2525, SmtpProtocol::None.security()).unwrap();
    assert_eq!((changed.smtp, changed.percentage, changed.variables), (smtp, 0, BTreeMap::new()));
}

async fn its_password_is_sealed_for_its_place(home: Home) {
    let bench = Bench::new(&home).await;
    let (one, test) = bench.add("one").await;
    let (two, other_test) = bench.add("two").await;
    assert!(!home.dump("providers").contains("sesame"));
    assert!(!home.dump("providers").contains(&"sesame".bytes().map(|b| format!("{b:02x}")).collect::<String>()));
    let job = bench.store.begin_login_test(test).await.unwrap().unwrap();
    assert_eq!((job.secret, job.smtp), (provider("one").secret, one.smtp));
    let (from, to) = (one.id, two.id);
    home.execute(&format!(
        "UPDATE providers SET password = (SELECT password FROM providers WHERE id = '{from}') WHERE id = '{to}'"
    ));
    let error = bench.store.begin_login_test(other_test).await.unwrap_err();
    assert!(matches!(&error, CoreError::Internal(text) if text.contains(&to.to_string())), "{error}");
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    bench.change(one.id, change).await;
    let job = bench.store.begin_login_test(bench.ask(one.id).await).await.unwrap().unwrap();
    assert_eq!(job.secret.password, Password::new("fresh"));
}

async fn lists_are_pages_of_one_workspace(home: Home) {
    let bench = Bench::new(&home).await;
    let mut all = vec![];
    for name in ["a", "b", "c", "d", "e"] {
        all.insert(0, bench.add(name).await.0);
    }
    let names = |page: &[SendingAccount]| page.iter().map(|provider| provider.name.clone()).collect::<String>();
    let list = async |query| bench.store.list_sending_accounts(bench.workspace(), query).await.unwrap();
    let (mut seen, mut after) = (String::new(), None);
    loop {
        let (page, has_more) = list(SendingAccountQuery { after, limit: 2, status: None }).await;
        seen += &names(&page);
        after = page.last().map(|provider| provider.id);
        if !has_more {
            break;
        }
        assert_eq!(page.len(), 2);
    }
    assert_eq!(seen, "edcba");
    bench.store.switch_sending_account(bench.workspace(), all[2].id, false).await.unwrap();
    let of = async |status| names(&list(SendingAccountQuery { status: Some(status), after: None, limit: 9 }).await.0);
    assert_eq!(
        (of(SendingAccountStatus::Inactive).await, of(SendingAccountStatus::Pending).await),
        ("c".into(), "edba".into())
    );
    let counts = bench.store.count_sending_accounts(bench.workspace()).await.unwrap();
    assert_eq!(
        (counts.len(), counts[&SendingAccountStatus::Inactive], counts[&SendingAccountStatus::Pending]),
        (2, 1, 4)
    );
    let sibling = bench.tenant.sibling().await.workspace;
    let all_of_sibling = SendingAccountQuery { limit: 9, ..SendingAccountQuery::default() };
    assert!(bench.store.list_sending_accounts(sibling, all_of_sibling).await.unwrap().0.is_empty());
    assert!(bench.store.count_sending_accounts(sibling).await.unwrap().is_empty());
    let id = all[0].id;
    let foreign = |result: Result<SendingAccount, CoreError>| {
        assert!(matches!(result, Err(CoreError::NotFound("provider"))), "{result:?}");
    };
    foreign(bench.store.sending_account(sibling, id).await);
    foreign(bench.store.change_sending_account(sibling, id, SendingAccountChange::default(), None).await);
    foreign(bench.store.switch_sending_account(sibling, id, false).await);
    assert!(matches!(bench.store.delete_sending_account(sibling, id).await, Err(CoreError::NotFound(_))));
    assert!(matches!(bench.store.request_login_test(sibling, id).await, Err(CoreError::NotFound(_))));
}

async fn a_change_of_nothing_changes_nothing(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, _) = bench.add("one").await;
    let mut news = bench.store.news();
    let same = SendingAccountChange {
        name: Some("one".to_owned()),
        port: Some(587),
        password: Some(Password::new("sesame-provider")),
        ..SendingAccountChange::default()
    };
    for change in [SendingAccountChange::default(), same] {
        assert_eq!(bench.change(added.id, change).await, added);
    }
    assert!(news.try_recv().is_err());
}

async fn a_change_of_another_version_is_a_conflict(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, _) = bench.add("one").await;
    let rename = |name: &str| SendingAccountChange { name: Some(name.to_owned()), ..SendingAccountChange::default() };
    let change = |name: &str, expected| {
        let (store, workspace, id, change) = (bench.store.clone(), bench.workspace(), added.id, rename(name));
        async move { store.change_sending_account(workspace, id, change, Some(expected)).await }
    };
    let renamed = change("two", added.clone()).await.unwrap();
    assert!(matches!(change("three", added.clone()).await, Err(CoreError::Conflict(_))));
    assert_eq!(bench.read(added.id).await, renamed);
}

async fn nothing_is_left_of_a_deleted_provider(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    let (_, kept) = bench.add("two").await;
    assert!(bench.store.begin_login_test(first).await.unwrap().is_some());
    bench.store.delete_sending_account(bench.workspace(), added.id).await.unwrap();
    assert!(matches!(
        bench.store.delete_sending_account(bench.workspace(), added.id).await,
        Err(CoreError::NotFound(_))
    ));
    assert_eq!((home.count("providers"), home.count("provider_tests")), (1, 1));
    assert_eq!(bench.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    assert!(bench.store.begin_login_test(first).await.unwrap().is_none());
    let gone = bench.store.login_test(bench.workspace(), first).await;
    assert!(matches!(gone, Err(CoreError::NotFound("test"))));
    assert!(bench.store.begin_login_test(kept).await.unwrap().is_some());
}

async fn the_plan_limits_providers(home: Home) {
    let store = home.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    for name in ["a", "b"] {
        store.create_sending_account(tenant.workspace, provider(name), PendingAnswer::not_kept()).await.unwrap();
    }
    let refused = store.create_sending_account(tenant.workspace, provider("c"), PendingAnswer::not_kept()).await;
    assert!(matches!(refused, Err(CoreError::LimitExceeded { usage: 2, limit: 2, requested: 1 })), "{refused:?}");
    assert_eq!(home.count("providers"), 2);
    store
        .create_sending_account(tenant.sibling().await.workspace, provider("d"), PendingAnswer::not_kept())
        .await
        .unwrap();
}

async fn requests_of_the_same_moment_keep_to_the_limit(home: Home) {
    let store = home.open().await;
    let tenant = Tenant::limited(&store, 3).await;
    let created = at_once((0..8).map(|n| {
        let (store, workspace) = (store.clone(), tenant.workspace);
        async move {
            store.create_sending_account(workspace, provider(&format!("{n}")), PendingAnswer::not_kept()).await.is_ok()
        }
    }));
    assert_eq!(created.await.into_iter().filter(|created| *created).count(), 3);
    assert_eq!(home.count("providers"), 3);
}

async fn an_increase_is_asked_for_once(home: Home) {
    let store = home.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    let ask = async || store.request_limit_increase(tenant.workspace).await.unwrap();
    assert!(matches!(ask().await, LimitIncrease::NotNear(limit) if limit.usage == 0 && limit.max_allowed == 2));
    for name in ["a", "b"] {
        store.create_sending_account(tenant.workspace, provider(name), PendingAnswer::not_kept()).await.unwrap();
    }
    let LimitIncrease::Asked(id, allowance) = ask().await else { panic!("refused") };
    assert_eq!(allowance.pending_request, Some(id));
    assert_eq!(store.sending_account_allowance(tenant.workspace).await.unwrap(), allowance);
    assert_eq!(ask().await, LimitIncrease::Pending);
    // Granted.
    let plan = |max| Plan { subscription_active: true, max_mailboxes: Some(max) };
    store.set_plan("owner@tenant.example", plan(10)).await.unwrap();
    let allowance = store.sending_account_allowance(tenant.workspace).await.unwrap();
    assert_eq!((allowance.pending_request, allowance.limit.max_allowed), (None, 10));
    assert!(matches!(ask().await, LimitIncrease::NotNear(_)));
}

async fn a_workspace_with_providers_stays_open(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, _) = bench.add("one").await;
    assert!(matches!(bench.store.delete_workspace(bench.workspace()).await, Err(CoreError::Conflict(_))));
    bench.store.delete_sending_account(bench.workspace(), added.id).await.unwrap();
    bench.store.delete_workspace(bench.workspace()).await.unwrap();
    let late = bench.store.create_sending_account(bench.workspace(), provider("late"), PendingAnswer::not_kept()).await;
    assert!(matches!(late, Err(CoreError::NotFound("workspace"))));
}

//! Sending accounts: what is stored of them, and how many there may be.

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
use crate::support::database::TestDatabase;
use crate::support::tenant::Tenant;

contract!(
    what_is_stored_is_read,
    its_password_is_sealed_for_its_row,
    lists_are_pages_of_one_workspace,
    a_change_of_nothing_changes_nothing,
    a_change_of_another_version_is_a_conflict,
    nothing_is_left_of_a_deleted_account,
    the_plan_limits_accounts,
    requests_of_the_same_moment_keep_to_the_limit,
    an_increase_is_asked_for_once,
    a_workspace_with_accounts_stays_open,
);

pub(crate) fn new_account(name: &str) -> NewSendingAccount {
    let protocol = SmtpProtocol::Starttls;
    NewSendingAccount {
        name: name.to_owned(),
        smtp: ServerEndpoint::parse("smtp.mail.example", 587, protocol.security()).unwrap(),
        protocol,
        secret: LoginSecret { username: "dana".to_owned(), password: Password::new("sesame-account") },
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

pub(crate) fn age_tests(database: &TestDatabase, millis: i64) {
    database.execute(&format!("UPDATE provider_tests SET created_at = created_at - {millis}"));
}

pub(crate) struct Accounts {
    pub(crate) store: Store,
    pub(crate) tenant: Tenant,
}

impl Accounts {
    pub(crate) async fn new(database: &TestDatabase) -> Self {
        let store = database.open().await;
        Self { tenant: Tenant::new(&store).await, store }
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.tenant.workspace
    }

    pub(crate) async fn add(&self, name: &str) -> (SendingAccount, LoginTestId) {
        let mut news = self.store.news();
        let added = self
            .store
            .create_sending_account(self.workspace(), new_account(name), PendingAnswer::not_kept())
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

    /// Begins a test and settles it.
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

async fn what_is_stored_is_read(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, _) = accounts.add("one").await;
    assert_eq!(accounts.read(added.id).await, added);
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
    let changed = accounts.change(added.id, change).await;
    assert_eq!(accounts.read(added.id).await, changed);
    assert!(changed.updated_at >= added.updated_at);
    assert_eq!((changed.name.as_str(), changed.username.as_str()), ("two", "eve"));
    assert_eq!((changed.sender.from_email, changed.quotas), (None, Quotas::default()));
    let smtp = ServerEndpoint::parse("127.0.0.1", 2525, SmtpProtocol::None.security()).unwrap();
    assert_eq!((changed.smtp, changed.percentage, changed.variables), (smtp, 0, BTreeMap::new()));
}

async fn its_password_is_sealed_for_its_row(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (one, test) = accounts.add("one").await;
    let (two, other_test) = accounts.add("two").await;
    assert!(!database.dump("providers").contains("sesame"));
    assert!(!database.dump("providers").contains(&"sesame".bytes().map(|b| format!("{b:02x}")).collect::<String>()));
    let job = accounts.store.begin_login_test(test).await.unwrap().unwrap();
    assert_eq!((job.secret, job.smtp), (new_account("one").secret, one.smtp));
    let (from, to) = (one.id, two.id);
    database.execute(&format!(
        "UPDATE providers SET password = (SELECT password FROM providers WHERE id = '{from}') WHERE id = '{to}'"
    ));
    let error = accounts.store.begin_login_test(other_test).await.unwrap_err();
    assert!(matches!(&error, CoreError::Internal(text) if text.contains(&to.to_string())), "{error}");
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    accounts.change(one.id, change).await;
    let job = accounts.store.begin_login_test(accounts.ask(one.id).await).await.unwrap().unwrap();
    assert_eq!(job.secret.password, Password::new("fresh"));
}

async fn lists_are_pages_of_one_workspace(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let mut all = vec![];
    for name in ["a", "b", "c", "d", "e"] {
        all.insert(0, accounts.add(name).await.0);
    }
    let names = |page: &[SendingAccount]| page.iter().map(|account| account.name.clone()).collect::<String>();
    let list = async |query| accounts.store.list_sending_accounts(accounts.workspace(), query).await.unwrap();
    let (mut seen, mut after) = (String::new(), None);
    loop {
        let (page, has_more) = list(SendingAccountQuery { after, limit: 2, status: None }).await;
        seen += &names(&page);
        after = page.last().map(|account| account.id);
        if !has_more {
            break;
        }
        assert_eq!(page.len(), 2);
    }
    assert_eq!(seen, "edcba");
    accounts.store.switch_sending_account(accounts.workspace(), all[2].id, false).await.unwrap();
    let of = async |status| names(&list(SendingAccountQuery { status: Some(status), after: None, limit: 9 }).await.0);
    assert_eq!(
        (of(SendingAccountStatus::Inactive).await, of(SendingAccountStatus::Pending).await),
        ("c".into(), "edba".into())
    );
    let counts = accounts.store.count_sending_accounts(accounts.workspace()).await.unwrap();
    assert_eq!(
        (counts.len(), counts[&SendingAccountStatus::Inactive], counts[&SendingAccountStatus::Pending]),
        (2, 1, 4)
    );
    let sibling = accounts.tenant.sibling().await.workspace;
    let all_of_sibling = SendingAccountQuery { limit: 9, ..SendingAccountQuery::default() };
    assert!(accounts.store.list_sending_accounts(sibling, all_of_sibling).await.unwrap().0.is_empty());
    assert!(accounts.store.count_sending_accounts(sibling).await.unwrap().is_empty());
    let id = all[0].id;
    let foreign = |result: Result<SendingAccount, CoreError>| {
        assert!(matches!(result, Err(CoreError::NotFound("provider"))), "{result:?}");
    };
    foreign(accounts.store.sending_account(sibling, id).await);
    foreign(accounts.store.change_sending_account(sibling, id, SendingAccountChange::default(), None).await);
    foreign(accounts.store.switch_sending_account(sibling, id, false).await);
    assert!(matches!(accounts.store.delete_sending_account(sibling, id).await, Err(CoreError::NotFound(_))));
    assert!(matches!(accounts.store.request_login_test(sibling, id).await, Err(CoreError::NotFound(_))));
}

async fn a_change_of_nothing_changes_nothing(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, _) = accounts.add("one").await;
    let mut news = accounts.store.news();
    let same = SendingAccountChange {
        name: Some("one".to_owned()),
        port: Some(587),
        password: Some(Password::new("sesame-account")),
        ..SendingAccountChange::default()
    };
    for change in [SendingAccountChange::default(), same] {
        assert_eq!(accounts.change(added.id, change).await, added);
    }
    assert!(news.try_recv().is_err());
}

async fn a_change_of_another_version_is_a_conflict(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, _) = accounts.add("one").await;
    let rename = |name: &str| SendingAccountChange { name: Some(name.to_owned()), ..SendingAccountChange::default() };
    let change = |name: &str, expected| {
        let (store, workspace, id, change) = (accounts.store.clone(), accounts.workspace(), added.id, rename(name));
        async move { store.change_sending_account(workspace, id, change, Some(expected)).await }
    };
    let renamed = change("two", added.clone()).await.unwrap();
    assert!(matches!(change("three", added.clone()).await, Err(CoreError::Conflict(_))));
    assert_eq!(accounts.read(added.id).await, renamed);
}

async fn nothing_is_left_of_a_deleted_account(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    let (_, kept) = accounts.add("two").await;
    assert!(accounts.store.begin_login_test(first).await.unwrap().is_some());
    accounts.store.delete_sending_account(accounts.workspace(), added.id).await.unwrap();
    assert!(matches!(
        accounts.store.delete_sending_account(accounts.workspace(), added.id).await,
        Err(CoreError::NotFound(_))
    ));
    assert_eq!((database.count("providers"), database.count("provider_tests")), (1, 1));
    assert_eq!(accounts.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    assert!(accounts.store.begin_login_test(first).await.unwrap().is_none());
    let gone = accounts.store.login_test(accounts.workspace(), first).await;
    assert!(matches!(gone, Err(CoreError::NotFound("test"))));
    assert!(accounts.store.begin_login_test(kept).await.unwrap().is_some());
}

async fn the_plan_limits_accounts(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    for name in ["a", "b"] {
        store.create_sending_account(tenant.workspace, new_account(name), PendingAnswer::not_kept()).await.unwrap();
    }
    let refused = store.create_sending_account(tenant.workspace, new_account("c"), PendingAnswer::not_kept()).await;
    assert!(matches!(refused, Err(CoreError::LimitExceeded { usage: 2, limit: 2, requested: 1 })), "{refused:?}");
    assert_eq!(database.count("providers"), 2);
    store
        .create_sending_account(tenant.sibling().await.workspace, new_account("d"), PendingAnswer::not_kept())
        .await
        .unwrap();
}

async fn requests_of_the_same_moment_keep_to_the_limit(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 3).await;
    let created = at_once((0..8).map(|n| {
        let (store, workspace) = (store.clone(), tenant.workspace);
        async move {
            store
                .create_sending_account(workspace, new_account(&format!("{n}")), PendingAnswer::not_kept())
                .await
                .is_ok()
        }
    }));
    assert_eq!(created.await.into_iter().filter(|created| *created).count(), 3);
    assert_eq!(database.count("providers"), 3);
}

async fn an_increase_is_asked_for_once(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::limited(&store, 2).await;
    let ask = async || store.request_limit_increase(tenant.workspace).await.unwrap();
    assert!(matches!(ask().await, LimitIncrease::NotNear(limit) if limit.usage == 0 && limit.max_allowed == 2));
    for name in ["a", "b"] {
        store.create_sending_account(tenant.workspace, new_account(name), PendingAnswer::not_kept()).await.unwrap();
    }
    let LimitIncrease::Asked(id, allowance) = ask().await else { panic!("refused") };
    assert_eq!(allowance.pending_request, Some(id));
    assert_eq!(store.sending_account_allowance(tenant.workspace).await.unwrap(), allowance);
    assert_eq!(ask().await, LimitIncrease::Pending);
    // A higher limit grants the request.
    let plan = |max| Plan { subscription_active: true, max_mailboxes: Some(max) };
    store.set_plan("owner@tenant.example", plan(10)).await.unwrap();
    let allowance = store.sending_account_allowance(tenant.workspace).await.unwrap();
    assert_eq!((allowance.pending_request, allowance.limit.max_allowed), (None, 10));
    assert!(matches!(ask().await, LimitIncrease::NotNear(_)));
}

async fn a_workspace_with_accounts_stays_open(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, _) = accounts.add("one").await;
    assert!(matches!(accounts.store.delete_workspace(accounts.workspace()).await, Err(CoreError::Conflict(_))));
    accounts.store.delete_sending_account(accounts.workspace(), added.id).await.unwrap();
    accounts.store.delete_workspace(accounts.workspace()).await.unwrap();
    let late = accounts
        .store
        .create_sending_account(accounts.workspace(), new_account("late"), PendingAnswer::not_kept())
        .await;
    assert!(matches!(late, Err(CoreError::NotFound("workspace"))));
}

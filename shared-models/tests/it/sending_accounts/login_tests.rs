//! Login tests of sending accounts: when they are requested, that they are made once, and what they change.

use shared_models::domain::sending_accounts::TestOutcome;
use shared_models::domain::sending_accounts::{SendingAccountChange, SendingAccountStatus, SmtpProtocol};
use shared_models::domain::{LoginTestId, Password};
use shared_models::events::{Event, LoginTestRef};
use shared_models::store::Settled;

use crate::core::races::at_once;
use crate::sending_accounts::accounts::{Accounts, age_tests, refused};
use crate::support::database::TestDatabase;

contract!(
    a_new_account_is_tested_once,
    a_request_joins_the_test_that_is_under_way,
    a_refused_password_ends_later_tests,
    a_change_of_the_login_asks_for_a_test,
    a_test_of_an_older_login_says_nothing_about_the_new_one,
    an_account_that_is_off_stays_off,
    an_untested_account_is_tested_when_switched_on,
    a_refusal_outlasts_switching_it_off,
    a_test_is_begun_and_settled_once,
    a_test_whose_verifier_died_ends,
    after_a_week_a_test_is_forgotten,
);

async fn a_new_account_is_tested_once(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, test) = accounts.add("one").await;
    assert_eq!(database.count("queue_messages WHERE queue = 'mailmoor.verifier'"), 1);
    assert_eq!(accounts.result(test).await, None);
    let mut news = accounts.store.news();
    accounts.make(test, TestOutcome::Accepted).await;
    let about = LoginTestRef { login_test_id: test, sending_account_id: added.id, workspace_id: accounts.workspace() };
    assert_eq!(news.try_recv().unwrap(), Event::SendingAccountTested(about));
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Active, None));
    let result = accounts.result(test).await.unwrap();
    assert_eq!((result.success, result.latency_ms), (true, 12));
    assert_eq!(accounts.read(added.id).await.last_tested_at, Some(result.tested_at));
}

async fn a_request_joins_the_test_that_is_under_way(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    let mut news = accounts.store.news();
    assert_eq!(accounts.ask(added.id).await, first);
    assert!(accounts.store.begin_login_test(first).await.unwrap().is_some());
    assert_eq!(accounts.ask(added.id).await, first);
    assert!(news.try_recv().is_err(), "nobody is to work on it twice");
    accounts.store.settle_login_test(first, TestOutcome::Accepted, 1).await.unwrap();
    assert_ne!(accounts.ask(added.id).await, first);
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(_))));
    assert!(matches!(news.try_recv(), Ok(Event::LoginTestRequested(_))));
}

async fn a_refused_password_ends_later_tests(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    age_tests(&database, 61_000);
    let early = accounts.ask(added.id).await;
    assert_ne!(early, first, "the first one is lost");
    accounts.make(first, refused()).await;
    let why = Some("Wrong password.".to_owned());
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Error, why.clone()));
    let known = accounts.result(first).await.unwrap();
    // One test was requested before, and one is requested after.
    assert!(accounts.store.begin_login_test(early).await.unwrap().is_none());
    let mut news = accounts.store.news();
    let late = accounts.store.request_login_test(accounts.workspace(), added.id).await.unwrap();
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(about)) if about.login_test_id == late.id));
    assert!(news.try_recv().is_err(), "nobody is to work on it");
    assert_eq!(accounts.result(late.id).await, late.result);
    for result in [accounts.result(early).await.unwrap(), late.result.unwrap()] {
        assert_eq!((result.success, result.latency_ms, result.tested_at), (false, 0, known.tested_at));
        assert!(result.message.starts_with("Wrong password. It was not tried again"), "{}", result.message);
    }
    assert_eq!(accounts.read(added.id).await.last_tested_at, Some(known.tested_at));
    // Another way to the same server, or another sender, does not make the password valid.
    let others = SendingAccountChange {
        name: Some("new".to_owned()),
        protocol: Some(SmtpProtocol::None),
        password: Some(Password::new("sesame-account")),
        ..SendingAccountChange::default()
    };
    assert_eq!(accounts.change(added.id, others).await.standing.reason, why);
    assert!(accounts.store.request_login_test(accounts.workspace(), added.id).await.unwrap().result.is_some());
}

async fn a_change_of_the_login_asks_for_a_test(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let none = SendingAccountChange::default;
    let changes = [
        SendingAccountChange { host: Some("smtp2.mail.example".to_owned()), ..none() },
        SendingAccountChange { port: Some(465), ..none() },
        SendingAccountChange { username: Some("eve".to_owned()), ..none() },
        SendingAccountChange { password: Some(Password::new("fresh")), ..none() },
    ];
    for change in changes {
        let (added, first) = accounts.add("one").await;
        accounts.make(first, refused()).await;
        let mut news = accounts.store.news();
        let changed = accounts.change(added.id, change).await;
        assert_eq!((changed.standing.status, changed.standing.reason), (SendingAccountStatus::Pending, None));
        let Ok(Event::LoginTestRequested(test)) = news.try_recv() else { panic!("no test") };
        accounts.make(test.login_test_id, TestOutcome::Accepted).await;
        assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Active, None));
        // A passing login that is reached in another way is another login.
        let way = SendingAccountChange { protocol: Some(SmtpProtocol::None), ..none() };
        assert_eq!(accounts.change(added.id, way).await.standing.status, SendingAccountStatus::Pending);
    }
}

async fn a_test_of_an_older_login_says_nothing_about_the_new_one(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    assert!(accounts.store.begin_login_test(first).await.unwrap().is_some());
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    accounts.change(added.id, change).await;
    assert_eq!(accounts.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Stored);
    assert!(!accounts.result(first).await.unwrap().success);
    let after = accounts.read(added.id).await;
    assert_eq!((after.standing.status, after.last_tested_at), (SendingAccountStatus::Pending, None));
    accounts.make(accounts.ask(added.id).await, TestOutcome::Accepted).await;
    assert_eq!(accounts.status(added.id).await.0, SendingAccountStatus::Active);
}

async fn an_account_that_is_off_stays_off(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    let off = accounts.store.switch_sending_account(accounts.workspace(), added.id, false).await.unwrap();
    assert_eq!((off.standing.status, off.standing.is_active), (SendingAccountStatus::Inactive, false));
    accounts.make(first, TestOutcome::Accepted).await;
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Inactive, None));
    let mut news = accounts.store.news();
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    assert_eq!(accounts.change(added.id, change).await.standing.status, SendingAccountStatus::Inactive);
    assert!(news.try_recv().is_err(), "nobody waits for its login");
    accounts.make(accounts.ask(added.id).await, TestOutcome::Unclear("Busy.".to_owned())).await;
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Inactive, None));
    let on = accounts.store.switch_sending_account(accounts.workspace(), added.id, true).await.unwrap();
    assert_eq!((on.standing.status, on.standing.is_active), (SendingAccountStatus::Pending, true));
    assert_eq!(accounts.store.switch_sending_account(accounts.workspace(), added.id, true).await.unwrap(), on);
    accounts.make(accounts.ask(added.id).await, TestOutcome::Accepted).await;
    accounts.make(accounts.ask(added.id).await, TestOutcome::Unclear("Busy.".to_owned())).await;
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Active, None));
}

async fn a_refusal_outlasts_switching_it_off(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    accounts.make(first, refused()).await;
    accounts.store.switch_sending_account(accounts.workspace(), added.id, false).await.unwrap();
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Inactive, None));
    accounts.store.switch_sending_account(accounts.workspace(), added.id, true).await.unwrap();
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Error, Some("Wrong password.".to_owned())));
    // A fault that is not the password's may be mended elsewhere, so the login is attempted again.
    let (other, first) = accounts.add("two").await;
    let settings = TestOutcome::Refused { reason: "No such host.".to_owned(), of_password: false };
    accounts.make(first, settings).await;
    assert_eq!(accounts.status(other.id).await, (SendingAccountStatus::Error, Some("No such host.".to_owned())));
    accounts.make(accounts.ask(other.id).await, TestOutcome::Accepted).await;
    assert_eq!(accounts.status(other.id).await, (SendingAccountStatus::Active, None));
}

async fn an_untested_account_is_tested_when_switched_on(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    let switch = async |on| accounts.store.switch_sending_account(accounts.workspace(), added.id, on).await.unwrap();
    accounts.make(first, TestOutcome::Accepted).await;
    switch(false).await;
    let mut news = accounts.store.news();
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Active);
    assert!(news.try_recv().is_err(), "its login is known to be good");

    switch(false).await;
    let fresh = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    accounts.change(added.id, fresh).await;
    assert!(news.try_recv().is_err(), "nobody uses it");
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Pending);
    let Ok(Event::LoginTestRequested(test)) = news.try_recv() else { panic!("no test") };
    switch(false).await;
    switch(true).await;
    assert!(news.try_recv().is_err(), "a test is under way");
    let bad_certificate =
        TestOutcome::Refused { reason: "Its certificate has expired.".to_owned(), of_password: false };
    accounts.make(test.login_test_id, bad_certificate).await;
    assert_eq!(accounts.status(added.id).await.0, SendingAccountStatus::Error);
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Pending, "it may be mended");
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(_))));
    assert!(matches!(news.try_recv(), Ok(Event::LoginTestRequested(_))));
}

async fn a_test_is_begun_and_settled_once(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    assert_eq!(accounts.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    accounts.make(first, TestOutcome::Accepted).await;
    assert_eq!(accounts.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    assert!(accounts.store.begin_login_test(first).await.unwrap().is_none());
    assert_eq!(accounts.status(added.id).await.0, SendingAccountStatus::Active);
    assert!(accounts.store.begin_login_test(LoginTestId::new()).await.unwrap().is_none());
}

/// The claim on an account ends with its holder, and only then another one begins.
async fn a_test_whose_verifier_died_ends(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    let store = accounts.store.clone();
    let begun = at_once((0..8).map(|_| {
        let store = store.clone();
        async move { store.begin_login_test(first).await.unwrap().is_some() }
    }));
    assert_eq!(begun.await.into_iter().filter(|begun| *begun).count(), 1);
    let result = accounts.result(first).await.unwrap();
    assert!(!result.success && result.message.starts_with("The test was broken off"), "{}", result.message);
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Pending, Some(result.message)));
    assert_eq!(accounts.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    let next = accounts.ask(added.id).await;
    accounts.make(next, TestOutcome::Accepted).await;
    assert_eq!(accounts.status(added.id).await, (SendingAccountStatus::Active, None));
}

async fn after_a_week_a_test_is_forgotten(database: TestDatabase) {
    let accounts = Accounts::new(&database).await;
    let (added, first) = accounts.add("one").await;
    accounts.make(first, refused()).await;
    assert_eq!(accounts.store.purge_login_tests().await.unwrap(), 0);
    age_tests(&database, 8 * 86_400_000);
    assert_eq!(accounts.store.purge_login_tests().await.unwrap(), 1);
    // The refusal belongs to the account.
    assert!(accounts.store.request_login_test(accounts.workspace(), added.id).await.unwrap().result.is_some());
}

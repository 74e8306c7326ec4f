//! Tests of providers' logins: when they are asked for, that they are made once, and what they change.

use shared_models::domain::sending_accounts::TestOutcome;
use shared_models::domain::sending_accounts::{SendingAccountChange, SendingAccountStatus, SmtpProtocol};
use shared_models::domain::{LoginTestId, Password};
use shared_models::events::{Event, LoginTestRef};
use shared_models::store::Settled;

use crate::core::races::at_once;
use crate::sending_accounts::accounts::{Bench, age_tests, refused};
use crate::world::home::Home;

contract!(
    a_new_provider_is_tested_once,
    a_request_joins_the_test_that_is_under_way,
    a_refused_password_ends_later_tests,
    a_change_of_the_login_asks_for_a_test,
    a_test_of_an_older_login_says_nothing_about_the_new_one,
    a_provider_that_is_off_stays_off,
    what_is_switched_on_untested_is_tested,
    a_refusal_outlasts_switching_it_off,
    a_test_is_begun_and_settled_once,
    a_test_whose_verifier_died_ends,
    after_a_week_a_test_is_forgotten,
);

async fn a_new_provider_is_tested_once(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, test) = bench.add("one").await;
    assert_eq!(home.count("queue_messages WHERE queue = 'mailmoor.verifier'"), 1);
    assert_eq!(bench.result(test).await, None);
    let mut news = bench.store.news();
    bench.make(test, TestOutcome::Accepted).await;
    let about = LoginTestRef { login_test_id: test, sending_account_id: added.id, workspace_id: bench.workspace() };
    assert_eq!(news.try_recv().unwrap(), Event::SendingAccountTested(about));
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Active, None));
    let result = bench.result(test).await.unwrap();
    assert_eq!((result.success, result.latency_ms), (true, 12));
    assert_eq!(bench.read(added.id).await.last_tested_at, Some(result.tested_at));
}

async fn a_request_joins_the_test_that_is_under_way(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    let mut news = bench.store.news();
    assert_eq!(bench.ask(added.id).await, first);
    assert!(bench.store.begin_login_test(first).await.unwrap().is_some());
    assert_eq!(bench.ask(added.id).await, first);
    assert!(news.try_recv().is_err(), "nobody is to work on it twice");
    bench.store.settle_login_test(first, TestOutcome::Accepted, 1).await.unwrap();
    assert_ne!(bench.ask(added.id).await, first);
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(_))));
    assert!(matches!(news.try_recv(), Ok(Event::LoginTestRequested(_))));
}

async fn a_refused_password_ends_later_tests(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    age_tests(&home, 61_000);
    let early = bench.ask(added.id).await;
    assert_ne!(early, first, "the first one is lost");
    bench.make(first, refused()).await;
    let why = Some("Wrong password.".to_owned());
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Error, why.clone()));
    let known = bench.result(first).await.unwrap();
    // One that was asked for before, and one that is asked for after.
    assert!(bench.store.begin_login_test(early).await.unwrap().is_none());
    let mut news = bench.store.news();
    let late = bench.store.request_login_test(bench.workspace(), added.id).await.unwrap();
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(about)) if about.login_test_id == late.id));
    assert!(news.try_recv().is_err(), "nobody is to work on it");
    assert_eq!(bench.result(late.id).await, late.result);
    for result in [bench.result(early).await.unwrap(), late.result.unwrap()] {
        assert_eq!((result.success, result.latency_ms, result.tested_at), (false, 0, known.tested_at));
        assert!(result.message.starts_with("Wrong password. It was not tried again"), "{}", result.message);
    }
    assert_eq!(bench.read(added.id).await.last_tested_at, Some(known.tested_at));
    // Another way to the same server, or other words about the sender, do not make the password better.
    let others = SendingAccountChange {
        name: Some("new".to_owned()),
        protocol: Some(SmtpProtocol::None),
        password: Some(Password::new("sesame-provider")),
        ..SendingAccountChange::default()
    };
    assert_eq!(bench.change(added.id, others).await.standing.reason, why);
    assert!(bench.store.request_login_test(bench.workspace(), added.id).await.unwrap().result.is_some());
}

async fn a_change_of_the_login_asks_for_a_test(home: Home) {
    let bench = Bench::new(&home).await;
    let none = SendingAccountChange::default;
    let changes = [
        SendingAccountChange { host: Some("smtp2.mail.example".to_owned()), ..none() },
        SendingAccountChange { port: Some(465), ..none() },
        SendingAccountChange { username: Some("eve".to_owned()), ..none() },
        SendingAccountChange { password: Some(Password::new("fresh")), ..none() },
    ];
    for change in changes {
        let (added, first) = bench.add("one").await;
        bench.make(first, refused()).await;
        let mut news = bench.store.news();
        let changed = bench.change(added.id, change).await;
        assert_eq!((changed.standing.status, changed.standing.reason), (SendingAccountStatus::Pending, None));
        let Ok(Event::LoginTestRequested(test)) = news.try_recv() else { panic!("no test") };
        bench.make(test.login_test_id, TestOutcome::Accepted).await;
        assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Active, None));
        // A good login that is reached in another way is another one, too.
        let way = SendingAccountChange { protocol: Some(SmtpProtocol::None), ..none() };
        assert_eq!(bench.change(added.id, way).await.standing.status, SendingAccountStatus::Pending);
    }
}

async fn a_test_of_an_older_login_says_nothing_about_the_new_one(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    assert!(bench.store.begin_login_test(first).await.unwrap().is_some());
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    bench.change(added.id, change).await;
    assert_eq!(bench.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Stored);
    assert!(!bench.result(first).await.unwrap().success);
    let after = bench.read(added.id).await;
    assert_eq!((after.standing.status, after.last_tested_at), (SendingAccountStatus::Pending, None));
    bench.make(bench.ask(added.id).await, TestOutcome::Accepted).await;
    assert_eq!(bench.status(added.id).await.0, SendingAccountStatus::Active);
}

async fn a_provider_that_is_off_stays_off(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    let off = bench.store.switch_sending_account(bench.workspace(), added.id, false).await.unwrap();
    assert_eq!((off.standing.status, off.standing.is_active), (SendingAccountStatus::Inactive, false));
    bench.make(first, TestOutcome::Accepted).await;
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Inactive, None));
    let mut news = bench.store.news();
    let change = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    assert_eq!(bench.change(added.id, change).await.standing.status, SendingAccountStatus::Inactive);
    assert!(news.try_recv().is_err(), "nobody waits for its login");
    bench.make(bench.ask(added.id).await, TestOutcome::Unclear("Busy.".to_owned())).await;
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Inactive, None));
    let on = bench.store.switch_sending_account(bench.workspace(), added.id, true).await.unwrap();
    assert_eq!((on.standing.status, on.standing.is_active), (SendingAccountStatus::Pending, true));
    assert_eq!(bench.store.switch_sending_account(bench.workspace(), added.id, true).await.unwrap(), on);
    bench.make(bench.ask(added.id).await, TestOutcome::Accepted).await;
    bench.make(bench.ask(added.id).await, TestOutcome::Unclear("Busy.".to_owned())).await;
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Active, None));
}

async fn a_refusal_outlasts_switching_it_off(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    bench.make(first, refused()).await;
    bench.store.switch_sending_account(bench.workspace(), added.id, false).await.unwrap();
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Inactive, None));
    bench.store.switch_sending_account(bench.workspace(), added.id, true).await.unwrap();
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Error, Some("Wrong password.".to_owned())));
    // What is wrong but not with the password may be put right elsewhere, so it is tried again.
    let (other, first) = bench.add("two").await;
    let settings = TestOutcome::Refused { reason: "No such host.".to_owned(), of_password: false };
    bench.make(first, settings).await;
    assert_eq!(bench.status(other.id).await, (SendingAccountStatus::Error, Some("No such host.".to_owned())));
    bench.make(bench.ask(other.id).await, TestOutcome::Accepted).await;
    assert_eq!(bench.status(other.id).await, (SendingAccountStatus::Active, None));
}

async fn what_is_switched_on_untested_is_tested(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    let switch = async |on| bench.store.switch_sending_account(bench.workspace(), added.id, on).await.unwrap();
    bench.make(first, TestOutcome::Accepted).await;
    switch(false).await;
    let mut news = bench.store.news();
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Active);
    assert!(news.try_recv().is_err(), "its login is known to be good");

    switch(false).await;
    let fresh = SendingAccountChange { password: Some(Password::new("fresh")), ..SendingAccountChange::default() };
    bench.change(added.id, fresh).await;
    assert!(news.try_recv().is_err(), "nobody uses it");
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Pending);
    let Ok(Event::LoginTestRequested(test)) = news.try_recv() else { panic!("no test") };
    switch(false).await;
    switch(true).await;
    assert!(news.try_recv().is_err(), "a test is under way");
    let bad_certificate =
        TestOutcome::Refused { reason: "Its certificate has expired.".to_owned(), of_password: false };
    bench.make(test.login_test_id, bad_certificate).await;
    assert_eq!(bench.status(added.id).await.0, SendingAccountStatus::Error);
    assert_eq!(switch(true).await.standing.status, SendingAccountStatus::Pending, "it may be mended");
    assert!(matches!(news.try_recv(), Ok(Event::SendingAccountTested(_))));
    assert!(matches!(news.try_recv(), Ok(Event::LoginTestRequested(_))));
}

async fn a_test_is_begun_and_settled_once(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    assert_eq!(bench.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    bench.make(first, TestOutcome::Accepted).await;
    assert_eq!(bench.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    assert!(bench.store.begin_login_test(first).await.unwrap().is_none());
    assert_eq!(bench.status(added.id).await.0, SendingAccountStatus::Active);
    assert!(bench.store.begin_login_test(LoginTestId::new()).await.unwrap().is_none());
}

/// The claim on a provider ends with who has it, and only then another one begins.
async fn a_test_whose_verifier_died_ends(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    let store = bench.store.clone();
    let begun = at_once((0..8).map(|_| {
        let store = store.clone();
        async move { store.begin_login_test(first).await.unwrap().is_some() }
    }));
    assert_eq!(begun.await.into_iter().filter(|begun| *begun).count(), 1);
    let result = bench.result(first).await.unwrap();
    assert!(!result.success && result.message.starts_with("The test was broken off"), "{}", result.message);
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Pending, Some(result.message)));
    assert_eq!(bench.store.settle_login_test(first, refused(), 1).await.unwrap(), Settled::Superseded);
    let next = bench.ask(added.id).await;
    bench.make(next, TestOutcome::Accepted).await;
    assert_eq!(bench.status(added.id).await, (SendingAccountStatus::Active, None));
}

async fn after_a_week_a_test_is_forgotten(home: Home) {
    let bench = Bench::new(&home).await;
    let (added, first) = bench.add("one").await;
    bench.make(first, refused()).await;
    assert_eq!(bench.store.purge_login_tests().await.unwrap(), 0);
    age_tests(&home, 8 * 86_400_000);
    assert_eq!(bench.store.purge_login_tests().await.unwrap(), 1);
    // The refusal is the provider's.
    assert!(bench.store.request_login_test(bench.workspace(), added.id).await.unwrap().result.is_some());
}

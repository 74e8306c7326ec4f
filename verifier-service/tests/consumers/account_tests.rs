//! Login tests of sending accounts: the connections that they make, and the state that follows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use mail_client::ProbeSettings;
use mail_lab::scripted::{Auth, Behaviour, Greeting, Listener, Protocol, Reply, ScriptedServer, Starttls, Tls};
use mail_lab::{Dovecot, DovecotOptions};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::sending_accounts::LoginTestResult;
use shared_models::domain::sending_accounts::{
    NewSendingAccount, Quotas, Sender, SendingAccount, SendingAccountChange, SendingAccountStatus, SmtpProtocol,
};
use shared_models::domain::{LoginTestId, Password, SendingAccountId, ServerEndpoint, Timestamp};
use shared_models::events::{Envelope, Event, LoginTestRef};
use shared_models::store::PendingAnswer;
use tokio::sync::broadcast::Receiver;
use verifier_service::Verifier;

use crate::support::{Home, PASSWORD, USER, hasty, prober_with, secret, server, verifier_settings};

/// A workspace whose tests are made one after the other.
struct Bench {
    home: Home,
    consumer: Arc<Verifier>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(hasty()).await
    }

    async fn with(probes: ProbeSettings) -> Self {
        let home = Home::new().await;
        let consumer = Verifier::new(home.store.clone(), Arc::new(prober_with(probes)), verifier_settings());
        Self { home, consumer: Arc::new(consumer) }
    }

    /// Adds an account at this address, and returns the event of its first test.
    async fn add(&self, address: SocketAddr, protocol: SmtpProtocol, password: &str) -> (SendingAccount, Envelope) {
        let new = NewSendingAccount {
            name: "one".to_owned(),
            smtp: ServerEndpoint::parse(&address.ip().to_string(), address.port(), protocol.security()).unwrap(),
            protocol,
            secret: secret(password),
            sender: Sender::default(),
            quotas: Quotas::default(),
            percentage: 100,
            tracking_domain: None,
            variables: BTreeMap::new(),
        };
        let mut news = self.home.store.news();
        let added =
            self.home.store.create_sending_account(self.home.workspace, new, PendingAnswer::not_kept()).await.unwrap();
        (added, requested(&mut news))
    }

    /// Adds an account and tests it.
    async fn tested(&self, address: SocketAddr, protocol: SmtpProtocol, password: &str) -> SendingAccount {
        let (added, event) = self.add(address, protocol, password).await;
        self.handle(&event).await;
        self.read(added.id).await
    }

    /// Requests a test and makes it.
    async fn test(&self, id: SendingAccountId) -> LoginTestResult {
        let requested = self.home.store.request_login_test(self.home.workspace, id).await.unwrap();
        if let Some(known) = requested.result {
            return known;
        }
        let about =
            LoginTestRef { login_test_id: requested.id, sending_account_id: id, workspace_id: self.home.workspace };
        self.handle(&Envelope::new(Event::LoginTestRequested(about), Timestamp::now())).await;
        self.result(requested.id).await.unwrap()
    }

    async fn handle(&self, event: &Envelope) {
        assert_eq!(self.consumer.handle(event, Attempt(1)).await.unwrap(), Outcome::Done);
    }

    async fn read(&self, id: SendingAccountId) -> SendingAccount {
        self.home.store.sending_account(self.home.workspace, id).await.unwrap()
    }

    async fn result(&self, id: LoginTestId) -> Option<LoginTestResult> {
        self.home.store.login_test(self.home.workspace, id).await.unwrap().result
    }
}

/// The request for a test among the news.
fn requested(news: &mut Receiver<Event>) -> Envelope {
    while let Ok(event) = news.try_recv() {
        if matches!(event, Event::LoginTestRequested(_)) {
            return Envelope::new(event, Timestamp::now());
        }
    }
    panic!("no test was requested");
}

fn test_of(event: &Envelope) -> LoginTestId {
    match event.event {
        Event::LoginTestRequested(about) => about.login_test_id,
        _ => panic!("no test"),
    }
}

fn attempts(server: &ScriptedServer) -> u64 {
    server.logins(Protocol::Smtp, USER).attempts
}

#[tokio::test]
async fn every_word_for_encryption_leads_to_an_encrypted_login() {
    let server = server(Behaviour::default());
    let bench = Bench::new().await;
    for protocol in SmtpProtocol::ALL {
        let mut listeners = Listener::SMTP.to_vec();
        if protocol == SmtpProtocol::None {
            // On other ports than 465 the login begins in clear text and uses STARTTLS if it is offered.
            listeners.retain(|listener| *listener == Listener::SmtpStarttls);
        }
        for listener in listeners {
            let account = bench.tested(server.addr(listener), protocol, PASSWORD).await;
            assert_eq!(account.standing.status, SendingAccountStatus::Active, "{protocol:?} {listener:?} {account:?}");
        }
    }
    assert_eq!((server.logins(Protocol::Smtp, USER).accepted, server.plaintext_passwords()), (7, 0));
}

#[tokio::test]
async fn only_none_goes_without_encryption_and_only_where_the_operator_allows_it() {
    let clear = Behaviour { starttls: Starttls::NotOffered, plaintext_auth: true, ..Behaviour::default() };
    let server = server(clear);
    let address = server.addr(Listener::SmtpStarttls);
    let strict = Bench::new().await;
    for protocol in SmtpProtocol::ALL {
        let account = strict.tested(address, protocol, PASSWORD).await;
        assert_eq!(account.standing.status, SendingAccountStatus::Error, "{protocol:?}");
        assert!(account.standing.reason.is_some());
    }
    assert_eq!(server.plaintext_passwords(), 0);
    let lenient = Bench::with(ProbeSettings { allow_plaintext_login: true, ..hasty() }).await;
    assert_eq!(
        lenient.tested(address, SmtpProtocol::Starttls, PASSWORD).await.standing.status,
        SendingAccountStatus::Error
    );
    assert_eq!(
        lenient.tested(address, SmtpProtocol::None, PASSWORD).await.standing.status,
        SendingAccountStatus::Active
    );
    assert_eq!(server.plaintext_passwords(), 1);
}

#[tokio::test]
async fn a_refused_password_is_sent_once_for_each_change() {
    let server = server(Behaviour::default());
    let bench = Bench::new().await;
    let (added, event) = bench.add(server.addr(Listener::SmtpImplicit), SmtpProtocol::Ssl, "wrong").await;
    // The event may be delivered twice.
    for _ in 0..2 {
        bench.handle(&event).await;
        assert_eq!(attempts(&server), 1);
    }
    let first = bench.result(test_of(&event)).await.unwrap();
    assert!(!first.success);
    let refused = bench.read(added.id).await;
    assert_eq!((refused.standing.status, refused.standing.reason), (SendingAccountStatus::Error, Some(first.message)));
    for _ in 0..3 {
        let again = bench.test(added.id).await;
        assert_eq!((again.success, again.latency_ms, again.tested_at), (false, 0, first.tested_at));
    }
    assert_eq!((attempts(&server), server.stats().connections()), (1, 1));
    let mut news = bench.home.store.news();
    let change = SendingAccountChange { password: Some(Password::new(PASSWORD)), ..SendingAccountChange::default() };
    bench.home.store.change_sending_account(bench.home.workspace, added.id, change, None).await.unwrap();
    bench.handle(&requested(&mut news)).await;
    assert_eq!(bench.read(added.id).await.standing.status, SendingAccountStatus::Active);
    // An accepted password may be sent any number of times.
    assert!(bench.test(added.id).await.success);
    assert_eq!(attempts(&server), 3);
}

#[tokio::test]
async fn temporary_faults_leave_an_active_account_alone() {
    let server = server(Behaviour::default());
    let bench = Bench::new().await;
    let healthy = bench.tested(server.addr(Listener::SmtpImplicit), SmtpProtocol::Tls, PASSWORD).await;
    assert_eq!(healthy.standing.status, SendingAccountStatus::Active);
    for behaviour in [
        Behaviour { greeting: Greeting::Scripted(Reply::Silent), ..Behaviour::default() },
        Behaviour { greeting: Greeting::Scripted(Reply::Drop), ..Behaviour::default() },
        Behaviour { greeting: Greeting::Scripted("421 4.3.2 busy".into()), ..Behaviour::default() },
        Behaviour { auth: Auth::Scripted("454 4.7.0 Temporary failure".into()), ..Behaviour::default() },
        Behaviour { auth: Auth::Scripted(Reply::Drop), ..Behaviour::default() },
    ] {
        server.set(Listener::SMTP, behaviour.clone());
        server.reset_stats();
        let result = bench.test(healthy.id).await;
        assert!(!result.success && !result.message.contains("we will"), "{behaviour:?} {result:?}");
        assert_eq!(bench.read(healthy.id).await.standing, healthy.standing, "{behaviour:?}");
        assert_eq!(server.stats().connections(), 1, "{behaviour:?}: never repeated");
    }
    server.set(Listener::SMTP, Behaviour::default());
    assert!(bench.test(healthy.id).await.success);
    let untried = {
        server.set(
            Listener::SMTP,
            Behaviour { greeting: Greeting::Scripted("421 4.3.2 busy".into()), ..Behaviour::default() },
        );
        bench.tested(server.addr(Listener::SmtpImplicit), SmtpProtocol::Tls, PASSWORD).await
    };
    assert_eq!(untried.standing.status, SendingAccountStatus::Pending);
    assert!(untried.standing.reason.is_some());
}

#[tokio::test]
async fn a_bad_server_is_an_error_and_may_become_a_good_one() {
    let server = server(Behaviour { tls: Tls::WrongName, ..Behaviour::default() });
    let bench = Bench::new().await;
    let account = bench.tested(server.addr(Listener::SmtpImplicit), SmtpProtocol::Tls, PASSWORD).await;
    assert_eq!((account.standing.status, attempts(&server)), (SendingAccountStatus::Error, 0));
    server.set(Listener::SMTP, Behaviour::default());
    assert!(bench.test(account.id).await.success);
    assert_eq!(bench.read(account.id).await.standing.status, SendingAccountStatus::Active);
}

#[tokio::test]
async fn addresses_inside_are_not_dialled() {
    let bench = Bench::new().await;
    let inside: SocketAddr = "10.0.0.1:465".parse().unwrap();
    let account = bench.tested(inside, SmtpProtocol::Tls, PASSWORD).await;
    assert_eq!(account.standing.status, SendingAccountStatus::Error);
}

#[tokio::test]
async fn a_test_that_a_process_died_in_is_not_repeated() {
    let server = server(Behaviour { auth: Auth::Scripted(Reply::Silent), ..Behaviour::default() });
    let bench = Bench::new().await;
    let (_, event) = bench.add(server.addr(Listener::SmtpImplicit), SmtpProtocol::Tls, PASSWORD).await;
    let (consumer, its_event) = (bench.consumer.clone(), event.clone());
    let first = tokio::spawn(async move { consumer.handle(&its_event, Attempt(1)).await });
    server.wait_until(|stats| stats.logins(Protocol::Smtp, USER).attempts == 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    server.set(Listener::SMTP, Behaviour::default());
    bench.handle(&event).await;
    assert_eq!((attempts(&server), server.stats().connections()), (1, 1));
    let result = bench.result(test_of(&event)).await.unwrap();
    assert!(!result.success && result.message.starts_with("The test was broken off"), "{}", result.message);
}

#[tokio::test]
async fn a_deleted_account_is_not_tested() {
    let server = server(Behaviour::default());
    let bench = Bench::new().await;
    let (added, event) = bench.add(server.addr(Listener::SmtpImplicit), SmtpProtocol::Tls, PASSWORD).await;
    bench.home.store.delete_sending_account(bench.home.workspace, added.id).await.unwrap();
    bench.handle(&event).await;
    assert_eq!(server.stats().connections(), 0);
}

#[tokio::test]
async fn a_real_server_is_tested() {
    let dovecot = Dovecot::start(DovecotOptions::users(&[(USER, PASSWORD)])).unwrap();
    let bench = Bench::new().await;
    for (listener, protocol) in [
        (Listener::SmtpStarttls, SmtpProtocol::Starttls),
        (Listener::SmtpStarttls, SmtpProtocol::None),
        (Listener::SmtpImplicit, SmtpProtocol::Ssl),
        (Listener::SmtpImplicit, SmtpProtocol::Tls),
    ] {
        let good = bench.tested(dovecot.addr(listener), protocol, PASSWORD).await;
        assert_eq!(good.standing.status, SendingAccountStatus::Active, "{protocol:?} {:?}", good.standing);
        let bad = bench.tested(dovecot.addr(listener), protocol, "wrong").await;
        assert_eq!(bad.standing.status, SendingAccountStatus::Error, "{protocol:?}");
        let words = bad.standing.reason.unwrap();
        assert!(!words.contains("wrong") && !words.contains(PASSWORD), "{words}");
    }
}

//! Test messages through a mailbox: each is sent at most once, however often its event comes.

use std::sync::Arc;

use mail_lab::scripted::{Behaviour, Listener, Protocol, Reply, ScriptedServer, Submission};
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::diagnosis::{LegReport, LoginReport, Observed};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::mailboxes::{TestEmail, TestEmailState};
use shared_models::domain::{Credentials, EmailAddress, FailureCode, MailboxId, Security, TestEmailId, Timestamp};
use shared_models::events::{Envelope, Event, MailboxRef, TestEmailRef};
use shared_models::store::{Settlement, TestEmailRequest};
use verifier_service::Verifier;

use crate::support::{Home, PASSWORD, USER, endpoint, hasty, prober_with, secret, server, verifier_settings};

const RECIPIENT: &str = "friend@elsewhere.example";

/// A workspace with one active mailbox at a server.
struct Bench {
    home: Home,
    mailbox: MailboxId,
    consumer: Arc<Verifier>,
}

impl Bench {
    async fn new(server: &ScriptedServer) -> Self {
        let home = Home::new().await;
        let (store, workspace, owner) = (&home.store, home.workspace, home.owner);
        let at = |listener| endpoint(server.addr(listener), Security::Required);
        let new = NewMailbox {
            email: EmailAddress::parse(USER).unwrap(),
            email_as_given: None,
            display_name: "Dána".to_owned(),
            provider: ProviderLabel::Custom,
            daily_send_limit: 15,
            signature: None,
            tags: vec![],
            smtp: at(Listener::SmtpImplicit),
            imap: at(Listener::ImapImplicit),
            imap_guessed: false,
            credentials: Credentials { smtp: secret(PASSWORD), imap: secret(PASSWORD) },
            on_refusal: RefusalPolicy::Keep,
        };
        let mailbox = store.create_mailbox(workspace, owner, new).await.unwrap().id;
        let observed = Observed { host: "127.0.0.1".to_owned(), port: 465, ip: None, tls: None };
        let smtp = LegReport { observed, millis: 1, failure: None, warnings: vec![] };
        let report = LoginReport { smtp, imap: None, imap_guessed: false };
        store.settle_verification(mailbox, Settlement::Accepted { report, note: None, imap: None }).await.unwrap();
        let prober = Arc::new(prober_with(hasty()));
        let consumer = Arc::new(Verifier::new(store.clone(), prober, verifier_settings()));
        Self { home, mailbox, consumer }
    }

    /// Requests a test message; returns it and its event.
    async fn requested(&self) -> (TestEmail, Envelope) {
        let recipient = EmailAddress::parse(RECIPIENT).unwrap();
        let answer =
            self.home.store.request_test_email(self.home.workspace, self.mailbox, recipient, 100).await.unwrap();
        let TestEmailRequest::Asked(message) = answer else { panic!("{answer:?}") };
        let event = self.event(message.id);
        (message, event)
    }

    fn event(&self, test_email_id: TestEmailId) -> Envelope {
        let about = TestEmailRef { test_email_id, mailbox_id: self.mailbox, workspace_id: self.home.workspace };
        Envelope::new(Event::TestEmailRequested(about), Timestamp::now())
    }

    async fn handle(&self, event: &Envelope) {
        assert_eq!(self.consumer.handle(event, Attempt(1)).await.unwrap(), Outcome::Done);
    }

    async fn state(&self, id: TestEmailId) -> TestEmailState {
        self.home.store.test_email(self.home.workspace, id).await.unwrap().state
    }

    async fn sent_today(&self) -> i64 {
        let sent = self.home.store.sent_today(self.home.workspace, vec![self.mailbox]).await.unwrap();
        sent.get(&self.mailbox).copied().unwrap_or(0)
    }
}

fn ending(end: Reply) -> Behaviour {
    Behaviour { submission: Submission { end: Some(end), ..Submission::default() }, ..Behaviour::default() }
}

#[tokio::test]
async fn an_event_that_comes_again_sends_nothing() {
    let server = server(Behaviour::default());
    let bench = Bench::new(&server).await;
    let (message, event) = bench.requested().await;
    for _ in 0..3 {
        bench.handle(&event).await;
        assert_eq!(bench.state(message.id).await, TestEmailState::Sent);
        assert_eq!((server.stats().messages_received, server.stats().connections()), (1, 1));
    }
    assert_eq!(bench.sent_today().await, 1);
    let arrived = server.messages().remove(0);
    assert_eq!((arrived.from.as_str(), arrived.to.join(" ").as_str()), (USER, RECIPIENT));
    let text = String::from_utf8(arrived.data).unwrap();
    for part in [&format!("Message-ID: {}\r\n", message.message_id), "Subject: Test message\r\n", USER] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("From: =?utf-8?b?RMOhbmE=?= <me@example.test>\r\n"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_final_and_not_counted() {
    let server = server(ending("550 5.7.1 quota exceeded".into()));
    let bench = Bench::new(&server).await;
    let (message, event) = bench.requested().await;
    for _ in 0..2 {
        bench.handle(&event).await;
        let TestEmailState::Refused(finding) = bench.state(message.id).await else { panic!("not refused") };
        assert_eq!(finding.code, FailureCode::LimitSendQuota);
        assert_eq!((server.stats().messages_received, bench.sent_today().await), (1, 0));
    }
    // The mailbox stays active and may send the next one.
    bench.requested().await;
}

#[tokio::test]
async fn a_refused_password_is_not_sent_again() {
    let server = server(Behaviour::default());
    let bench = Bench::new(&server).await;
    server.set_account(USER, "another one");
    let (message, event) = bench.requested().await;
    for _ in 0..2 {
        bench.handle(&event).await;
        let TestEmailState::Refused(finding) = bench.state(message.id).await else { panic!("not refused") };
        assert_eq!(finding.code, FailureCode::AuthBadCredentials);
        assert_eq!(server.logins(Protocol::Smtp, USER).attempts, 1);
    }
}

#[tokio::test]
async fn a_message_that_may_have_been_sent_counts() {
    let server = server(ending(Reply::Drop));
    let bench = Bench::new(&server).await;
    let (message, event) = bench.requested().await;
    bench.handle(&event).await;
    let TestEmailState::Refused(finding) = bench.state(message.id).await else { panic!("not refused") };
    assert!(finding.remedy.contains("unknown whether the message was sent"), "{}", finding.remedy);
    bench.handle(&event).await;
    assert_eq!((server.stats().messages_received, bench.sent_today().await), (1, 1));
}

#[tokio::test]
async fn a_message_that_a_process_died_in_is_not_repeated() {
    let server = server(ending(Reply::Silent));
    let bench = Bench::new(&server).await;
    let (message, event) = bench.requested().await;
    let (consumer, its_event) = (bench.consumer.clone(), event.clone());
    let first = tokio::spawn(async move { consumer.handle(&its_event, Attempt(1)).await });
    server.wait_until(|stats| stats.messages_received == 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    server.set(Listener::SMTP, Behaviour::default());
    bench.handle(&event).await;
    assert_eq!((server.stats().messages_received, server.stats().connections()), (1, 1));
    assert_eq!(bench.state(message.id).await, TestEmailState::Sending);
}

#[tokio::test]
async fn deleted_messages_are_not_sent_and_foreign_events_are_parked() {
    let server = server(Behaviour::default());
    let bench = Bench::new(&server).await;
    bench.handle(&bench.event(TestEmailId::new())).await;
    let (_, event) = bench.requested().await;
    bench.home.store.delete_mailbox(bench.home.workspace, bench.mailbox).await.unwrap();
    bench.handle(&event).await;
    assert_eq!(server.stats().connections(), 0);
    let about = MailboxRef { mailbox_id: bench.mailbox, workspace_id: bench.home.workspace };
    let foreign = Envelope::new(Event::MailboxDnsCheckRequested(about), Timestamp::now());
    let outcome = bench.consumer.handle(&foreign, Attempt(1)).await.unwrap();
    assert!(matches!(outcome, Outcome::Park(_)), "{outcome:?}");
}

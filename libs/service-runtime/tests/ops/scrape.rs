//! `/metrics`.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use reqwest::{Method, StatusCode};
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{Credentials, EmailAddress, LoginSecret, Password, Security, ServerEndpoint};
use shared_models::events::VERIFIER_QUEUE;
use shared_models::store::Store;

use crate::world::{Mood, Moody, Service, Sqlite};

impl Service {
    async fn scrape(&self) -> String {
        let answer = self.request(Method::GET, "/metrics").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        answer.text().await.unwrap()
    }

    /// Pending events, age of the oldest in seconds, dead letters.
    async fn gauges(&self) -> [f64; 3] {
        let text = self.scrape().await;
        ["mailmoor_outbox_pending", "mailmoor_outbox_oldest_seconds", "mailmoor_dead_letters"].map(|name| {
            assert!(text.contains(&format!("# TYPE {name} gauge\n")), "{text}");
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.expect(name).parse().unwrap()
        })
    }
}

async fn add_mailbox(store: &Store) {
    let plan = Plan { subscription_active: true, max_mailboxes: None };
    let owner = store.create_owner("owner@tenant.example", plan).await.unwrap().id;
    let workspace = store.create_workspace(owner, "default").await.unwrap().id;
    let server = |port| ServerEndpoint::parse("mail.example", port, Security::Required).unwrap();
    let login = || LoginSecret { username: "dana".to_owned(), password: Password::new("sesame") };
    let new = NewMailbox {
        email_as_given: None,
        email: EmailAddress::parse("dana@mail.example").unwrap(),
        display_name: "Dana".to_owned(),
        provider: ProviderLabel::Custom,
        daily_send_limit: 15,
        signature: None,
        tags: vec![],
        smtp: server(587),
        imap: server(993),
        imap_guessed: false,
        credentials: Credentials { smtp: login(), imap: login() },
        on_refusal: RefusalPolicy::Delete,
    };
    store.create_mailbox(workspace, owner, new).await.unwrap();
}

/// One test, because all tests of a process share the gauges.
#[tokio::test]
async fn the_gauges_follow_the_shared_parts_as_long_as_these_answer() {
    let sqlite = Sqlite::new();
    let store = sqlite.open().await;
    let embedded = Service::start(store.clone(), EmbeddedBroker::new(store.clone(), Sharing::Alone));
    assert_eq!(embedded.gauges().await, [0.0, 0.0, 0.0]);

    add_mailbox(&store).await;
    let mut database = SqliteConnection::establish(&sqlite.path().to_string_lossy()).unwrap();
    database.batch_execute("UPDATE queue_messages SET created_at = created_at - 90000").unwrap();
    let [waiting, age, dead] = embedded.gauges().await;
    assert!(waiting > 0.0 && dead == 0.0 && (90.0..150.0).contains(&age), "{waiting} {age} {dead}");

    let taken = store.claim_messages(VERIFIER_QUEUE, 1, Duration::from_secs(60)).await.unwrap();
    store.park_message(&taken[0], "on purpose".to_owned()).await.unwrap();
    let [still_waiting, _, dead] = embedded.gauges().await;
    assert_eq!((still_waiting, dead), (waiting - 1.0, 1.0));

    let broker = Moody::new(Mood::Well);
    let service = Service::start(store.clone(), broker.clone());
    assert_eq!(service.gauges().await[2], Moody::DEAD as f64);
    database.batch_execute("DELETE FROM queue_messages").unwrap();
    broker.turn(Mood::Failing);
    assert_eq!(service.gauges().await, [0.0, 0.0, Moody::DEAD as f64]);
    broker.turn(Mood::Hanging);
    let begun = Instant::now();
    assert_eq!(service.gauges().await, [0.0, 0.0, Moody::DEAD as f64]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

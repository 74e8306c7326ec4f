//! A part of the distributed system goes away and comes back; nobody restarts the others.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use e2e_tests::{Plan, Setup, eventually, mailbox};
use mail_lab::scripted::{Behaviour, Listener, Protocol, ScriptedServer};
use mail_lab::{Postgres, RabbitMq};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// "Quickly" on a machine that runs the whole suite: a small part of any client's patience.
const QUICKLY: Duration = Duration::from_secs(2);

fn at(server: &ScriptedServer, user: &str) -> Value {
    let email = format!("{user}@lab.test");
    mailbox(&email, "x", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rabbitmq_mailboxes_are_accepted_and_verified_later() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut broker = RabbitMq::start().unwrap();
    let vhost = broker.vhost().unwrap();
    let system = Setup::distributed().with("MAILMOOR__BROKER__URL", vhost.url()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    api.active(&api.add(&at(&server, "before")).await).await;

    broker.stop().unwrap();
    let mut ids = vec![];
    for number in 0..20 {
        let begin = Instant::now();
        ids.push(api.add(&at(&server, &format!("during{number}"))).await);
        assert!(begin.elapsed() < QUICKLY, "{:?}", begin.elapsed());
    }
    assert_eq!(api.connection_test(&ids[0]).await, json!({"status": "pending"}));
    let ready = system.anonymous().get("/readyz").await;
    assert_eq!((ready.status, &ready.body["broker"], &ready.body["database"]), (503, &json!("down"), &json!("up")));
    let metrics = system.anonymous().get("/metrics").await.text;
    let pending = metrics.lines().find_map(|line| line.strip_prefix("mailmoor_outbox_pending "));
    assert!(pending.unwrap().parse::<u32>().unwrap() >= 20, "{metrics}");

    broker.start_again().unwrap();
    for id in &ids {
        api.active(id).await;
    }
    for number in 0..20 {
        assert_eq!(server.logins(Protocol::Smtp, &format!("during{number}@lab.test")).attempts, 1);
    }
    eventually("an empty outbox", || async {
        let metrics = system.anonymous().get("/metrics").await.text;
        if metrics.contains("mailmoor_outbox_pending 0\n") { Ok(()) } else { Err(metrics) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_the_answer_is_quick_and_says_when_to_come_back() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let mut postgres = Postgres::start().unwrap();
    let database = postgres.database().unwrap();
    let system = Setup::distributed().with("MAILMOOR__DATABASE__URL", database.url()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let id = api.add(&at(&server, "before")).await;
    api.active(&id).await;

    postgres.stop().unwrap();
    for round in 0..12 {
        let begin = Instant::now();
        let reply = if round % 2 == 0 { api.create(&at(&server, "during")).await } else { api.mailbox(&id).await };
        reply.error(503, "SERVICE_UNAVAILABLE");
        assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
        assert!(begin.elapsed() < QUICKLY, "{:?}", begin.elapsed());
    }
    let ready = system.anonymous().get("/readyz").await;
    assert_eq!((ready.status, &ready.body["broker"], &ready.body["database"]), (503, &json!("up"), &json!("down")));

    postgres.start_again().unwrap();
    let id = eventually("the database to be used again", || async {
        let reply = api.create(&at(&server, "after")).await;
        if reply.status == 201 { Ok(reply.data(201)["_id"].as_str().unwrap().to_owned()) } else { Err(reply.text) }
    })
    .await;
    api.active(&id).await;
    // From now on no request meets a connection of before.
    for number in 0..30 {
        api.add(&at(&server, &format!("after{number}"))).await;
    }
}

/// The login is made when the database goes: its result is kept until the database is back, and nobody is
/// asked for the password again.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_waits_for_the_database() {
    let slow = Behaviour { reply_delay: Duration::from_millis(300), ..Behaviour::default() };
    let server = ScriptedServer::builder().behaviour(Listener::ALL, slow).start().unwrap();
    server.set_account("right@lab.test", "x");
    let mut postgres = Postgres::start().unwrap();
    let database = postgres.database().unwrap();
    let system = Setup::distributed().with("MAILMOOR__DATABASE__URL", database.url()).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let (right, wrong) = (api.add(&at(&server, "right")).await, api.add(&at(&server, "wrong")).await);
    server.wait_until(|stats| stats.connections() >= 4).await;
    postgres.stop().unwrap();
    server.wait_until(|stats| stats.total_logins(Protocol::Smtp).attempts == 2).await;
    server.wait_until(|stats| stats.total_logins(Protocol::Imap).attempts == 2).await;
    system.logged("a result waits").await;
    postgres.start_again().unwrap();
    eventually("the gateway to answer", || async {
        let reply = api.get(&format!("/v1/mailboxes/{right}/connection-test")).await;
        if reply.status == 200 { Ok(()) } else { Err(reply.text) }
    })
    .await;
    api.active(&right).await;
    assert_eq!(api.refused(&wrong).await["code"], "AUTH_BAD_CREDENTIALS");
    for user in ["right", "wrong"] {
        for protocol in [Protocol::Smtp, Protocol::Imap] {
            assert_eq!(server.logins(protocol, &format!("{user}@lab.test")).attempts, 1, "{user}");
        }
    }
}

/// A proxy in front of the broker that breaks all of its connections on request.
struct Wire {
    addr: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Wire {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self { addr: listener.local_addr().unwrap(), cuts: watch::Sender::new(0) };
        let cuts = wire.cuts.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        wire
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// The broker hands the event out again while the logins are still going on, perhaps to the other verifier: the
/// mailbox is in the first one's hands until its result is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_under_way_is_not_made_twice_when_the_connection_is_lost() {
    let slow = Behaviour { reply_delay: Duration::from_millis(1_500), ..Behaviour::default() };
    let server = ScriptedServer::builder().behaviour(Listener::ALL, slow).start().unwrap();
    let broker = RabbitMq::shared().unwrap();
    let vhost = broker.vhost().unwrap();
    let wire = Wire::to(broker.addr()).await;
    let url = vhost.url().replace(&broker.addr().to_string(), &wire.addr.to_string());
    let system =
        Setup::distributed().with_copies("verifier-service", 2).with("MAILMOOR__BROKER__URL", url).start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let ids = [api.add(&at(&server, "dana")).await, api.add(&at(&server, "otto")).await];
    server.wait_until(|stats| stats.connections() >= 4).await;
    let subscriptions = || system.log().matches("queue=mailmoor.verifier subscribed").count();
    let before = subscriptions();
    wire.cut();
    eventually("both verifiers to subscribe again", || async {
        if subscriptions() == before + 2 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    for id in &ids {
        assert_eq!(api.refused(id).await["code"], "AUTH_BAD_CREDENTIALS");
    }
    for user in ["dana@lab.test", "otto@lab.test"] {
        for protocol in [Protocol::Smtp, Protocol::Imap] {
            assert_eq!(server.logins(protocol, user).attempts, 1, "{user}");
        }
    }
}

//! The embedded broker's table: written with the data, claimed, ended.

use std::time::Duration;

use shared_models::domain::{CoreError, Timestamp};
use shared_models::events::{DNS_CHECKER_QUEUE, Envelope, Event, MailboxRef, VERIFIER_QUEUE};
use shared_models::store::Store;
use shared_models::store::queue::ClaimedMessage;
use tokio::task::JoinSet;

use crate::support::database::TestDatabase;
use crate::support::tenant::{Tenant, mailbox};

contract!(
    a_new_mailbox_is_announced_to_both_queues,
    an_acknowledged_message_is_gone,
    a_returned_message_waits_its_delay,
    only_failed_attempts_count,
    a_parked_message_is_never_handed_out,
    parked_messages_are_shown_replayed_and_dropped,
    oldest_first_and_never_more_than_asked_for,
    many_claimers_never_share_a_message,
    a_commit_wakes_the_queue,
);

pub(crate) const LONG: Duration = Duration::from_secs(600);

pub(crate) async fn claim(store: &Store, limit: i64) -> Vec<ClaimedMessage> {
    store.claim_messages(VERIFIER_QUEUE, limit, LONG).await.unwrap()
}

pub(crate) async fn claim_one(store: &Store) -> ClaimedMessage {
    let mut claimed = claim(store, 10).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

/// Waits until the queue says that its next message is due.
pub(crate) async fn until_due(store: &Store) {
    let due = store.next_message_at(VERIFIER_QUEUE).await.unwrap().expect("the queue is empty");
    while !due.remaining().is_zero() {
        tokio::time::sleep(due.remaining()).await;
    }
}

async fn a_new_mailbox_is_announced_to_both_queues(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    assert_eq!(store.next_message_at(VERIFIER_QUEUE).await.unwrap(), None);
    assert!(claim(&store, 10).await.is_empty());
    let added = tenant.add(mailbox("dana")).await;
    let mut ids = vec![];
    for queue in [VERIFIER_QUEUE, DNS_CHECKER_QUEUE] {
        assert_eq!(store.queue_depth(queue).await.unwrap(), (1, 0));
        assert_eq!(store.next_message_at(queue).await.unwrap(), Some(added.created_at));
        let claimed = store.claim_messages(queue, 10, LONG).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].attempt, claimed[0].deliveries), (1, 1, 1));
        let envelope = Envelope::parse(claimed[0].envelope.as_bytes()).unwrap();
        let about = MailboxRef { mailbox_id: added.id, workspace_id: tenant.workspace };
        assert_eq!(envelope.event, Event::MailboxCreated(about));
        assert_eq!(envelope.time, added.created_at.to_rfc3339());
        ids.push(envelope.id);
    }
    assert_eq!(ids[0], ids[1], "one event in two queues");
}

async fn an_acknowledged_message_is_gone(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    let message = claim_one(&store).await;
    assert!(claim(&store, 10).await.is_empty(), "it is leased");
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (1, 0));
    store.ack_message(&message).await.unwrap();
    store.ack_message(&message).await.unwrap();
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (0, 0));
    assert_eq!(store.queue_depth(DNS_CHECKER_QUEUE).await.unwrap(), (1, 0), "the other queue's is another");
    assert_eq!(store.next_message_at(VERIFIER_QUEUE).await.unwrap(), None);
}

async fn a_returned_message_waits_its_delay(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    let message = claim_one(&store).await;
    let before = Timestamp::now();
    store.return_message(VERIFIER_QUEUE, &message, LONG, true).await.unwrap();
    let due = store.next_message_at(VERIFIER_QUEUE).await.unwrap().unwrap();
    assert!(due >= before.plus(LONG) && due <= Timestamp::now().plus(LONG));
    assert!(claim(&store, 10).await.is_empty());

    // Nobody holds it, so nobody can end it.
    store.ack_message(&message).await.unwrap();
    store.return_message(VERIFIER_QUEUE, &message, Duration::ZERO, true).await.unwrap();
    store.park_message(&message, "late".to_owned()).await.unwrap();
    store.renew_leases(vec![(message.id, message.lease.clone())], Duration::ZERO).await.unwrap();
    assert_eq!(store.next_message_at(VERIFIER_QUEUE).await.unwrap(), Some(due));

    database.execute("UPDATE queue_messages SET available_at = 1000");
    let message = claim_one(&store).await;
    let short = Duration::from_millis(30);
    store.return_message(VERIFIER_QUEUE, &message, short, true).await.unwrap();
    until_due(&store).await;
    assert_eq!(claim_one(&store).await.attempt, 3);
}

async fn only_failed_attempts_count(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    for (failed, attempt, deliveries) in
        [(true, 1, 1), (false, 2, 2), (false, 2, 3), (true, 2, 4), (true, 3, 5), (true, 4, 6)]
    {
        let message = claim_one(&store).await;
        assert_eq!((message.attempt, message.deliveries), (attempt, deliveries));
        store.return_message(VERIFIER_QUEUE, &message, Duration::ZERO, failed).await.unwrap();
    }
}

async fn a_parked_message_is_never_handed_out(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    tenant.add(mailbox("dana")).await;
    let message = claim_one(&store).await;
    store.park_message(&message, "cannot be read: 'ü'".to_owned()).await.unwrap();
    assert_eq!(store.queue_depth(VERIFIER_QUEUE).await.unwrap(), (0, 1));
    assert_eq!(store.next_message_at(VERIFIER_QUEUE).await.unwrap(), None);
    database.execute("UPDATE queue_messages SET available_at = 1000");
    assert!(claim(&store, 10).await.is_empty());
    store.release_all_leases().await.unwrap();
    assert!(claim(&store, 10).await.is_empty());
    let reasons = database.texts("SELECT dead_reason AS value FROM queue_messages WHERE dead_at IS NOT NULL");
    assert_eq!(reasons, [Some("cannot be read: 'ü'".to_owned())]);
}

async fn oldest_first_and_never_more_than_asked_for(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let mut added = vec![];
    for n in 0..7 {
        added.push(tenant.add(mailbox(&format!("m{n}"))).await.id);
    }
    let mut seen = vec![];
    for expected in [3, 3, 1, 0] {
        let claimed = claim(&store, 3).await;
        assert_eq!(claimed.len(), expected);
        seen.extend(
            claimed.iter().map(|m| Envelope::parse(m.envelope.as_bytes()).unwrap().event.mailbox().unwrap().mailbox_id),
        );
    }
    assert_eq!(seen, added);
}

async fn many_claimers_never_share_a_message(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    for n in 0..60 {
        tenant.add(mailbox(&format!("m{n}"))).await;
    }
    let mut claimers = JoinSet::new();
    for _ in 0..12 {
        let store = store.clone();
        claimers.spawn(async move {
            let mut mine = vec![];
            loop {
                let claimed = claim(&store, 3).await;
                if claimed.is_empty()
                    && store.next_message_at(VERIFIER_QUEUE).await.unwrap().is_none_or(|at| !at.remaining().is_zero())
                {
                    return mine;
                }
                for message in claimed {
                    assert_eq!(message.deliveries, 1);
                    mine.push(message.id);
                    // Some are done at once, the others stay claimed.
                    if message.id % 2 == 0 {
                        store.ack_message(&message).await.unwrap();
                    }
                }
            }
        });
    }
    let mut all: Vec<i64> = claimers.join_all().await.concat();
    let handed_out = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((handed_out, all.len()), (60, 60));
}

async fn a_commit_wakes_the_queue(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    let woken = async |queue: &str| {
        // Awake at once, or the test hangs until it is stopped: the permit was stored by the commit.
        tokio::time::timeout(Duration::from_secs(30), store.queue_signal(queue).notified()).await.is_ok()
    };
    let (verifier, waiting) = (store.queue_signal(VERIFIER_QUEUE), tokio::sync::oneshot::channel());
    let sleeper = tokio::spawn(async move {
        let notified = verifier.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        waiting.0.send(()).unwrap();
        notified.await;
    });
    waiting.1.await.unwrap();
    tenant.add(mailbox("dana")).await;
    sleeper.await.unwrap();
    assert!(woken(DNS_CHECKER_QUEUE).await);
    let message = claim_one(&store).await;
    store.return_message(VERIFIER_QUEUE, &message, LONG, false).await.unwrap();
    assert!(woken(VERIFIER_QUEUE).await, "the time of the next message has changed");

    // A transaction that is rolled back, or has no event for the queue, wakes nobody.
    assert!(store.create_mailbox(tenant.workspace, tenant.owner, mailbox("dana")).await.is_err());
    store.rename_owner(tenant.owner, "Dana".to_owned()).await.unwrap();
    let signal = store.queue_signal(VERIFIER_QUEUE);
    let mut notified = std::pin::pin!(signal.notified());
    assert!(!notified.as_mut().enable());
}

async fn parked_messages_are_shown_replayed_and_dropped(database: TestDatabase) {
    let store = database.open().await;
    let tenant = Tenant::new(&store).await;
    assert_eq!(store.dead_letters().await.unwrap(), []);
    for name in ["dana", "otto", "vera"] {
        tenant.add(mailbox(name)).await;
        let message = claim_one(&store).await;
        store.park_message(&message, format!("no luck with {name}")).await.unwrap();
    }
    let parked = store.dead_letters().await.unwrap();
    let reasons: Vec<_> =
        parked.iter().map(|l| (l.queue.as_str(), l.event_type.as_str(), l.reason.as_str(), l.deliveries)).collect();
    let line = |reason| (VERIFIER_QUEUE, "mailbox.created", reason, 1);
    assert_eq!(reasons, ["no luck with dana", "no luck with otto", "no luck with vera"].map(line));

    let row = |n: usize| parked[n].id.parse::<i64>().unwrap();
    store.drop_dead_letter(row(0)).await.unwrap();
    assert!(matches!(store.drop_dead_letter(row(0)).await, Err(CoreError::NotFound(_))));
    assert!(matches!(store.replay_dead_letters(Some(row(0))).await, Err(CoreError::NotFound(_))));
    assert_eq!(store.replay_dead_letters(Some(row(1))).await.unwrap(), 1);
    let again = claim_one(&store).await;
    assert_eq!((again.id, again.attempt, again.deliveries), (row(1), 1, 1));
    assert!(matches!(store.drop_dead_letter(again.id).await, Err(CoreError::NotFound(_))), "not parked any more");
    assert_eq!(store.replay_dead_letters(None).await.unwrap(), 1);
    assert_eq!(store.dead_letters().await.unwrap(), []);
    assert_eq!(claim_one(&store).await.id, row(2));
}

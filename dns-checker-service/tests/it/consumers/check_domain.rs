//! Checks of mailbox domains: the outcome for the event, the stored report, and the metrics.

use std::sync::Arc;

use dns_checker_service::resolver::Fault;
use dns_checker_service::{DnsChecker, MailboxDnsWorker, MemoryResolver};
use service_runtime::metrics;
use service_runtime::runner::{Attempt, Consumer, Outcome};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{
    Credentials, EmailAddress, LoginSecret, MailboxId, OwnerId, Password, Security, ServerEndpoint, Timestamp,
    WorkspaceId,
};
use shared_models::events::{Envelope, Event, MailboxRef};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, Store};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) store: Store,
    owner: OwnerId,
    pub(crate) workspace: WorkspaceId,
    _folder: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
        let keys = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
        let store = LockedStore::open(settings).await.unwrap().unlock(keys).await.unwrap();
        let plan = Plan { subscription_active: true, max_mailboxes: None };
        let owner = store.create_owner("owner@tenant.example", plan).await.unwrap().id;
        let workspace = store.create_workspace(owner, "default").await.unwrap().id;
        Self { store, owner, workspace, _folder: folder }
    }

    /// Creates a mailbox of this domain and returns its event.
    async fn mailbox_at(&self, domain: &str) -> Envelope {
        let server = |port| ServerEndpoint::parse("mail.example.com", port, Security::Required).unwrap();
        let login = || LoginSecret { username: "dana".to_owned(), password: Password::new("sesame") };
        let new = NewMailbox {
            email_as_given: None,
            email: EmailAddress::parse(&format!("dana@{domain}")).unwrap(),
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
        self.event_about(self.store.create_mailbox(self.workspace, self.owner, new).await.unwrap().id)
    }

    fn event_about(&self, mailbox_id: MailboxId) -> Envelope {
        Envelope::new(Event::MailboxCreated(MailboxRef { mailbox_id, workspace_id: self.workspace }), Timestamp::now())
    }
}

fn with_good_domain(world: MemoryResolver, domain: &str) -> MemoryResolver {
    world
        .with_mx(domain, 10, "mail.example.com")
        .with_txt(domain, "v=spf1 mx -all")
        .with_txt(
            &format!("default._domainkey.{domain}"),
            "v=DKIM1; k=ed25519; p=zcMY7ptyww1/PohVWcbpn0zD0uz5NK0aIkvPUvQrUB4=",
        )
        .with_txt(&format!("_dmarc.{domain}"), "v=DMARC1; p=reject")
}

/// The counts of sound, unsound and silent checks, and of durations.
fn counted() -> [u64; 4] {
    let text = metrics::text().unwrap();
    let checks = |outcome| format!(r#"mailmoor_dns_checks_total{{outcome="{outcome}"}} "#);
    [checks("sound"), checks("unsound"), checks("silent"), "mailmoor_dns_check_seconds_count ".to_owned()]
        .map(|name| text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap())
}

/// One test, because the metrics belong to the process.
#[tokio::test]
async fn every_check_is_recorded_and_counted() {
    let bench = Bench::new().await;
    let world = MemoryResolver::new().with_address("mail.example.com", [203, 0, 113, 1].into());
    let world = with_good_domain(with_good_domain(world, "good.example"), "silent.example")
        .with_mx("bare.example", 10, "mail.example.com")
        .with_fault("_dmarc.silent.example", Fault::Timeout);
    let consumer = MailboxDnsWorker::new(bench.store.clone(), DnsChecker::new(Arc::new(world)), 1);
    assert_eq!(counted(), [0, 0, 0, 0]);

    for (domain, parts, so_far) in
        [("good.example", 4, [1, 0, 0, 1]), ("bare.example", 1, [1, 1, 0, 2]), ("gone.example", 0, [1, 2, 0, 3])]
    {
        let event = bench.mailbox_at(domain).await;
        assert_eq!(consumer.handle(&event, Attempt(1)).await.unwrap(), Outcome::Done);
        let mailbox =
            bench.store.find_mailbox(bench.workspace, event.event.mailbox().unwrap().mailbox_id).await.unwrap();
        assert_eq!(mailbox.dns.unwrap().report.working_records(), parts, "{domain}");
        assert_eq!(counted(), so_far, "{domain}");
    }

    let silent = bench.mailbox_at("silent.example").await;
    for attempt in 1..=3 {
        let outcome = consumer.handle(&silent, Attempt(attempt)).await.unwrap();
        assert_eq!(matches!(outcome, Outcome::Retry(_)), attempt < 3, "{outcome:?}");
    }
    assert_eq!(counted(), [1, 2, 3, 6]);

    let removed = bench.mailbox_at("removed.example").await;
    bench.store.delete_mailbox(bench.workspace, removed.event.mailbox().unwrap().mailbox_id).await.unwrap();
    assert_eq!(consumer.handle(&removed, Attempt(1)).await.unwrap(), Outcome::Done);
    let invented = consumer.handle(&bench.event_about(MailboxId::new()), Attempt(1)).await.unwrap();
    assert!(matches!(invented, Outcome::Park(_)), "{invented:?}");
    let foreign = Event::MailboxActivated(removed.event.mailbox().unwrap());
    let foreign = consumer.handle(&Envelope::new(foreign, Timestamp::now()), Attempt(1)).await.unwrap();
    assert!(matches!(foreign, Outcome::Park(_)), "{foreign:?}");
    assert_eq!(counted(), [1, 2, 3, 6], "nothing was looked at");
}

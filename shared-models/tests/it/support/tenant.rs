//! Owners, mailboxes and findings as the tests need them.

use std::time::Duration;

use shared_models::domain::diagnosis::{Class, Fault, Leg, LegReport, LoginReport, Observed, Stage};
use shared_models::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{
    Credentials, EmailAddress, FailureCode, Finding, LoginSecret, Mailbox, OwnerId, Password, Security, ServerEndpoint,
    WorkspaceId,
};
use shared_models::store::{MailboxFilter, MailboxOrder, PageRequest, Settlement, Store};

pub(crate) const UNLIMITED: Plan = Plan { subscription_active: true, max_mailboxes: None };

/// Results of refused mailboxes are kept this long where that does not matter.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// An owner with one workspace of its own.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) store: Store,
    pub(crate) owner: OwnerId,
    pub(crate) workspace: WorkspaceId,
}

impl Tenant {
    pub(crate) async fn new(store: &Store) -> Self {
        Self::with_plan(store, "owner@tenant.example", UNLIMITED).await
    }

    pub(crate) async fn limited(store: &Store, max_mailboxes: i64) -> Self {
        let plan = Plan { subscription_active: true, max_mailboxes: Some(max_mailboxes) };
        Self::with_plan(store, "owner@tenant.example", plan).await
    }

    pub(crate) async fn with_plan(store: &Store, email: &str, plan: Plan) -> Self {
        let owner = store.create_owner(email, plan).await.unwrap().id;
        let workspace = store.create_workspace(owner, "default").await.unwrap().id;
        Self { store: store.clone(), owner, workspace }
    }

    /// Another workspace of the same owner.
    pub(crate) async fn sibling(&self) -> Self {
        let workspace = self.store.create_workspace(self.owner, "second").await.unwrap().id;
        Self { workspace, ..self.clone() }
    }

    pub(crate) async fn add(&self, new: NewMailbox) -> Mailbox {
        self.store.create_mailbox(self.workspace, self.owner, new).await.unwrap()
    }

    pub(crate) async fn usage(&self) -> i64 {
        self.store.owner(self.owner).await.unwrap().mailbox_usage
    }

    /// The local parts of the matching addresses, newest first.
    pub(crate) async fn names(&self, filter: MailboxFilter) -> Vec<String> {
        let page = PageRequest { order: MailboxOrder::default(), after: None, offset: 0, limit: 100 };
        let found = self.store.list_mailboxes(self.workspace, filter, page).await.unwrap();
        assert_eq!(found.total, found.items.len() as i64);
        found.items.iter().map(|mailbox| mailbox.email.local_part().to_owned()).collect()
    }
}

pub(crate) fn mailbox(local_part: &str) -> NewMailbox {
    let login =
        |password: &str| LoginSecret { username: format!("{local_part}-login"), password: Password::new(password) };
    NewMailbox {
        email_as_given: None,
        email: EmailAddress::parse(&format!("{local_part}@mail.example")).unwrap(),
        display_name: local_part.to_owned(),
        provider: ProviderLabel::Custom,
        daily_send_limit: 15,
        signature: None,
        tags: vec![],
        smtp: endpoint("smtp.mail.example", 587),
        imap: endpoint("imap.mail.example", 993),
        imap_guessed: false,
        credentials: Credentials { smtp: login("sesame-smtp"), imap: login("sesame-imap") },
        on_refusal: RefusalPolicy::Delete,
    }
}

pub(crate) fn tagged(local_part: &str, tags: &[&str]) -> NewMailbox {
    NewMailbox { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..mailbox(local_part) }
}

pub(crate) fn kept(local_part: &str) -> NewMailbox {
    NewMailbox { on_refusal: RefusalPolicy::Keep, ..mailbox(local_part) }
}

pub(crate) fn endpoint(host: &str, port: u16) -> ServerEndpoint {
    ServerEndpoint::parse(host, port, Security::Required).unwrap()
}

pub(crate) fn finding(code: FailureCode) -> Finding {
    Finding {
        code,
        leg: Leg::Imap,
        stage: Stage::Auth,
        class: Class::Permanent,
        fault: Fault::User,
        retry_after: Some(Duration::from_secs(90)),
        remedy: format!("remedy of {code}"),
        cause: None,
        server_reply: Some("535 5.7.8 \"no\" ü".to_owned()),
        observed: Observed { host: "imap.mail.example".to_owned(), port: 993, ip: None, tls: None },
    }
}

pub(crate) fn report() -> LoginReport {
    let observed = Observed { host: "smtp.mail.example".to_owned(), port: 587, ip: None, tls: None };
    let leg = LegReport { observed, millis: 12, failure: None, warnings: vec![] };
    LoginReport { smtp: leg.clone(), imap: Some(leg), imap_guessed: false }
}

pub(crate) fn accepted() -> Settlement {
    Settlement::Accepted { report: report(), note: None, imap: None }
}

pub(crate) fn refused() -> Settlement {
    Settlement::Refused { report: Some(report()), finding: finding(FailureCode::AuthBadCredentials), keep_result: WEEK }
}

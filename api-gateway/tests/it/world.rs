//! A running gateway with an owner, a workspace and keys.

use std::sync::Arc;

use api_gateway::RestServer;
use api_gateway::mail_platform::MailPlatform;
use dialects::{DIALECTS, Dialect};
use reqwest::Method;
use serde_json::{Value, json};
use service_runtime::bus::embedded::{EmbeddedBroker, Sharing};
use service_runtime::settings::{HttpSettings, MailPlatformSettings, RateLimitSettings};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::tenancy::{KeyKind, Plan};
use shared_models::domain::{MailboxId, OwnerId, WorkspaceId};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, NewApiKey, Settlement, Store};
use tempfile::TempDir;

use crate::client::{Answer, Call, Client};

pub(crate) const UNLIMITED: Plan = Plan { subscription_active: true, max_mailboxes: None };

/// The host of the mail platform.
pub(crate) const PLATFORM: &str = "mail.platform.example";

/// The default is no limits and much patience.
pub(crate) const PATIENT: Options =
    Options { limits: (0, 0, 0), sendmux_per_minute: 0, verification_wait_ms: 25_000, dialects: DIALECTS };

/// Settings that differ between the gateways of the tests.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// Requests of a key: of SendKit a minute, of ColdSend a minute and an hour; 0 = any number.
    pub(crate) limits: (u32, u32, u32),
    pub(crate) sendmux_per_minute: u32,
    pub(crate) verification_wait_ms: u64,
    pub(crate) dialects: &'static [&'static Dialect],
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) owner: OwnerId,
    pub(crate) workspace: WorkspaceId,
    /// Opens [`Self::workspace`].
    pub(crate) key: String,
    /// Opens everything of [`Self::owner`].
    pub(crate) platform_key: String,
    /// ColdSend's, opens [`Self::workspace`].
    pub(crate) coldsend_key: String,
    /// Sendmux's, opens [`Self::workspace`].
    pub(crate) sendmux_key: String,
    _server: Server,
    _folder: Option<TempDir>,
}

/// Stops the gateway when dropped.
struct Server(CancellationToken);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(PATIENT).await
    }

    /// Each SendKit key has so many requests a minute; 0 = any number.
    pub(crate) async fn limited(requests: u32) -> Self {
        Self::with(Options { limits: (requests, 0, 0), ..PATIENT }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("gateway-").tempdir_in("/dev/shm");
        let folder = folder.or_else(|_| tempfile::tempdir()).unwrap();
        let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
        Self { _folder: Some(folder), ..Self::launch(settings, options, at_platform()).await }
    }

    pub(crate) async fn over(settings: DatabaseSettings) -> Self {
        Self::launch(settings, PATIENT, at_platform()).await
    }

    /// With another mail platform than [`PLATFORM`].
    pub(crate) async fn beside(platform: MailPlatformSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") };
        Self { _folder: Some(folder), ..Self::launch(settings, PATIENT, platform).await }
    }

    async fn launch(settings: DatabaseSettings, options: Options, platform: MailPlatformSettings) -> Self {
        let store = open(settings).await;
        let http = listener(options.verification_wait_ms);
        let (sendkit, coldsend_minute, coldsend_hour) = options.limits;
        let limits = RateLimitSettings::from_iter([
            ("sendkit_per_minute", sendkit),
            ("coldsend_per_minute", coldsend_minute),
            ("coldsend_per_hour", coldsend_hour),
            ("sendmux_per_minute", options.sendmux_per_minute),
        ]);
        let broker = Arc::new(EmbeddedBroker::new(store.clone(), Sharing::Alone));
        let platform = MailPlatform::open(&platform, &store).await.unwrap();
        let gateway = RestServer::bind(&http, options.dialects, &limits, &platform, store.clone(), broker).unwrap();
        let client = format!("http://{}", gateway.addr());
        let stop = CancellationToken::new();
        tokio::spawn(gateway.run(stop.clone()));
        let client = Client::new(client).await;
        let owner = store.create_owner("dana@tenant.example", UNLIMITED).await.unwrap().id;
        let workspace = store.create_workspace(owner, "default").await.unwrap().id;
        let (_server, _folder) = (Server(stop), None);
        let key = make_key(&store, "sendkit-workspace", owner, Some(workspace)).await;
        let platform_key = make_key(&store, "sendkit-platform", owner, None).await;
        let coldsend_key = make_key(&store, "coldsend", owner, Some(workspace)).await;
        let sendmux_key = make_key(&store, "sendmux-root", owner, Some(workspace)).await;
        Self { store, client, owner, workspace, key, platform_key, coldsend_key, sendmux_key, _server, _folder }
    }

    /// A request with the workspace's key.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        self.client.call_with_key(method, path, &self.key)
    }

    /// A request with the owner's key and no workspace.
    pub(crate) fn platform(&self, method: Method, path: &str) -> Call {
        self.client.call_with_key(method, path, &self.platform_key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path).json(body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// Adds a mailbox over the wire and gives its id.
    pub(crate) async fn add(&self, body: &Value) -> MailboxId {
        let answer = self.post("/v1/mailboxes", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.data()["_id"].as_str().unwrap().parse().unwrap()
    }

    /// Settles a verification, as the verifier would.
    pub(crate) async fn settle(&self, id: MailboxId, settlement: Settlement) {
        self.store.settle_verification(id, settlement).await.unwrap();
    }

    pub(crate) async fn make_key(&self, kind: &str, owner: OwnerId, workspace: Option<WorkspaceId>) -> String {
        make_key(&self.store, kind, owner, workspace).await
    }

    /// Another owner with a workspace and its key.
    pub(crate) async fn stranger(&self) -> (WorkspaceId, String) {
        let owner = self.store.create_owner("stranger@tenant.example", UNLIMITED).await.unwrap().id;
        let workspace = self.store.create_workspace(owner, "default").await.unwrap().id;
        (workspace, self.make_key("sendkit-workspace", owner, Some(workspace)).await)
    }

    pub(crate) async fn usage(&self) -> i64 {
        self.store.owner(self.owner).await.unwrap().mailbox_usage
    }
}

async fn open(settings: DatabaseSettings) -> Store {
    let master_key = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
    LockedStore::open(settings).await.unwrap().unlock(master_key).await.unwrap()
}

fn listener(verification_wait_ms: u64) -> HttpSettings {
    HttpSettings { listen: "127.0.0.1:0".parse().unwrap(), public_url: String::new(), verification_wait_ms }
}

/// Why a gateway does not start with these; `None` if it does.
pub(crate) async fn start_error(dialects: &'static [&'static Dialect], limits: &RateLimitSettings) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(DatabaseSettings::Sqlite { path: folder.path().join("mailmoor.db") }).await;
    let broker = Arc::new(EmbeddedBroker::new(store.clone(), Sharing::Alone));
    let platform = MailPlatform::open(&at_platform(), &store).await.unwrap();
    RestServer::bind(&listener(0), dialects, limits, &platform, store, broker).err().map(|error| error.to_string())
}

fn at_platform() -> MailPlatformSettings {
    MailPlatformSettings::at(PLATFORM, 993, 587)
}

async fn make_key(store: &Store, kind: &str, owner: OwnerId, workspace: Option<WorkspaceId>) -> String {
    let (_, text) =
        store.create_api_key(NewApiKey { kind: key_kind(kind), owner, workspace, scopes: vec![] }).await.unwrap();
    text.expose().to_owned()
}

/// The kind of keys with this name.
pub(crate) fn key_kind(name: &str) -> KeyKind {
    *dialects::key_kinds(DIALECTS).find(|kind| kind.name == name).unwrap()
}

/// The least that a mailbox needs.
pub(crate) fn minimal(local_part: &str) -> Value {
    json!({"email": format!("{local_part}@mail.example"), "smtp": {"host": "smtp.mail.example", "password": "sesame"}})
}

/// A body with some members changed; `null` as a change takes a member out.
pub(crate) fn with(mut body: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            Value::Object(_) if body[name].is_object() => body[name] = with(body[name].take(), change),
            _ => body[name] = change.clone(),
        }
    }
    body
}

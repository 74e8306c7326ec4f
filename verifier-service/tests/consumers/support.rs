//! Settings, servers and credentials that the tests of the consumers share.

use std::net::SocketAddr;
use std::time::Duration;

use mail_client::{ProbeSettings, Prober};
use mail_lab::TestCa;
use mail_lab::scripted::{Behaviour, Listener, ScriptedServer};
use service_runtime::egress::{EgressGuard, EgressPolicy};
use service_runtime::resolver::{DnsResolverSettings, build_resolver};
use service_runtime::settings::VerifierSettings;
use shared_models::domain::tenancy::Plan;
use shared_models::domain::{LoginSecret, OwnerId, Password, Security, ServerEndpoint, WorkspaceId};
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, Store};
use tempfile::TempDir;

pub(crate) const USER: &str = "me@example.test";
pub(crate) const PASSWORD: &str = "correct horse";

/// A store with one workspace, in a folder that is deleted on drop.
pub(crate) struct Home {
    pub(crate) store: Store,
    pub(crate) owner: OwnerId,
    pub(crate) workspace: WorkspaceId,
    _folder: TempDir,
}

impl Home {
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
}

/// Settings of a consumer that repeats quickly.
pub(crate) fn verifier_settings() -> VerifierSettings {
    serde_json::from_value(serde_json::json!({
        "concurrency": 10, "per_host_concurrency": 10, "connect_timeout_ms": 1000, "leg_timeout_ms": 2500,
        "attempts": 3, "retry_base_ms": 10, "result_retention_days": 7,
    }))
    .unwrap()
}

/// Short deadlines, for servers that never answer.
pub(crate) fn hasty() -> ProbeSettings {
    ProbeSettings {
        connect_timeout: Duration::from_millis(1000),
        leg_timeout: Duration::from_millis(2500),
        concurrency: 100,
        per_host_concurrency: 20,
        allow_plaintext_login: false,
        helo_name: None,
    }
}

/// A prober that dials loopback addresses only, and finds no name.
pub(crate) fn prober_with(settings: ProbeSettings) -> Prober {
    let allowed_networks = vec!["127.0.0.0/8".parse().unwrap()];
    // Port 9 of the documentation net: a look-up fails.
    let dns =
        DnsResolverSettings { servers: vec!["192.0.2.1:9".parse().unwrap()], timeout: Duration::from_millis(500) };
    let resolver = build_resolver(&dns).unwrap();
    let egress = EgressGuard::new(EgressPolicy { allowed_networks }, resolver, dns.lookup_timeout());
    Prober::new(settings, egress, Some(&TestCa::shared().pem().unwrap())).unwrap()
}

pub(crate) fn secret(password: &str) -> LoginSecret {
    LoginSecret { username: USER.to_owned(), password: Password::new(password) }
}

pub(crate) fn endpoint(address: SocketAddr, security: Security) -> ServerEndpoint {
    let host = address.ip().to_string();
    ServerEndpoint::parse(&host, address.port(), security).unwrap()
}

/// A server with one account and this behaviour everywhere.
pub(crate) fn server(behaviour: Behaviour) -> ScriptedServer {
    ScriptedServer::builder().account(USER, PASSWORD).behaviour(Listener::ALL, behaviour).start().unwrap()
}

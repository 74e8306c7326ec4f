//! A running ops server over a real database, and a broker that the test controls.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use service_runtime::bus::{Broker, Subscription};
use service_runtime::ops::{self, Ops};
use service_runtime::shutdown::CancellationToken;
use shared_models::domain::CoreError;
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, DeadLetter, LockedStore, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) async fn open(settings: DatabaseSettings) -> Store {
    let keys = KeyRing::parse(&"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).unwrap();
    LockedStore::open(settings).await.unwrap().unlock(keys).await.unwrap()
}

/// A database file, gone with the value; the connections to it live on.
pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ops-").tempdir_in("/dev/shm");
        Self(folder.or_else(|_| tempfile::tempdir()).unwrap())
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("mailmoor.db")
    }

    pub(crate) async fn open(&self) -> Store {
        open(DatabaseSettings::Sqlite { path: self.path() }).await
    }
}

/// The ops server of a process; stops when dropped.
pub(crate) struct Service {
    addr: SocketAddr,
    stop: CancellationToken,
    running: Option<JoinHandle<std::io::Result<()>>>,
    http: reqwest::Client,
}

impl Service {
    pub(crate) fn start(store: Store, broker: impl Broker + 'static) -> Self {
        let server = ops::serve("127.0.0.1:0".parse().unwrap(), Ops { store, broker: Arc::new(broker) }).unwrap();
        let (addr, stop) = (server.addr(), CancellationToken::new());
        let running = Some(tokio::spawn(server.run(stop.clone())));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { addr, stop, running, http }
    }

    pub(crate) async fn request(&self, method: Method, path: &str) -> Response {
        self.http.request(method, format!("http://{}{path}", self.addr)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.request(Method::GET, path).await;
        (answer.status(), answer.json().await.unwrap())
    }

    /// The end is reached and nothing listens any more.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
        assert!(tokio::net::TcpStream::connect(self.addr).await.is_err());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Behaviour of a [`Moody`] broker: it answers, fails, or never answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Well,
    Failing,
    Hanging,
}

/// A broker without messages.
#[derive(Clone)]
pub(crate) struct Moody(Arc<Mutex<Mood>>);

impl Moody {
    /// With how many dead letters.
    pub(crate) const DEAD: u64 = 3;

    pub(crate) fn new(mood: Mood) -> Self {
        Self(Arc::new(Mutex::new(mood)))
    }

    pub(crate) fn turn(&self, mood: Mood) {
        *self.0.lock().unwrap() = mood;
    }

    async fn answer<T>(&self, well: T) -> Result<T, CoreError> {
        let mood = *self.0.lock().unwrap();
        match mood {
            Mood::Well => Ok(well),
            Mood::Failing => Err(CoreError::Unavailable { retry_after: Duration::ZERO, cause: "on purpose".into() }),
            Mood::Hanging => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Broker for Moody {
    fn subscribe(&self, _: &'static str, _: usize) -> Box<dyn Subscription> {
        unreachable!("nobody consumes here")
    }

    async fn run(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }

    async fn listen(&self, _stop: CancellationToken) {}

    async fn ping(&self) -> Result<(), CoreError> {
        self.answer(()).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CoreError> {
        self.answer(vec![]).await
    }

    async fn count_dead_letters(&self) -> Result<u64, CoreError> {
        self.answer(Self::DEAD).await
    }

    async fn replay_dead_letters(&self, _: Option<&str>) -> Result<usize, CoreError> {
        self.answer(0).await
    }

    async fn drop_dead_letter(&self, _: &str) -> Result<(), CoreError> {
        self.answer(()).await
    }
}

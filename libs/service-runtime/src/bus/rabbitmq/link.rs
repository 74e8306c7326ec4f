//! A connection that is opened on first use and again after a loss. No call waits for the broker longer than a few
//! seconds; callers repeat at their own pace.

use std::time::{Duration, Instant};

use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use shared_models::domain::CoreError;
use tokio::sync::Mutex;

use super::topology;
use crate::settings::SettingsError;

/// Upper bound of connecting: TCP, TLS, login and all declarations.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after a failure in which no caller connects: those that waited for the lock fail at once.
const COOL_DOWN: Duration = Duration::from_millis(200);
/// Heartbeat in seconds unless the URL sets one: the time after which a side notices that the other is gone.
const HEARTBEAT: u16 = 10;

/// One connection to the broker.
pub(super) struct Link {
    uri: AMQPUri,
    /// Name in the broker's management.
    name: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    publisher: Option<Channel>,
    /// Exchange and queues have been declared.
    declared: bool,
    failed_at: Option<Instant>,
}

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(url: &SecretString, name: &'static str) -> Result<Self, SettingsError> {
        let mut uri: AMQPUri =
            url.expose_secret().parse().map_err(|e| SettingsError::new(format!("broker.url: {e}")))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self { uri, name, state: Mutex::default() })
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> Result<Channel, CoreError> {
        let mut state = self.state.lock().await;
        self.open(&mut state).await
    }

    /// The channel for publishing, with confirms.
    pub(super) async fn publisher(&self) -> Result<Channel, CoreError> {
        let mut state = self.state.lock().await;
        if let Some(publisher) = state.publisher.as_ref().filter(|channel| channel.status().connected())
            && state.declared
        {
            return Ok(publisher.clone());
        }
        let channel = self.open(&mut state).await?;
        // Bounded: every publisher waits for this lock.
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        match tokio::time::timeout(CONNECT_TIMEOUT, confirms).await {
            Ok(result) => result.map_err(unavailable)?,
            Err(_) => return Err(unavailable("no answer")),
        }
        state.publisher = Some(channel.clone());
        Ok(channel)
    }

    /// Makes the next use declare everything again, as something was missing.
    pub(super) async fn distrust(&self) {
        self.state.lock().await.declared = false;
    }

    async fn open(&self, state: &mut State) -> Result<Channel, CoreError> {
        if state.failed_at.is_some_and(|at| at.elapsed() < COOL_DOWN) {
            return Err(unavailable("it did not answer just now"));
        }
        let opened = match tokio::time::timeout(CONNECT_TIMEOUT, self.open_channel(state)).await {
            Ok(result) => result.map_err(unavailable),
            Err(_) => Err(unavailable("no answer")),
        };
        state.failed_at = opened.is_err().then(Instant::now);
        opened
    }

    async fn open_channel(&self, state: &mut State) -> lapin::Result<Channel> {
        let connection = match state.connection.take().filter(|connection| connection.status().connected()) {
            Some(connection) => connection,
            None => {
                state.declared = false;
                let properties = ConnectionProperties::default().with_connection_name(self.name.into());
                let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
                log::info!("connected to the broker at {}:{}", self.uri.authority.host, self.uri.authority.port);
                connection
            }
        };
        let connection = state.connection.insert(connection);
        if !state.declared {
            topology::declare(&connection.create_channel().await?).await?;
            state.declared = true;
        }
        connection.create_channel().await
    }
}

/// The error for a broker that cannot be reached now.
pub(super) fn unavailable(cause: impl std::fmt::Display) -> CoreError {
    CoreError::Unavailable { retry_after: Duration::from_secs(1), cause: format!("broker: {cause}") }
}

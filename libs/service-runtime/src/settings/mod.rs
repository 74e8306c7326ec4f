//! The settings of all services, in layers: compiled-in defaults, an optional file, the environment. The environment is
//! read here and nowhere else. `deploy/config/default.toml` says of every setting its meaning and its default; the
//! structs here only have its shape.

mod catalogue;
mod mail_platform;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, File, FileFormat};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use shared_models::store::DatabaseSettings;

pub use catalogue::{Section, Setting, sections};
pub use mail_platform::{DoveadmSettings, MailPlatformSettings};
pub use webhooks::WebhookSettings;

const PREFIX: &str = "MAILMOOR__";

/// A fault of the settings. The text names the key and holds no secret value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    /// `text` names the key and holds no secret.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

/// Everything that can be set. Each service uses its sections and leaves the others alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct Settings {
    pub data_dir: PathBuf,
    pub http: HttpSettings,
    pub database: DatabaseSection,
    pub broker: BrokerSection,
    pub secrets: SecretsSection,
    pub egress: EgressSettings,
    pub verifier: VerifierSettings,
    pub dns: DnsSettings,
    pub mail_platform: MailPlatformSettings,
    pub webhooks: WebhookSettings,
    pub rate_limit: RateLimitSettings,
}

/// The HTTP listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct HttpSettings {
    pub listen: SocketAddr,
    pub public_url: String,
    pub verification_wait_ms: u64,
}

/// The database as written in the settings; [`Settings::database_settings`] reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSection {
    /// It may hold a password.
    url: SecretString,
    url_file: Option<PathBuf>,
    max_connections: u32,
}

/// The broker as written in the settings; [`Settings::broker_settings`] reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSection {
    /// It may hold a password.
    url: SecretString,
    url_file: Option<PathBuf>,
}

/// The master key as written in the settings; [`Settings::master_key`] reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsSection {
    master_key: SecretString,
    master_key_file: Option<PathBuf>,
}

/// Connections to servers that customers name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct EgressSettings {
    #[serde(deserialize_with = "list")]
    pub allowed_networks: Vec<IpNet>,
    pub extra_ca_file: PathBuf,
    pub allow_plaintext_login: bool,
}

/// Login checks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct VerifierSettings {
    pub concurrency: usize,
    pub per_host_concurrency: usize,
    connect_timeout_ms: u64,
    leg_timeout_ms: u64,
    pub attempts: u32,
    retry_base_ms: u64,
    result_retention_days: u64,
}

/// DNS look-ups.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct DnsSettings {
    #[serde(deserialize_with = "list")]
    pub servers: Vec<SocketAddr>,
    timeout_ms: u64,
    pub concurrency: usize,
    refresh_hours: u64,
}

/// Limits on the requests of one API key, by their names; 0 = off. The dialects know the names and the windows:
/// the gateway refuses to start with a name that no dialect has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct RateLimitSettings(BTreeMap<String, u32>);

impl RateLimitSettings {
    /// `None` = not set, so that the default of the dialect applies.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Everything that is set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<N: Into<String>> FromIterator<(N, u32)> for RateLimitSettings {
    fn from_iter<I: IntoIterator<Item = (N, u32)>>(limits: I) -> Self {
        Self(limits.into_iter().map(|(name, requests)| (name.into(), requests)).collect())
    }
}

/// The broker that carries the events.
#[derive(Clone, Debug)]
pub enum BrokerSettings {
    /// The queue in the database.
    Embedded,
    /// RabbitMQ, at `amqp://USER:PASSWORD@HOST:PORT/VHOST` or `amqps://...`.
    #[expect(missing_docs, reason = "the variant says what it is")]
    Amqp { url: SecretString },
}

impl VerifierSettings {
    /// Bound of the TCP connect, and of the TLS handshake.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// Bound of one protocol from first to last byte.
    pub fn leg_timeout(&self) -> Duration {
        Duration::from_millis(self.leg_timeout_ms)
    }

    /// Delay before the second attempt; doubles each time, with jitter.
    pub fn retry_base(&self) -> Duration {
        Duration::from_millis(self.retry_base_ms)
    }

    /// Time for which the result of a refused mailbox is kept.
    pub fn result_retention(&self) -> Duration {
        Duration::from_secs(self.result_retention_days * 86_400)
    }
}

impl DnsSettings {
    /// Bound of one query.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// A verdict older than this is renewed.
    pub fn refresh_after(&self) -> Duration {
        Duration::from_secs(self.refresh_hours * 3_600)
    }
}

impl Settings {
    /// Reads all layers. `file` is the one that `--config` names; without it `MAILMOOR_CONFIG` counts. Logs a warning
    /// for each variable that is a setting but for its underscores.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let named = std::env::var_os("MAILMOOR_CONFIG").map(PathBuf::from);
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        for (name, meant) in catalogue::misspelt(variables.iter().map(|(name, _)| &**name)) {
            log::warn!("the variable {name} is not read: the setting is spelt {meant}, with double underscores");
        }
        Self::from_layers(file.or(named.as_deref()), variables.into_iter())
    }

    fn from_layers(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut layers = Config::builder().add_source(File::from_str(catalogue::DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml));
        }
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            let key = key.to_ascii_lowercase().replace("__", ".");
            layers = layers
                .set_override(&key, value)
                .map_err(|_| SettingsError(format!("{name} is not the name of a setting")))?;
        }
        let settings: Self =
            layers.build().and_then(Config::try_deserialize).map_err(|e| SettingsError(describe(&e)))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let positive = [
            ("verifier.concurrency", self.verifier.concurrency > 0),
            ("verifier.per_host_concurrency", self.verifier.per_host_concurrency > 0),
            ("verifier.connect_timeout_ms", self.verifier.connect_timeout_ms > 0),
            ("verifier.leg_timeout_ms", self.verifier.leg_timeout_ms > 0),
            ("verifier.attempts", self.verifier.attempts > 0),
            ("dns.timeout_ms", self.dns.timeout_ms > 0),
            ("dns.concurrency", self.dns.concurrency > 0),
            ("dns.refresh_hours", self.dns.refresh_hours > 0),
            ("database.max_connections", self.database.max_connections > 0),
            ("webhooks.timeout_ms", self.webhooks.timeout_ms > 0),
            ("webhooks.concurrency", self.webhooks.concurrency > 0),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, good)| !good) {
            return Err(SettingsError(format!("{key} must be greater than 0")));
        }
        match (self.database_settings()?, self.broker_settings()?) {
            (DatabaseSettings::Sqlite { .. }, BrokerSettings::Amqp { .. }) => Err(SettingsError(
                "broker.url: RabbitMQ needs PostgreSQL; set database.url to postgres://...".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// The database to open; SQLite in the data directory where none is set.
    pub fn database_settings(&self) -> Result<DatabaseSettings, SettingsError> {
        let url = secret("database.url", &self.database.url, self.database.url_file.as_deref())?;
        let url = url.expose_secret();
        if url.is_empty() {
            return Ok(DatabaseSettings::Sqlite { path: self.data_dir.join("mailmoor.db") });
        }
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(DatabaseSettings::Sqlite { path: path.into() });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseSettings::Postgres {
                url: url.to_owned(),
                max_connections: self.database.max_connections,
            });
        }
        Err(SettingsError("database.url must begin with sqlite:// or postgres://".to_owned()))
    }

    /// The broker to use; the embedded one where none is set.
    pub fn broker_settings(&self) -> Result<BrokerSettings, SettingsError> {
        let url = secret("broker.url", &self.broker.url, self.broker.url_file.as_deref())?;
        match url.expose_secret() {
            "embedded:" | "" => Ok(BrokerSettings::Embedded),
            amqp if amqp.starts_with("amqp://") || amqp.starts_with("amqps://") => Ok(BrokerSettings::Amqp { url }),
            _ => Err(SettingsError("broker.url must be embedded: or begin with amqp:// or amqps://".to_owned())),
        }
    }

    /// The configured master key or key ring; `None` = the file in the data directory counts.
    pub fn master_key(&self) -> Result<Option<SecretString>, SettingsError> {
        let key = secret("secrets.master_key", &self.secrets.master_key, self.secrets.master_key_file.as_deref())?;
        Ok(Some(key).filter(|key| !key.expose_secret().is_empty()))
    }

    /// The PEM text of further trusted roots, if any.
    pub fn extra_ca_pem(&self) -> Result<Option<Vec<u8>>, SettingsError> {
        let file = &self.egress.extra_ca_file;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        std::fs::read(file)
            .map(Some)
            .map_err(|e| SettingsError(format!("egress.extra_ca_file: cannot read {}: {e}", file.display())))
    }
}

/// The value itself, or the content of the file that holds it.
fn secret(key: &str, value: &SecretString, file: Option<&Path>) -> Result<SecretString, SettingsError> {
    let Some(file) = file else { return Ok(value.clone()) };
    let text = std::fs::read_to_string(file)
        .map_err(|e| SettingsError(format!("{key}_file: cannot read {}: {e}", file.display())))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

/// A list, or one string with commas as it comes from the environment.
fn list<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T::Err: std::fmt::Display,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Many(Vec<String>),
        One(String),
    }
    let items = match Form::deserialize(deserializer)? {
        Form::Many(items) => items,
        Form::One(text) => text.split(',').map(str::to_owned).collect(),
    };
    let items = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty());
    items.map(|item| item.parse().map_err(|e| serde::de::Error::custom(format!("'{item}': {e}")))).collect()
}

/// The `config` crate's text with the key, but without the value, which may be a secret.
fn describe(error: &config::ConfigError) -> String {
    let example = |key: &str| catalogue::example(key).map_or(String::new(), |value| format!("; an example is {value}"));
    match error {
        config::ConfigError::Type { key: Some(key), expected, .. } => {
            format!("{key}: expected {expected}{}", example(key))
        }
        config::ConfigError::At { error, key: Some(key), .. } => format!("{key}: {}{}", describe(error), example(key)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;

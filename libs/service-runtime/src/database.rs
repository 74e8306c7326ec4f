//! Opens the database with the master key: the configured one, or, for SQLite only, the one in the data directory,
//! which is generated on the first start and never replaced.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use shared_models::domain::CoreError;
use shared_models::store::vault::KeyRing;
use shared_models::store::{DatabaseSettings, LockedStore, Store};

use crate::settings::{BrokerSettings, Settings};

const KEY_FILE: &str = "master.key";

/// The database cannot be used. The text is for the operator and holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct OpenError {
    text: String,
    /// The database did not answer.
    temporary: bool,
}

impl OpenError {
    fn new(text: impl ToString) -> Self {
        Self { text: text.to_string(), temporary: false }
    }
}

impl From<CoreError> for OpenError {
    fn from(error: CoreError) -> Self {
        match error {
            // Its text is for the operator, who is the reader here; "internal" would blame the program.
            CoreError::Internal(text) => Self { text, temporary: false },
            error => Self { text: error.to_string(), temporary: matches!(error, CoreError::Unavailable { .. }) },
        }
    }
}

/// Time for which a starting service waits for PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(60);

/// As [`open`], but waits up to a minute for a server that is not up yet, as when all containers start together.
pub async fn open_patiently(settings: &Settings) -> Result<Store, OpenError> {
    let begin = Instant::now();
    loop {
        match open(settings).await {
            Err(error) if error.temporary && begin.elapsed() < PATIENCE => {
                log::warn!("waiting for the database: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            result => return result,
        }
    }
}

/// Opens, migrates and unlocks the configured database.
pub async fn open(settings: &Settings) -> Result<Store, OpenError> {
    let database = settings.database_settings().map_err(OpenError::new)?;
    if let DatabaseSettings::Sqlite { path } = &database {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        private_folder(folder)?;
        private_folder(&settings.data_dir)?;
    }
    let embedded = matches!(database, DatabaseSettings::Sqlite { .. });
    let mut locked = LockedStore::open(database).await?;
    if matches!(settings.broker_settings().map_err(OpenError::new)?, BrokerSettings::Amqp { .. }) {
        locked = locked.with_outbox();
    }
    let key = match settings.master_key().map_err(OpenError::new)? {
        Some(key) => key,
        None if embedded => {
            let sealed_before = locked.has_sealed_secrets().await?;
            key_file(&settings.data_dir.join(KEY_FILE), sealed_before)?
        }
        None => {
            return Err(OpenError::new("secrets.master_key is required with PostgreSQL: base64 of 32 random bytes"));
        }
    };
    let ring = KeyRing::parse(&key).map_err(|e| OpenError::new(format!("secrets.master_key: {e}")))?;
    Ok(locked.unlock(ring).await?)
}

/// Reads the key file, or generates it for a database without sealed secrets.
fn key_file(file: &Path, sealed_before: bool) -> Result<SecretString, OpenError> {
    let fault =
        |what: &str, e: std::io::Error| OpenError::new(format!("cannot {what} the master key {}: {e}", file.display()));
    if let Some(key) = read_key(file).map_err(|e| fault("read", e))? {
        return Ok(key);
    }
    if sealed_before {
        return Err(OpenError::new(format!(
            "the master key {} is gone, and this database holds credentials sealed with it. Put the file back",
            file.display()
        )));
    }
    let fresh = KeyRing::generate().map_err(OpenError::new)?;
    write_key(file, fresh).map_err(|e| fault("write", e))
}

fn read_key(file: &Path) -> std::io::Result<Option<SecretString>> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            if std::fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
                log::warn!("others can read the master key {}: chmod 600 it", file.display());
            }
            Ok(Some(SecretString::from(text.trim().to_owned())))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes the key and returns it; returns the one of another process if that was faster.
fn write_key(file: &Path, key: SecretString) -> std::io::Result<SecretString> {
    // Written under another name first, so that a crash leaves no key or a whole one. Locked, so that only one of
    // several processes on an empty folder makes the key.
    let draft = file.with_extension("key.new");
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&draft)?;
    out.lock()?;
    if let Some(first) = read_key(file)? {
        // The draft is this process's own if the other one had renamed its draft before.
        let _ = std::fs::remove_file(&draft);
        return Ok(first);
    }
    out.set_len(0)?;
    writeln!(out, "{}", key.expose_secret())?;
    out.sync_all()?;
    std::fs::rename(&draft, file)?;
    std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    log::info!(
        "generated the master key {}; without it the stored credentials cannot be read: back it up",
        file.display()
    );
    Ok(key)
}

/// Makes a folder with mode 0700; an existing one is not changed.
pub fn private_folder(folder: &Path) -> Result<(), OpenError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| OpenError::new(format!("cannot make the folder {}: {e}", folder.display())))
}

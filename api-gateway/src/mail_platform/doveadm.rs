//! Dovecot's administration over HTTP: version 1 of its API, one command a request.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service_runtime::service::StartError;
use service_runtime::settings::DoveadmSettings;
use shared_models::domain::EmailAddress;
use use_cases::hosted::StorageMeter;

/// Upper bound of one command.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Exit codes of doveadm, from sysexits.h.
mod exit_code {
    /// `EX_NOUSER`: Dovecot does not know the user.
    pub(super) const NO_USER: i64 = 67;
    /// `EX_NOHOST`: nothing matches, such as no session of a user.
    pub(super) const NOTHING_FOUND: i64 = 68;
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Doveadm {
    http: reqwest::Client,
    url: String,
    authorization: HeaderValue,
}

/// A command was not executed. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoveadmError {
    #[error("Dovecot's administration does not answer: {0}")]
    Unreachable(reqwest::Error),
    #[error("Dovecot's administration answers {0}")]
    Status(reqwest::StatusCode),
    #[error("Dovecot's administration answers what was not asked for")]
    Malformed,
    #[error("Dovecot did not carry out a command: exit code {0}")]
    Refused(i64),
}

#[async_trait]
impl StorageMeter for Doveadm {
    async fn used_bytes(&self, mailbox: &EmailAddress) -> Result<Option<i64>, String> {
        self.storage(mailbox).await.map_err(|error| error.to_string())
    }
}

impl Doveadm {
    /// # Errors
    /// When the key cannot stand in a header, or TLS cannot be set up.
    pub(crate) fn new(settings: &DoveadmSettings) -> Result<Self, StartError> {
        let key = STANDARD.encode(settings.api_key.expose_secret());
        let mut authorization = HeaderValue::from_str(&format!("X-Dovecot-API {key}")).map_err(StartError::new)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(TIMEOUT);
        let http = http.build().map_err(StartError::new)?;
        Ok(Self { http, url: format!("{}/doveadm/v1", settings.url), authorization })
    }

    /// Ends all sessions of a user, of mail access and of submission.
    pub(crate) async fn kick(&self, user: &EmailAddress) -> Result<(), DoveadmError> {
        // A mask may have wildcards (`*`, `?`), which no address of a hosted mailbox contains.
        match self.command("kick", json!({"mask": [user.as_str()]})).await {
            Ok(_) | Err(DoveadmError::Refused(exit_code::NOTHING_FOUND)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Bytes of mail of a user, rounded up to a multiple of 1024. `None` for a user that Dovecot does not know, such as
    /// a suspended one.
    async fn storage(&self, user: &EmailAddress) -> Result<Option<i64>, DoveadmError> {
        let roots = match self.command("quotaGet", json!({"user": user.as_str()})).await {
            Err(DoveadmError::Refused(exit_code::NO_USER)) => return Ok(None),
            result => result?,
        };
        let roots = roots.as_array().ok_or(DoveadmError::Malformed)?;
        let storage = roots.iter().find(|root| root["type"] == "STORAGE").ok_or(DoveadmError::Malformed)?;
        let kibibytes: i64 = storage["value"].as_str().and_then(|v| v.parse().ok()).ok_or(DoveadmError::Malformed)?;
        Ok(Some(kibibytes.saturating_mul(1024)))
    }

    /// Executes a command. Returns the data of the response.
    async fn command(&self, name: &str, parameters: Value) -> Result<Value, DoveadmError> {
        let request = self.http.post(&self.url).header(AUTHORIZATION, self.authorization.clone());
        let response = request.json(&json!([[name, parameters, "m"]])).send().await;
        // The configured URL may hold a password.
        let fault = |error: reqwest::Error| DoveadmError::Unreachable(error.without_url());
        let response = response.map_err(fault)?;
        if !response.status().is_success() {
            return Err(DoveadmError::Status(response.status()));
        }
        let mut answer: Value = response.json().await.map_err(fault)?;
        let data = answer[0][1].take();
        match answer[0][0].as_str() {
            Some("doveadmResponse") => Ok(data),
            Some("error") => Err(data["exitCode"].as_i64().map_or(DoveadmError::Malformed, DoveadmError::Refused)),
            _ => Err(DoveadmError::Malformed),
        }
    }
}

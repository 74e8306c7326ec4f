//! The section of the mail platform.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{SettingsError, secret};

/// The mail servers of the platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "deploy/config/default.toml documents every setting")]
pub struct MailPlatformSettings {
    pub hostname: String,
    pub imap_port: u16,
    pub smtp_port: u16,
    /// `None` = no policy service.
    #[serde(deserialize_with = "empty_is_none")]
    pub policy_listen: Option<SocketAddr>,
    /// `None` = no milter, and nothing is signed.
    #[serde(deserialize_with = "empty_is_none")]
    pub milter_listen: Option<SocketAddr>,
    doveadm_url: String,
    doveadm_api_key: SecretString,
    doveadm_api_key_file: Option<PathBuf>,
}

/// The HTTP API of Dovecot's administration.
#[derive(Clone, Debug)]
pub struct DoveadmSettings {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: String,
    /// `doveadm_api_key` in Dovecot's configuration.
    pub api_key: SecretString,
}

impl MailPlatformSettings {
    /// Mail servers without policy service, milter and doveadm.
    pub fn at(hostname: &str, imap_port: u16, smtp_port: u16) -> Self {
        Self {
            hostname: hostname.to_owned(),
            imap_port,
            smtp_port,
            policy_listen: None,
            milter_listen: None,
            doveadm_url: String::new(),
            doveadm_api_key: SecretString::default(),
            doveadm_api_key_file: None,
        }
    }

    /// Dovecot's HTTP API; `None` where no URL is set.
    ///
    /// # Errors
    /// When the URL is none, when the key is missing, or when its file cannot be read.
    pub fn doveadm(&self) -> Result<Option<DoveadmSettings>, SettingsError> {
        let url = self.doveadm_url.trim_end_matches('/');
        if url.is_empty() {
            return Ok(None);
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(SettingsError::new("mail_platform.doveadm_url must begin with http:// or https://".to_owned()));
        }
        let key = "mail_platform.doveadm_api_key";
        let api_key = secret(key, &self.doveadm_api_key, self.doveadm_api_key_file.as_deref())?;
        if api_key.expose_secret().is_empty() {
            return Err(SettingsError::new(format!("{key} is required with mail_platform.doveadm_url")));
        }
        Ok(Some(DoveadmSettings { url: url.to_owned(), api_key }))
    }
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(deserializer)?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

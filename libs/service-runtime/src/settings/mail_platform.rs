//! The section of the mail platform.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{SettingsError, secret};

/// Where the mail servers are, for those who use hosted mailboxes and for us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailPlatformSettings {
    /// Host name that hosted mailboxes are told to connect to.
    pub hostname: String,
    /// Implicit TLS.
    pub imap_port: u16,
    /// STARTTLS.
    pub smtp_port: u16,
    /// Where Postfix asks about senders; `None` = nowhere.
    #[serde(deserialize_with = "empty_is_none")]
    pub policy_listen: Option<SocketAddr>,
    /// Where Postfix has mail signed; `None` = nowhere, and nothing is.
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
    /// Mail servers of which only this is known.
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

    /// The way to Dovecot's administration, if there is one.
    ///
    /// # Errors
    /// When the key is missing, or its file cannot be read.
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

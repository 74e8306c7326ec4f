use std::io;

/// A laboratory server could not be started or given an order.
///
/// The text is meant for the person who reads a failed test: it names the Debian package of a missing binary
/// and carries the end of the server's own log.
#[derive(thiserror::Error)]
pub enum LabError {
    /// The server's binary is not installed.
    #[error("`{binary}` was not found; install it with: apt-get install {package}")]
    MissingBinary {
        binary: String,
        /// Debian package(s) that bring it.
        package: &'static str,
    },
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// The step that failed.
        what: String,
        source: io::Error,
    },
    /// Making keys, certificates or a TLS context failed.
    #[error("certificates: {0}")]
    Certificates(#[from] openssl::error::ErrorStack),
    /// A TLS context could not be made.
    #[error("TLS: {0}")]
    Tls(#[from] native_tls::Error),
    /// A server did not carry out an order.
    #[error("{what} failed: {detail}")]
    Failed {
        /// Server and action.
        what: String,
        /// Its own words, such as the end of its log.
        detail: String,
    },
}

impl std::fmt::Debug for LabError {
    /// The same as Display, because `unwrap` in a test shows this one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl LabError {
    pub(crate) fn failed(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), detail: detail.into() }
    }
}

/// Adds what was being done to an I/O error.
pub(crate) trait IoContext<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, LabError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, LabError> {
        self.map_err(|source| LabError::Io { what: what.into(), source })
    }
}

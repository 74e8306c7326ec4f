//! Errors of setting up a prober. What goes wrong in a login is a finding and not an error.

/// The trusted roots in the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// They are not PEM.
    #[error("cannot read the further trusted roots: {0}")]
    Roots(#[from] native_tls::Error),
    /// They hold no certificate.
    #[error("the further trusted roots hold no certificate")]
    NoRoots,
}

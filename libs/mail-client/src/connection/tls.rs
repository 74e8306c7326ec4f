//! The TLS handshake, and the failure code for each way in which it fails.

use std::io;
use std::sync::{Arc, LazyLock};

use openssl::hash::MessageDigest;
use openssl::x509::X509;
use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::Stage;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_native_tls::TlsStream;

use crate::error::ProberError;
use crate::failure::Failure;

/// Names of a certificate that the remedy lists.
const MAX_NAMES: usize = 5;

type Connector = tokio_native_tls::TlsConnector;
type Built = LazyLock<Option<Connector>, Box<dyn FnOnce() -> Option<Connector> + Send>>;

/// The two connectors, each made once. Loading the trusted roots takes some 70 ms, so it is done in the background
/// while names are resolved and connections opened.
pub(crate) struct Tls {
    checking: Arc<Built>,
    /// Accepts any certificate; for [`Tls::certificate`] only.
    inspecting: Built,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    /// The peer answered in clear text.
    NotTls,
    Failed(Failure),
}

/// The parts of a bad certificate that the remedy quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    names: String,
    not_after: String,
    fingerprint: String,
}

impl Tls {
    /// Connectors that trust the system's roots and those in `extra_ca` (PEM, at least one).
    pub(crate) fn new(extra_ca: Option<&[u8]>) -> Result<Self, ProberError> {
        let roots = extra_ca.map(native_tls::Certificate::stack_from_pem).transpose()?;
        if roots.as_ref().is_some_and(Vec::is_empty) {
            return Err(ProberError::NoRoots);
        }
        let checking: Arc<Built> = Arc::new(LazyLock::new(Box::new(move || {
            let mut builder = native_tls::TlsConnector::builder();
            builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
            for root in roots.into_iter().flatten() {
                builder.add_root_certificate(root);
            }
            builder.build().ok().map(Connector::from)
        })));
        let early = Arc::clone(&checking);
        // If the thread cannot be started, the first handshake loads the roots.
        let _ =
            std::thread::Builder::new().name("trusted-roots".into()).spawn(move || LazyLock::force(&early).is_some());
        let inspecting: Built = LazyLock::new(Box::new(|| {
            let mut builder = native_tls::TlsConnector::builder();
            builder
                .danger_accept_invalid_certs(true)
                .danger_accept_invalid_hostnames(true)
                .disable_built_in_roots(true);
            builder.build().ok().map(Connector::from)
        }));
        Ok(Self { checking, inspecting })
    }

    /// Encrypts a connection. The certificate must be valid for `host`.
    pub(crate) async fn handshake(
        &self,
        host: &str,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let Some(connector) = LazyLock::force(&self.checking) else {
            return Err(failed(FailureCode::NetEgressBlocked)); // the TLS library cannot be set up
        };
        match timeout_at(deadline, connector.connect(host, tcp)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(failed(FailureCode::TlsHandshakeTimeout)),
        }
    }

    /// Reads the certificate of a server that failed the check, for the words of the remedy. The connection is
    /// closed here, after the handshake and before any octet of mail.
    pub(crate) async fn certificate(&self, host: &str, tcp: TcpStream, deadline: Instant) -> Option<Certificate> {
        let stream = timeout_at(deadline, self.inspecting.as_ref()?.connect(host, tcp)).await.ok()?.ok()?;
        let der = stream.get_ref().peer_certificate().ok()??.to_der().ok()?;
        Some(Certificate::read(&X509::from_der(&der).ok()?))
    }
}

impl Certificate {
    fn read(x509: &X509) -> Self {
        let names = x509
            .subject_alt_names()
            .into_iter()
            .flatten()
            .filter_map(|name| name.dnsname().map(str::to_owned))
            .filter(|name| is_host_like(name))
            .take(MAX_NAMES)
            .collect::<Vec<_>>();
        let fingerprint = x509
            .digest(MessageDigest::sha256())
            .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
            .unwrap_or_default();
        Self { names: names.join(", "), not_after: x509.not_after().to_string(), fingerprint }
    }

    /// Adds the values for the remedy of a certificate failure.
    pub(crate) fn explain(self, mut failure: Failure) -> Failure {
        for (name, value) in [("names", self.names), ("date", self.not_after), ("fingerprint", self.fingerprint)] {
            if !value.is_empty() {
                failure = failure.with(name, value);
            }
        }
        failure
    }
}

/// Names of an untrusted certificate go into a sentence, so they must look like host names.
fn is_host_like(name: &str) -> bool {
    name.len() <= 253 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'*' | b'_'))
}

fn failed(code: FailureCode) -> HandshakeError {
    HandshakeError::Failed(Failure::new(code, Stage::Tls))
}

/// OpenSSL reports the fault only in words: its error queue, followed by the result of the certificate check in
/// parentheses. The words have been stable since 1.1, but for "self signed", which became "self-signed" in 3.0.
fn classify(error: &native_tls::Error) -> HandshakeError {
    use FailureCode as Code;
    let text = error.to_string().to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["wrong version number", "unknown protocol", "http request", "packet length too long"]) {
        return HandshakeError::NotTls;
    }
    if has(&["certificate has expired"]) {
        return failed(Code::TlsCertExpired);
    }
    if has(&["not yet valid"]) {
        return failed(Code::TlsCertNotYetValid);
    }
    if has(&["hostname mismatch", "ip address mismatch", "unrecognized name"]) {
        return failed(Code::TlsCertNameMismatch);
    }
    if has(&["self-signed certificate", "self signed certificate"]) {
        return failed(Code::TlsCertSelfSigned);
    }
    if has(&["certificate verify failed"]) {
        return failed(Code::TlsCertUntrusted);
    }
    if has(&["unsupported protocol", "protocol version", "version too low"]) {
        return failed(Code::TlsVersionTooOld);
    }
    if has(&[
        "handshake failure",
        "no shared cipher",
        "no ciphers",
        "key too small",
        "wrong cipher",
        "insufficient security",
        "legacy renegotiation",
    ]) {
        return failed(Code::TlsNoSharedCipher);
    }
    if is_closed(error) || has(&["unexpected eof"]) {
        return failed(Code::NetReset);
    }
    HandshakeError::Failed(
        Failure::new(Code::TlsNoSharedCipher, Stage::Tls)
            .says("{host} broke off the encrypted connection; ask your provider to check its TLS set-up."),
    )
}

fn is_closed(error: &native_tls::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return matches!(
                io.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            );
        }
        source = inner.source();
    }
    false
}

//! From vetted addresses to a signed-in session, for SMTP and IMAP alike: TLS from the first byte, STARTTLS, or one
//! after the other. Where none works, further connections find out which one would have, for the words of the
//! remedy. None of these carries a password.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::egress::EgressPolicy;
use shared_models::domain::core::TlsPlan;
use shared_models::domain::diagnosis::{Observed, Stage, TlsMode};
use shared_models::domain::{FailureCode, ServerEndpoint};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::connection::connect::{ConnectError, connect};
use crate::connection::known_ports::KnownPorts;
use crate::connection::line_reader::Wire;
use crate::connection::stream::MailStream;
use crate::connection::tls::{HandshakeError, Tls};
use crate::failure::Failure;
use crate::session::{Login, MailSession};

/// A server that is silent for this long may be waiting for a TLS hello.
const QUIET_PERIOD: Duration = Duration::from_millis(1500);
/// Upper bound of the look for an explanation once the login has failed.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(3);

/// A session that is signed in.
pub(crate) struct SignedIn<S> {
    pub(crate) session: S,
    /// Warnings of the accepted login.
    pub(crate) warnings: Vec<Failure>,
}

/// One login. It may take several connections, of which at most one carries the password.
pub(crate) struct LoginAttempt<'a> {
    pub(crate) tls: &'a Tls,
    pub(crate) policy: &'a EgressPolicy,
    pub(crate) known_ports: &'a KnownPorts,
    pub(crate) endpoint: &'a ServerEndpoint,
    pub(crate) login: Login<'a>,
    /// The vetted addresses of the host; after the first connection only the one that answered.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) allow_plaintext_login: bool,
    /// Bound of the TCP connection, and again of the TLS handshake.
    pub(crate) connect_timeout: Duration,
    /// End of the leg.
    pub(crate) deadline: Instant,
    pub(crate) observed: Observed,
}

/// How a login with TLS from the first byte failed.
enum ImplicitEnd {
    NotTls,
    Failed(Failure),
}

impl From<Failure> for ImplicitEnd {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl LoginAttempt<'_> {
    /// Connects as the endpoint demands, and signs in.
    pub(crate) async fn run<S: MailSession>(&mut self) -> Result<SignedIn<S>, Failure> {
        match self.endpoint.tls_plan() {
            TlsPlan::StarttlsRequired => self.clear_text_first::<S>(true).await,
            TlsPlan::StarttlsIfOffered => self.clear_text_first::<S>(false).await,
            TlsPlan::Implicit => match self.implicit::<S>().await {
                Ok(signed_in) => Ok(signed_in),
                Err(ImplicitEnd::Failed(failure)) => Err(failure),
                Err(ImplicitEnd::NotTls) => Err(self.explain_clear_text::<S>().await),
            },
            TlsPlan::ImplicitThenStarttls => self.either::<S>().await,
        }
    }

    /// TLS first, and STARTTLS if the port does not speak TLS. If an earlier login has found STARTTLS on this port it
    /// comes first, which saves a connection.
    async fn either<S: MailSession>(&mut self) -> Result<SignedIn<S>, Failure> {
        let port = self.addresses.first().copied();
        let expected = port.filter(|port| self.known_ports.expects_starttls(*port));
        if let Some(port) = expected {
            match self.clear_text_first::<S>(true).await {
                Err(failure) if failure.code == FailureCode::CfgPortTlsMismatch => {
                    self.known_ports.forget(port);
                }
                outcome => return outcome,
            }
        }
        match self.implicit::<S>().await {
            Ok(signed_in) => Ok(signed_in),
            Err(ImplicitEnd::Failed(failure)) => Err(failure),
            Err(ImplicitEnd::NotTls) => {
                let outcome = self.clear_text_first::<S>(true).await;
                if self.observed.tls == Some(TlsMode::Starttls)
                    && let Some(port) = port
                {
                    self.known_ports.remember_starttls(port);
                }
                outcome
            }
        }
    }

    async fn implicit<S: MailSession>(&mut self) -> Result<SignedIn<S>, ImplicitEnd> {
        let tcp = self.connect().await?;
        let host = self.endpoint.host();
        let stream = match self.tls.handshake(host, tcp, self.connect_deadline()).await {
            Ok(stream) => stream,
            Err(HandshakeError::NotTls) => return Err(ImplicitEnd::NotTls),
            Err(HandshakeError::Failed(failure)) => {
                let again = if names_certificate(failure.code) { self.connect().await.ok() } else { None };
                return Err(self.explain_certificate(failure, again).await.into());
            }
        };
        self.observed.tls = Some(TlsMode::Implicit);
        let mut session = S::new(self.wire(MailStream::Tls(Box::new(stream))));
        session.greeting(&self.login).await?;
        session.hello(&self.login).await?;
        Ok(self.signed_in(session).await?)
    }

    /// Greeting in clear text, then STARTTLS. Signs in without TLS only if the server does not offer it, the endpoint
    /// does not require it, and the operator allows it.
    async fn clear_text_first<S: MailSession>(&mut self, tls_required: bool) -> Result<SignedIn<S>, Failure> {
        let session = self.greeted::<S>().await?;
        if !session.offers_starttls() {
            if tls_required || !self.allow_plaintext_login {
                return Err(Failure::new(FailureCode::TlsNotOffered, Stage::Starttls));
            }
            self.observed.tls = Some(TlsMode::None);
            return self.signed_in(session).await;
        }
        let tcp = self.upgraded(session).await?;
        let host = self.endpoint.host();
        let stream = match self.tls.handshake(host, tcp, self.connect_deadline()).await {
            Ok(stream) => stream,
            // Clear text after the server's consent is the same attack, or the same defect, as clear text
            // in the packet of the consent.
            Err(HandshakeError::NotTls) => {
                return Err(Failure::new(FailureCode::TlsPlaintextInjected, Stage::Starttls));
            }
            Err(HandshakeError::Failed(failure)) => {
                let again = if names_certificate(failure.code) { self.second_handshake::<S>().await } else { None };
                return Err(self.explain_certificate(failure, again).await);
            }
        };
        self.observed.tls = Some(TlsMode::Starttls);
        let mut session = S::new(self.wire(MailStream::Tls(Box::new(stream))));
        session.hello(&self.login).await?;
        self.signed_in(session).await
    }

    async fn signed_in<S: MailSession>(&self, mut session: S) -> Result<SignedIn<S>, Failure> {
        match session.sign_in(&self.login).await {
            Ok(warnings) => Ok(SignedIn { session, warnings }),
            Err(failure) => {
                session.sign_out().await;
                Err(failure)
            }
        }
    }

    /// A clear-text session whose capabilities are known.
    async fn greeted<S: MailSession>(&mut self) -> Result<S, Failure> {
        let tcp = self.connect().await?;
        let mut session = S::new(self.wire(MailStream::Plain(tcp)));
        tokio::select! {
            greeted = session.greeting(&self.login) => greeted?,
            () = self.notices_tls() => return Err(self.mismatch("SSL/TLS", Stage::Greeting)),
        }
        session.hello(&self.login).await?;
        Ok(session)
    }

    /// Asks for STARTTLS, and fails if anything came in clear text behind the consent (CVE-2021-38371).
    async fn upgraded<S: MailSession>(&self, mut session: S) -> Result<TcpStream, Failure> {
        session.starttls(&self.login).await?;
        let wire = session.into_wire();
        let injected = || Failure::new(FailureCode::TlsPlaintextInjected, Stage::Starttls);
        if wire.has_unread() {
            return Err(injected());
        }
        wire.into_plain().ok_or_else(injected)
    }

    /// Returns only if the server is silent in clear text but answers a TLS hello on a second connection.
    async fn notices_tls(&self) {
        let leg = self.deadline.saturating_duration_since(Instant::now());
        sleep(QUIET_PERIOD.min(leg / 4)).await;
        if let Ok(tcp) = self.dial().await {
            let host = self.endpoint.host();
            match self.tls.handshake(host, tcp, self.connect_deadline()).await {
                Ok(_) => return,
                Err(HandshakeError::Failed(failure)) if proves_tls(failure.code) => return,
                Err(_) => {}
            }
        }
        std::future::pending().await
    }

    /// The failure for a port that does not speak TLS. Nothing but greeting and capabilities is exchanged.
    async fn explain_clear_text<S: MailSession>(&mut self) -> Failure {
        let stage = Stage::Tls;
        let Ok(tcp) = self.connect().await else {
            return self.mismatch("STARTTLS", stage);
        };
        let deadline = self.deadline.min(Instant::now() + EXPLANATION_TIMEOUT);
        let mut session = S::new(Wire::new(MailStream::Plain(tcp), deadline));
        match session.greeting(&self.login).await {
            Ok(()) => {}
            // A web server, for example, answers a TLS hello in clear text but does not greet.
            Err(failure) if failure.code == FailureCode::ProtoGreetingTimeout => {
                return Failure::new(FailureCode::ProtoUnexpected, stage);
            }
            Err(failure) => return failure,
        }
        match session.hello(&self.login).await {
            Ok(()) if !session.offers_starttls() => self.mismatch("an unencrypted connection", stage),
            _ => self.mismatch("STARTTLS", stage),
        }
    }

    fn mismatch(&self, works: &str, stage: Stage) -> Failure {
        Failure::new(FailureCode::CfgPortTlsMismatch, stage).with("other_mode", works)
    }

    /// A second connection to the same server, up to where the TLS handshake begins.
    async fn second_handshake<S: MailSession>(&mut self) -> Option<TcpStream> {
        let session = self.greeted::<S>().await.ok()?;
        self.upgraded(session).await.ok()
    }

    async fn explain_certificate(&self, failure: Failure, tcp: Option<TcpStream>) -> Failure {
        let Some(tcp) = tcp else { return failure };
        let deadline = self.deadline.min(Instant::now() + EXPLANATION_TIMEOUT);
        match self.tls.certificate(self.endpoint.host(), tcp, deadline).await {
            Some(certificate) => certificate.explain(failure),
            None => failure,
        }
    }

    fn wire(&self, stream: MailStream) -> Wire {
        Wire::new(stream, self.deadline)
    }

    fn connect_deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + self.connect_timeout)
    }

    /// Connects, and pins the address that answered for all further connections of this login.
    async fn connect(&mut self) -> Result<TcpStream, Failure> {
        let tcp = self.dial().await?;
        if let Ok(peer) = tcp.peer_addr() {
            self.observed.ip = Some(peer.ip());
            self.addresses = vec![peer];
        }
        Ok(tcp)
    }

    async fn dial(&self) -> Result<TcpStream, Failure> {
        // Checked again here, so that no path to this line can skip the check.
        if !self.addresses.iter().all(|a| self.policy.permits(a.ip())) {
            return Err(Failure::new(FailureCode::NetTargetForbidden, Stage::Egress));
        }
        connect(&self.addresses, self.connect_deadline()).await.map_err(|error| {
            let code = match error {
                ConnectError::Refused => FailureCode::NetConnectRefused,
                ConnectError::Timeout => FailureCode::NetConnectTimeout,
                ConnectError::Unreachable => FailureCode::NetUnreachable,
                ConnectError::Reset => FailureCode::NetReset,
                ConnectError::Blocked => FailureCode::NetEgressBlocked,
            };
            Failure::new(code, Stage::Connect)
        })
    }
}

/// True if the remedy of this code quotes the certificate.
fn names_certificate(code: FailureCode) -> bool {
    matches!(code, FailureCode::TlsCertExpired | FailureCode::TlsCertSelfSigned | FailureCode::TlsCertNameMismatch)
}

/// True if only a server that speaks TLS can cause this failure of a handshake.
fn proves_tls(code: FailureCode) -> bool {
    !matches!(code, FailureCode::NetReset | FailureCode::TlsHandshakeTimeout | FailureCode::NetEgressBlocked)
}

//! From a vetted address to a signed-in session: which way to an encrypted connection is taken, and
//! what is tried to tell the user which way would have worked. Common to SMTP and IMAP.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::egress::EgressPolicy;
use shared_models::domain::core::TlsPlan;
use shared_models::domain::diagnosis::{Leg, Observed, Stage, TlsMode};
use shared_models::domain::{FailureCode, LoginSecret, ServerEndpoint};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::connection::connect::{ConnectError, connect};
use crate::connection::known_ports::KnownPorts;
use crate::connection::line_reader::Wire;
use crate::connection::stream::MailStream;
use crate::connection::tls::{HandshakeError, Tls};
use crate::failure::Failure;
use crate::reply::classify::Circumstances;
use crate::smtp::submit::Submission;

/// A server that has said nothing for so long may be waiting for a TLS hello.
const QUIET_PERIOD: Duration = Duration::from_millis(1500);
/// For finding out what to tell the user after the verdict is clear.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(3);

/// Who signs in, and how we introduce ourselves.
pub(crate) struct Login<'a> {
    pub(crate) given: Circumstances<'a>,
    pub(crate) secret: &'a LoginSecret,
    /// Name for EHLO; our address when absent.
    pub(crate) helo_name: Option<&'a str>,
    /// SMTP: what is handed over once we are signed in.
    pub(crate) message: Option<&'a Submission>,
}

/// The steps that differ between SMTP and IMAP. Each waits at most until the deadline of the wire.
pub(crate) trait MailSession: Sized + Send {
    /// Which login this is.
    const LEG: Leg;

    /// A session on a connection of which nothing has been read yet.
    fn new(wire: Wire) -> Self;

    /// Gives the connection back.
    fn into_wire(self) -> Wire;

    /// Reads what the server says first. Not after STARTTLS.
    fn greeting(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks what the server can do.
    fn hello(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the server can upgrade to TLS.
    fn offers_starttls(&self) -> bool;

    /// Asks for the upgrade; afterwards the TLS handshake has to come.
    fn starttls(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Signs in, hands over the message if there is one, and signs out. Returns what is worth telling about
    /// an accepted login. Called at most once in a leg.
    fn sign_in(&mut self, login: &Login<'_>) -> impl Future<Output = Result<Vec<Failure>, Failure>> + Send;
}

/// One leg on its way.
pub(crate) struct Attempt<'a> {
    pub(crate) tls: &'a Tls,
    pub(crate) policy: &'a EgressPolicy,
    pub(crate) known_ports: &'a KnownPorts,
    pub(crate) endpoint: &'a ServerEndpoint,
    pub(crate) login: Login<'a>,
    /// Where the host lives; after the first connection only the address that answered.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) allow_plaintext_login: bool,
    /// For the TCP connection, and again for the TLS handshake.
    pub(crate) connect_timeout: Duration,
    /// End of the leg.
    pub(crate) deadline: Instant,
    pub(crate) observed: Observed,
}

/// Why the way with TLS from the first byte ended.
enum ImplicitEnd {
    NotTls,
    Failed(Failure),
}

impl From<Failure> for ImplicitEnd {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Attempt<'_> {
    /// Does the whole leg. Returns the warnings of an accepted login.
    pub(crate) async fn run<S: MailSession>(&mut self) -> Result<Vec<Failure>, Failure> {
        match self.endpoint.tls_plan() {
            TlsPlan::StarttlsRequired => self.clear_text_first::<S>(true).await,
            TlsPlan::StarttlsIfOffered => self.clear_text_first::<S>(false).await,
            TlsPlan::Implicit => match self.implicit::<S>().await {
                Ok(warnings) => Ok(warnings),
                Err(ImplicitEnd::Failed(failure)) => Err(failure),
                Err(ImplicitEnd::NotTls) => Err(self.explain_clear_text::<S>().await),
            },
            TlsPlan::ImplicitThenStarttls => self.either::<S>().await,
        }
    }

    /// TLS first, STARTTLS when the port does not speak TLS; the other way round where an earlier
    /// login has found STARTTLS, which saves the useless first connection.
    async fn either<S: MailSession>(&mut self) -> Result<Vec<Failure>, Failure> {
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
            Ok(warnings) => Ok(warnings),
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

    async fn implicit<S: MailSession>(&mut self) -> Result<Vec<Failure>, ImplicitEnd> {
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
        Ok(session.sign_in(&self.login).await?)
    }

    /// Clear greeting, STARTTLS; without STARTTLS only where the operator allows it.
    async fn clear_text_first<S: MailSession>(&mut self, tls_required: bool) -> Result<Vec<Failure>, Failure> {
        let mut session = self.greeted::<S>().await?;
        if !session.offers_starttls() {
            if tls_required || !self.allow_plaintext_login {
                return Err(Failure::new(FailureCode::TlsNotOffered, Stage::Starttls));
            }
            self.observed.tls = Some(TlsMode::None);
            return session.sign_in(&self.login).await;
        }
        let tcp = self.upgraded(session).await?;
        let host = self.endpoint.host();
        let stream = match self.tls.handshake(host, tcp, self.connect_deadline()).await {
            Ok(stream) => stream,
            // Clear text after the server's consent: the same attack, or the same defect, as
            // clear text in the packet of the consent.
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
        session.sign_in(&self.login).await
    }

    /// A clear-text session up to and including the server's capabilities.
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

    /// Asks for STARTTLS and makes sure that nothing came in clear text behind the consent.
    async fn upgraded<S: MailSession>(&self, mut session: S) -> Result<TcpStream, Failure> {
        session.starttls(&self.login).await?;
        let wire = session.into_wire();
        let injected = || Failure::new(FailureCode::TlsPlaintextInjected, Stage::Starttls);
        if wire.has_unread() {
            return Err(injected());
        }
        wire.into_plain().ok_or_else(injected)
    }

    /// Ends only when the server is silent in clear text but answers a TLS hello. No credentials
    /// are sent over that second connection.
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

    /// What a port without TLS is instead. Nothing but greeting and capabilities is exchanged.
    async fn explain_clear_text<S: MailSession>(&mut self) -> Failure {
        let stage = Stage::Tls;
        let Ok(tcp) = self.connect().await else {
            return self.mismatch("STARTTLS", stage);
        };
        let deadline = self.deadline.min(Instant::now() + EXPLANATION_TIMEOUT);
        let mut session = S::new(Wire::new(MailStream::Plain(tcp), deadline));
        match session.greeting(&self.login).await {
            Ok(()) => {}
            // It answered a TLS hello in clear text and does not greet: a web server, for example.
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

    /// Another connection to the same server at the point where TLS begins.
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

    /// Connects, and pins the address that answered for all further connections of this leg.
    async fn connect(&mut self) -> Result<TcpStream, Failure> {
        let tcp = self.dial().await?;
        if let Ok(peer) = tcp.peer_addr() {
            self.observed.ip = Some(peer.ip());
            self.addresses = vec![peer];
        }
        Ok(tcp)
    }

    async fn dial(&self) -> Result<TcpStream, Failure> {
        // Judged again here, so that no way to this line can skip the judgement.
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

/// Failures whose remedy quotes the certificate.
fn names_certificate(code: FailureCode) -> bool {
    matches!(code, FailureCode::TlsCertExpired | FailureCode::TlsCertSelfSigned | FailureCode::TlsCertNameMismatch)
}

/// Failures that only a server speaking TLS can cause.
fn proves_tls(code: FailureCode) -> bool {
    !matches!(code, FailureCode::NetReset | FailureCode::TlsHandshakeTimeout | FailureCode::NetEgressBlocked)
}

//! The login probes: one call, one leg, one report. Everything that all probes of a process share
//! lives here: trusted roots, limits, and the rule which addresses may be dialled.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::egress::{EgressError, EgressGuard};
use shared_models::domain::diagnosis::fill;
use shared_models::domain::diagnosis::{Finding, Leg, LegReport, Observed, Stage};
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::{FailureCode, LoginSecret, Password, ServerEndpoint};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::known_ports::KnownPorts;
use crate::connection::tls::Tls;
use crate::failure::Failure;
use crate::imap::session::ImapSession;
use crate::outgoing::OutgoingMessage;
use crate::provider::{self, Operator, operator_of};
use crate::reply::classify::Circumstances;
use crate::reply::redact;
use crate::session::{Attempt, Login, MailSession};
use crate::slots::{Slots, Urgency};
use crate::smtp::session::SmtpSession;
use crate::smtp::submit::{self, Submission, without_promise};

/// A leg ends by its own deadlines; this much later it is ended.
const GRACE: Duration = Duration::from_millis(500);
/// A guessed host that does not answer is given up early, because the other guess is waiting.
const GUESS_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits of the probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// For the TCP connection, and again for the TLS handshake.
    pub connect_timeout: Duration,
    /// For one leg in all, waiting for a free slot not included.
    pub leg_timeout: Duration,
    /// Legs in flight in this process.
    pub concurrency: usize,
    /// Legs in flight towards one address and port.
    pub per_host_concurrency: usize,
    /// Whether a password may travel without TLS where the server offers none and the endpoint does
    /// not require it.
    pub allow_plaintext_login: bool,
    /// Name for EHLO; `None` = the address of the connection as a literal, as mail programs do.
    pub helo_name: Option<String>,
}

/// The probes could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// The further trusted roots are not PEM.
    #[error("cannot read the further trusted roots: {0}")]
    Roots(#[from] native_tls::Error),
    /// Nor do they hold any certificate.
    #[error("the further trusted roots hold no certificate")]
    NoRoots,
}

/// Checks logins. Make one per process and share it.
pub struct Prober {
    settings: ProbeSettings,
    egress: EgressGuard,
    tls: Tls,
    slots: Slots,
    known_ports: KnownPorts,
}

impl Prober {
    /// Sets up the probes. `extra_ca_pem` holds further trusted roots, one or more.
    ///
    /// # Errors
    /// See [`ProberError`].
    pub fn new(settings: ProbeSettings, egress: EgressGuard, extra_ca_pem: Option<&[u8]>) -> Result<Self, ProberError> {
        Ok(Self {
            tls: Tls::new(extra_ca_pem)?,
            slots: Slots::new(settings.concurrency, settings.per_host_concurrency),
            known_ports: KnownPorts::default(),
            settings,
            egress,
        })
    }

    /// Signs in to a submission server (RFC 6409), and out.
    pub async fn smtp(&self, endpoint: &ServerEndpoint, secret: &LoginSecret, urgency: Urgency) -> LegReport {
        let connect_timeout = self.settings.connect_timeout;
        self.leg::<SmtpSession>(endpoint, secret, connect_timeout, urgency).await
    }

    /// Signs in to an IMAP server (RFC 9051), looks at the inbox, and out.
    pub async fn imap(&self, endpoint: &ServerEndpoint, secret: &LoginSecret, urgency: Urgency) -> LegReport {
        let connect_timeout = self.settings.connect_timeout;
        self.leg::<ImapSession>(endpoint, secret, connect_timeout, urgency).await
    }

    /// As [`Self::imap`] for a host that was guessed from the SMTP host. When no password has been
    /// tried there and the host begins with `smtp.`, the same host with `imap.` is tried. A
    /// refused password is never tried again.
    pub async fn guessed_imap(&self, endpoint: &ServerEndpoint, secret: &LoginSecret) -> LegReport {
        let second =
            endpoint.host().strip_prefix("smtp.").and_then(|rest| endpoint.with_host(&format!("imap.{rest}")).ok());
        let Some(second) = second else {
            return self.imap(endpoint, secret, Urgency::Single).await;
        };
        let patience = GUESS_CONNECT_TIMEOUT.min(self.settings.connect_timeout);
        let first_report = self.leg::<ImapSession>(endpoint, secret, patience, Urgency::Single).await;
        match &first_report.failure {
            Some(failure) if is_before_sign_in(failure) => {}
            _ => return first_report,
        }
        let second_report = self.imap(&second, secret, Urgency::Single).await;
        match &second_report.failure {
            Some(failure) if failure.code == FailureCode::NetHostNotFound => first_report,
            _ => second_report,
        }
    }

    async fn leg<S: MailSession>(
        &self,
        endpoint: &ServerEndpoint,
        secret: &LoginSecret,
        connect_timeout: Duration,
        urgency: Urgency,
    ) -> LegReport {
        let facts = Facts { leg: S::LEG, endpoint, operator: operator_of(endpoint.host()), secret, connect_timeout };
        let end = self.run::<S>(&facts, urgency, None).await;
        facts.report(end)
    }

    /// Signs in to a submission server, hands over the message, and signs out. The message is handed over
    /// at most once, and a refused password is not tried again.
    pub async fn send(&self, endpoint: &ServerEndpoint, secret: &LoginSecret, message: &OutgoingMessage) -> Delivery {
        let (operator, connect_timeout) = (operator_of(endpoint.host()), self.settings.connect_timeout);
        let facts = Facts { leg: Leg::Smtp, endpoint, operator, secret, connect_timeout };
        let end = match message.to_submission() {
            Ok(message) => self.run::<SmtpSession>(&facts, Urgency::Single, Some(&message)).await,
            Err(failure) => End { outcome: Err(failure), observed: facts.observed(), took: Duration::ZERO },
        };
        let unknown = end.outcome.as_ref().is_err_and(|failure| failure.handed_over);
        let Some(finding) = facts.report(end).failure else { return Delivery::Sent };
        let finding = Box::new(Finding { remedy: without_promise(&finding.remedy), ..finding });
        if unknown { Delivery::Unknown(finding) } else { Delivery::NotSent(finding) }
    }

    async fn run<S: MailSession>(&self, facts: &Facts<'_>, urgency: Urgency, message: Option<&Submission>) -> End {
        let Facts { leg, endpoint, operator, secret, connect_timeout } = *facts;
        let started = Instant::now();
        let mut observed = facts.observed();
        let addresses = match self.addresses(leg, endpoint).await {
            Ok(addresses) => addresses,
            Err(failure) => return End { outcome: Err(failure), observed, took: started.elapsed() },
        };
        let preparation = started.elapsed();
        let Some(&first) = addresses.first() else {
            let failure = Failure::new(FailureCode::NetNoAddress, Stage::Resolve);
            return End { outcome: Err(failure), observed, took: preparation };
        };
        observed.ip = Some(first.ip());
        let slot = self.slots.acquire(first, urgency);
        let _slot = match message {
            None => slot.await,
            // Somebody waits for the result, who will not do so for long.
            Some(_) => match timeout(self.settings.leg_timeout, slot).await {
                Ok(slot) => slot,
                Err(_) => return End { outcome: Err(submit::no_slot()), observed, took: preparation },
            },
        };
        let begun = Instant::now();
        let deadline = begun + self.settings.leg_timeout.saturating_sub(preparation);
        let compact = compact_secret(operator, secret);
        let mut attempt = Attempt {
            tls: &self.tls,
            policy: self.egress.policy(),
            known_ports: &self.known_ports,
            endpoint,
            login: Login {
                given: Circumstances { leg, operator, username: &secret.username },
                secret: compact.as_ref().unwrap_or(secret),
                helo_name: self.settings.helo_name.as_deref(),
                message,
            },
            addresses,
            allow_plaintext_login: self.settings.allow_plaintext_login,
            connect_timeout,
            deadline,
            observed,
        };
        let outcome = timeout_at(deadline + GRACE, attempt.run::<S>()).await.unwrap_or_else(|_| {
            let failure = Failure::new(FailureCode::SysDeadline, Stage::System);
            // No telling how far it came.
            Err(if message.is_some() { submit::unknown(failure) } else { failure })
        });
        End { outcome, observed: attempt.observed, took: preparation + begun.elapsed() }
    }

    /// The addresses to dial, after what can be said without dialling.
    async fn addresses(&self, leg: Leg, endpoint: &ServerEndpoint) -> Result<Vec<SocketAddr>, Failure> {
        let (host, port) = (endpoint.host(), endpoint.port());
        if leg == Leg::Smtp && [110, 995].contains(&port) {
            return Err(Failure::new(FailureCode::CfgPortNotSubmission, Stage::Config));
        }
        if let Some((provider, preset)) = provider::exchanger(host, leg) {
            return Err(Failure::new(FailureCode::CfgMxHostUsed, Stage::Config)
                .with("provider", provider)
                .with("preset", preset));
        }
        match self.egress.vetted_addresses(host).await {
            Ok(found) => Ok(found.into_iter().map(|ip| (ip, port).into()).collect()),
            Err(error) => Err(unresolved(host, error)),
        }
    }
}

fn unresolved(host: &str, error: EgressError) -> Failure {
    match error {
        EgressError::Forbidden => Failure::new(FailureCode::NetTargetForbidden, Stage::Egress),
        EgressError::NoAddress => Failure::new(FailureCode::NetNoAddress, Stage::Resolve),
        EgressError::Temporary => Failure::new(FailureCode::NetDnsTemporary, Stage::Resolve),
        EgressError::HostNotFound => {
            let failure = Failure::new(FailureCode::NetHostNotFound, Stage::Resolve);
            match provider::suggestion(host) {
                Some(meant) => failure
                    .says("There is no server named {host}. Did you mean {suggestion}?")
                    .with("suggestion", meant),
                None => failure,
            }
        }
    }
}

fn compact_secret(operator: Operator, secret: &LoginSecret) -> Option<LoginSecret> {
    let password = provider::without_app_password_spaces(operator.provider, secret.password.expose())?;
    Some(LoginSecret { username: secret.username.clone(), password: Password::new(password) })
}

/// True when the server has not been given a password to judge.
fn is_before_sign_in(finding: &Finding) -> bool {
    !matches!(finding.stage, Stage::Auth | Stage::PostAuth | Stage::Envelope | Stage::System)
}

/// How a leg ended.
struct End {
    outcome: Result<Vec<Failure>, Failure>,
    observed: Observed,
    took: Duration,
}

/// What completes a failure into a finding.
struct Facts<'a> {
    leg: Leg,
    endpoint: &'a ServerEndpoint,
    operator: Operator,
    secret: &'a LoginSecret,
    connect_timeout: Duration,
}

impl Facts<'_> {
    /// Before anything has been dialled.
    fn observed(&self) -> Observed {
        Observed { host: self.endpoint.host().to_owned(), port: self.endpoint.port(), ip: None, tls: None }
    }

    fn report(&self, End { outcome, observed, took }: End) -> LegReport {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (failure, warnings) = match outcome {
            Ok(warnings) => (None, warnings),
            Err(failure) => (Some(self.port_25(failure)), Vec::new()),
        };
        match &failure {
            Some(failure) => log::debug!(
                "login check: leg={} stage={:?} code={} ms={millis}",
                self.leg.as_str(),
                failure.stage,
                failure.code
            ),
            None => log::debug!("login check: leg={} passed ms={millis}", self.leg.as_str()),
        }
        let finding = |failure| self.finding(failure, &observed);
        LegReport {
            failure: failure.map(finding),
            warnings: warnings.into_iter().map(finding).collect(),
            observed: observed.clone(),
            millis,
        }
    }

    /// Some servers take submissions on port 25, so it is not refused up front; but where nothing
    /// works there, the port is the likely reason.
    fn port_25(&self, failure: Failure) -> Failure {
        let explained = matches!(
            failure.code,
            FailureCode::NetConnectRefused
                | FailureCode::NetConnectTimeout
                | FailureCode::NetWeAreBlocked
                | FailureCode::TlsNotOffered
                | FailureCode::AuthMechUnavailable
        );
        if self.leg == Leg::Smtp && self.endpoint.port() == 25 && explained {
            return Failure::new(FailureCode::CfgPortNotSubmission, failure.stage);
        }
        failure
    }

    fn finding(&self, failure: Failure, observed: &Observed) -> Finding {
        let port = self.endpoint.port().to_string();
        let seconds = self.connect_timeout.as_secs().max(1).to_string();
        let mut values: Vec<(&str, &str)> =
            failure.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        values.extend([
            ("host", self.endpoint.host()),
            ("port", &*port),
            ("login", &*self.secret.username),
            ("seconds", &*seconds),
            (
                "ports",
                match self.leg {
                    Leg::Smtp => "465 and 587",
                    Leg::Imap => "993 and 143",
                },
            ),
        ]);
        values.extend(self.operator.name.map(|name| ("provider", name)));
        // Words of a server that may not be one for mail are not passed on.
        let quotable = !failure.code.as_str().starts_with("NET_");
        Finding {
            code: failure.code,
            cause: None,
            leg: self.leg,
            stage: failure.stage,
            class: failure.class,
            fault: failure.fault,
            retry_after: failure.retry_after,
            remedy: fill(failure.remedy, &values),
            server_reply: failure.reply.filter(|_| quotable).map(|reply| redact::server_reply(&reply, self.secret)),
            observed: observed.clone(),
        }
    }
}

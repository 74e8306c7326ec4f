//! The prober: one call is one leg, which ends in one report. It holds what all legs of a process share: trusted roots,
//! limits, and the rule which addresses may be dialled.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::egress::{EgressError, EgressGuard};
use shared_models::domain::diagnosis::known_providers::suggested_host;
use shared_models::domain::diagnosis::{Finding, KnownProvider, Leg, LegReport, Stage};
use shared_models::domain::mailboxes::Delivery;
use shared_models::domain::{FailureCode, LoginSecret, ServerEndpoint};
use tokio::time::{Instant, timeout, timeout_at};

use crate::attempt::{LoginAttempt, SignedIn};
use crate::connection::known_ports::KnownPorts;
use crate::connection::tls::Tls;
use crate::error::ProberError;
use crate::failure::Failure;
use crate::imap::session::ImapSession;
use crate::outgoing::OutgoingMessage;
use crate::reply::classify::ReplyContext;
use crate::report::{End, Facts, without_promise};
use crate::session::{Login, MailSession};
use crate::slots::{Slot, Slots, Urgency};
use crate::smtp::session::SmtpSession;
use crate::smtp::submit::{self, Submission};

/// A leg ends by its own deadline; this much later it is cut off.
const GRACE: Duration = Duration::from_millis(500);
/// A guessed host that does not answer is given up early, because there is a second guess.
const GUESS_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Limits of a [`Prober`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Bound of the TCP connection, and again of the TLS handshake.
    pub connect_timeout: Duration,
    /// Bound of one leg, without the wait for a free slot.
    pub leg_timeout: Duration,
    /// Legs in flight in this process; 0 counts as 1.
    pub concurrency: usize,
    /// Legs in flight towards one address and port; 0 counts as 1.
    pub per_host_concurrency: usize,
    /// True if a password may be sent without TLS where the server offers none and the endpoint does not require it.
    pub allow_plaintext_login: bool,
    /// Name for EHLO; `None` = the address of the connection as a literal, as mail programs do.
    pub helo_name: Option<String>,
}

/// Signs in to mail servers and reports how that went. Made once per process and shared, since its limits count the
/// legs that it runs.
///
/// A leg never fails with an error: a fault of the server, the network or ourselves is a [`Finding`] in its report. A
/// password that was refused is not sent again, neither in the same leg nor in another one of the same call.
pub struct Prober {
    settings: ProbeSettings,
    egress: EgressGuard,
    tls: Tls,
    slots: Slots,
    known_ports: KnownPorts,
}

impl Prober {
    /// A prober that dials only what `egress` permits. It trusts the system's roots and those in `extra_ca_pem`.
    ///
    /// # Errors
    /// If `extra_ca_pem` is given and is not PEM or holds no certificate.
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
        self.check::<SmtpSession>(endpoint, secret, self.settings.connect_timeout, urgency).await
    }

    /// Signs in to an IMAP server (RFC 9051), opens the inbox for reading, and signs out.
    pub async fn imap(&self, endpoint: &ServerEndpoint, secret: &LoginSecret, urgency: Urgency) -> LegReport {
        self.check::<ImapSession>(endpoint, secret, self.settings.connect_timeout, urgency).await
    }

    /// Like [`imap`](Self::imap), for a host that was guessed from the SMTP host. If the login fails before a password
    /// was sent and the host begins with `smtp.`, the same host with `imap.` is tried.
    pub async fn guessed_imap(&self, endpoint: &ServerEndpoint, secret: &LoginSecret) -> LegReport {
        let second =
            endpoint.host().strip_prefix("smtp.").and_then(|rest| endpoint.with_host(&format!("imap.{rest}")).ok());
        let Some(second) = second else {
            return self.imap(endpoint, secret, Urgency::Single).await;
        };
        let patience = GUESS_CONNECT_TIMEOUT.min(self.settings.connect_timeout);
        let first_report = self.check::<ImapSession>(endpoint, secret, patience, Urgency::Single).await;
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

    /// Signs in to a submission server, hands over the message, and signs out. The message is handed over at most once.
    ///
    /// Since a person waits for the result, the message is not sent if no slot becomes free within
    /// [`leg_timeout`](ProbeSettings::leg_timeout).
    pub async fn send(&self, endpoint: &ServerEndpoint, secret: &LoginSecret, message: &OutgoingMessage) -> Delivery {
        let facts = Facts::new(Leg::Smtp, endpoint, secret, self.settings.connect_timeout);
        let end = match message.to_submission() {
            Ok(message) => self.submit(&facts, &message).await,
            Err(failure) => End { outcome: Err(failure), observed: facts.observed(), took: Duration::ZERO },
        };
        let unknown = end.outcome.as_ref().is_err_and(|failure| failure.handed_over);
        let Some(finding) = facts.report(end).failure else { return Delivery::Sent };
        let finding = Box::new(Finding { remedy: without_promise(&finding.remedy), ..finding });
        if unknown { Delivery::Unknown(finding) } else { Delivery::NotSent(finding) }
    }

    async fn check<S: MailSession>(
        &self,
        endpoint: &ServerEndpoint,
        secret: &LoginSecret,
        connect_timeout: Duration,
        urgency: Urgency,
    ) -> LegReport {
        let facts = Facts::new(S::LEG, endpoint, secret, connect_timeout);
        let end = match self.start(&facts, urgency, None).await {
            Ok(mut leg) => {
                let outcome = timeout_at(leg.cut_off(), sign_in_and_out::<S>(&mut leg.attempt)).await;
                leg.end(outcome.unwrap_or_else(|_| Err(overdue())))
            }
            Err(end) => *end,
        };
        facts.report(end)
    }

    async fn submit(&self, facts: &Facts<'_>, message: &Submission) -> End {
        match self.start(facts, Urgency::Single, Some(self.settings.leg_timeout)).await {
            Ok(mut leg) => {
                let outcome = timeout_at(leg.cut_off(), sign_in_and_submit(&mut leg.attempt, message)).await;
                // The leg was cut off at an unknown point, perhaps after the server accepted the message.
                leg.end(outcome.unwrap_or_else(|_| Err(submit::unknown(overdue()))))
            }
            Err(end) => *end,
        }
    }

    /// Resolves the host, waits for a slot, at most `slot_timeout`, and starts the clock of the leg.
    async fn start<'a>(
        &'a self,
        facts: &'a Facts<'_>,
        urgency: Urgency,
        slot_timeout: Option<Duration>,
    ) -> Result<StartedLeg<'a>, Box<End>> {
        let Facts { leg, endpoint, provider, connect_timeout, .. } = *facts;
        let started = Instant::now();
        let mut observed = facts.observed();
        let addresses = self.addresses(leg, endpoint).await;
        let preparation = started.elapsed();
        let failed = |failure, observed| Box::new(End { outcome: Err(failure), observed, took: preparation });
        let addresses = match addresses {
            Ok(addresses) => addresses,
            Err(failure) => return Err(failed(failure, observed)),
        };
        let Some(&first) = addresses.first() else {
            return Err(failed(Failure::new(FailureCode::NetNoAddress, Stage::Resolve), observed));
        };
        observed.ip = Some(first.ip());
        let slot = self.slots.acquire(first, urgency);
        let slot = match slot_timeout {
            None => slot.await,
            Some(patience) => match timeout(patience, slot).await {
                Ok(slot) => slot,
                Err(_) => return Err(failed(submit::no_slot(), observed)),
            },
        };
        let begun = Instant::now();
        let secret = facts.secret();
        let attempt = LoginAttempt {
            tls: &self.tls,
            policy: self.egress.policy(),
            known_ports: &self.known_ports,
            endpoint,
            login: Login {
                context: ReplyContext { leg, provider, username: &secret.username },
                secret,
                helo_name: self.settings.helo_name.as_deref(),
            },
            addresses,
            allow_plaintext_login: self.settings.allow_plaintext_login,
            connect_timeout,
            deadline: begun + self.settings.leg_timeout.saturating_sub(preparation),
            observed,
        };
        Ok(StartedLeg { attempt, preparation, begun, _slot: slot })
    }

    /// The addresses to dial, unless the settings cannot work whatever the server answers.
    async fn addresses(&self, leg: Leg, endpoint: &ServerEndpoint) -> Result<Vec<SocketAddr>, Failure> {
        let (host, port) = (endpoint.host(), endpoint.port());
        if leg == Leg::Smtp && [110, 995].contains(&port) {
            return Err(Failure::new(FailureCode::CfgPortNotSubmission, Stage::Config));
        }
        if let Some(provider) = KnownProvider::of_exchanger(host)
            && let Some(preset) = provider.preset(leg)
        {
            return Err(Failure::new(FailureCode::CfgMxHostUsed, Stage::Config)
                .with("provider", provider.name)
                .with("preset", preset.as_str()));
        }
        match self.egress.vetted_addresses(host).await {
            Ok(found) => Ok(found.into_iter().map(|ip| (ip, port).into()).collect()),
            Err(error) => Err(unresolved(host, error)),
        }
    }
}

/// A leg that has its slot and whose clock runs.
struct StartedLeg<'a> {
    attempt: LoginAttempt<'a>,
    /// Time spent on resolving the host.
    preparation: Duration,
    begun: Instant,
    _slot: Slot<'a>,
}

impl StartedLeg<'_> {
    fn cut_off(&self) -> Instant {
        self.attempt.deadline + GRACE
    }

    fn end(self, outcome: Result<Vec<Failure>, Failure>) -> End {
        End { outcome, observed: self.attempt.observed, took: self.preparation + self.begun.elapsed() }
    }
}

async fn sign_in_and_out<S: MailSession>(attempt: &mut LoginAttempt<'_>) -> Result<Vec<Failure>, Failure> {
    let SignedIn { mut session, warnings } = attempt.run::<S>().await?;
    session.sign_out().await;
    Ok(warnings)
}

async fn sign_in_and_submit(attempt: &mut LoginAttempt<'_>, message: &Submission) -> Result<Vec<Failure>, Failure> {
    let SignedIn { mut session, warnings } = attempt.run::<SmtpSession>().await?;
    let submitted = session.submit(message, &attempt.login).await;
    session.sign_out().await;
    submitted.map(|()| warnings)
}

/// The failure of a leg that went on beyond its deadline.
fn overdue() -> Failure {
    Failure::new(FailureCode::SysDeadline, Stage::System)
}

fn unresolved(host: &str, error: EgressError) -> Failure {
    match error {
        EgressError::Forbidden => Failure::new(FailureCode::NetTargetForbidden, Stage::Egress),
        EgressError::NoAddress => Failure::new(FailureCode::NetNoAddress, Stage::Resolve),
        EgressError::Temporary => Failure::new(FailureCode::NetDnsTemporary, Stage::Resolve),
        EgressError::HostNotFound => {
            let failure = Failure::new(FailureCode::NetHostNotFound, Stage::Resolve);
            match suggested_host(host) {
                Some(meant) => failure
                    .says("There is no server named {host}. Did you mean {suggestion}?")
                    .with("suggestion", meant),
                None => failure,
            }
        }
    }
}

/// True if the server has certainly not been given a password to check.
fn is_before_sign_in(finding: &Finding) -> bool {
    !matches!(finding.stage, Stage::Auth | Stage::PostAuth | Stage::Envelope | Stage::System)
}

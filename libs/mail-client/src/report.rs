//! From the end of a leg to its report: each failure is completed with the facts of the leg, its remedy filled in and
//! the server's reply cleaned.

use std::time::Duration;

use shared_models::domain::diagnosis::fill;
use shared_models::domain::diagnosis::{Finding, KnownProvider, Leg, LegReport, Observed};
use shared_models::domain::{FailureCode, LoginSecret, Password, ServerEndpoint};

use crate::failure::Failure;
use crate::reply::redact;

/// The facts of a leg that are known before anything is dialled.
pub(crate) struct Facts<'a> {
    pub(crate) leg: Leg,
    pub(crate) endpoint: &'a ServerEndpoint,
    /// The provider that the host belongs to.
    pub(crate) provider: Option<&'static KnownProvider>,
    pub(crate) connect_timeout: Duration,
    given: &'a LoginSecret,
    /// The same without the spaces of an app password, if it has any.
    compact: Option<LoginSecret>,
}

/// The end of a leg.
pub(crate) struct End {
    /// The warnings of a leg that passed, or what it failed for.
    pub(crate) outcome: Result<Vec<Failure>, Failure>,
    pub(crate) observed: Observed,
    /// Without the wait for a slot.
    pub(crate) took: Duration,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        leg: Leg,
        endpoint: &'a ServerEndpoint,
        given: &'a LoginSecret,
        connect_timeout: Duration,
    ) -> Self {
        let provider = KnownProvider::of_login_host(endpoint.host());
        let compact = provider
            .and_then(|provider| provider.without_app_password_spaces(given.password.expose()))
            .map(|password| LoginSecret { username: given.username.clone(), password: Password::new(password) });
        Self { leg, endpoint, provider, connect_timeout, given, compact }
    }

    /// User name and password as they are sent.
    pub(crate) fn secret(&self) -> &LoginSecret {
        self.compact.as_ref().unwrap_or(self.given)
    }

    /// Before anything is dialled.
    pub(crate) fn observed(&self) -> Observed {
        Observed { host: self.endpoint.host().to_owned(), port: self.endpoint.port(), ip: None, tls: None }
    }

    pub(crate) fn report(&self, End { outcome, observed, took }: End) -> LegReport {
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

    /// Some servers accept submissions on port 25, so it is not refused before dialling. Where no login is possible
    /// there, the port is the likely reason.
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
        let usual_ports = match self.leg {
            Leg::Smtp => "465 and 587",
            Leg::Imap => "993 and 143",
        };
        let mut values: Vec<(&str, &str)> =
            failure.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        values.extend([
            ("host", self.endpoint.host()),
            ("port", &*port),
            ("login", &*self.given.username),
            ("seconds", &*seconds),
            ("ports", usual_ports),
        ]);
        values.extend(self.provider.map(|provider| ("provider", provider.name)));
        // With a network failure the other side may not be a mail server, whose words must not be passed on.
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
            server_reply: failure.reply.filter(|_| quotable).map(|reply| redact::server_reply(&reply, self.given)),
            observed: observed.clone(),
        }
    }
}

/// A remedy without the promise to try again, for attempts that are made only once: sending a test message, testing a
/// sending account.
pub fn without_promise(remedy: &str) -> String {
    remedy.replace("we will try again", "try again later").replace("we try again in", "try again in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised() {
        for code in FailureCode::ALL {
            let words = without_promise(code.remedy_template());
            assert!(!words.contains("we will") && !words.contains("we try"), "{words}");
        }
        assert_eq!(without_promise("Busy; we will try again."), "Busy; try again later.");
    }
}

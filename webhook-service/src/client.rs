//! The HTTP client of deliveries. A tenant names the receiver, so its host goes through the egress rule, and the
//! vetted addresses are the ones that are dialled. Redirects are not followed and no proxy is used, as both would
//! evade that rule. No connection outlives its post: a pooled one would outlive a change of the receiver's DNS.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, Url, redirect, tls};
use service_runtime::egress::{EgressError, EgressGuard};
use service_runtime::network::Network;
use service_runtime::service::StartError;
use shared_models::domain::Timestamp;
use shared_models::domain::webhooks::{WebhookJob, WebhookReply};

use crate::announce::Words;

const USER_AGENT: &str = concat!("Mailmoor/", env!("CARGO_PKG_VERSION"));
/// Bytes of a response body that are read and kept in the log of deliveries.
const MAX_RESPONSE: usize = 4096;
/// Characters of an error text that are kept in the log of deliveries.
const MAX_ERROR: usize = 300;

/// One for all deliveries of a process.
pub(super) struct WebhookClient {
    http: Client,
    egress: EgressGuard,
    timeout: Duration,
    words: Words,
}

/// There is no response. The texts are shown to the tenant.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("the address is not a URL that can be posted to")]
    InvalidUrl,
    #[error("{0}")]
    Egress(EgressError),
    #[error(transparent)]
    Http(reqwest::Error),
}

impl WebhookClient {
    /// `timeout` is that of webhooks which set none of their own.
    ///
    /// # Errors
    /// When the trusted roots are not PEM.
    pub(super) fn new(network: Network, timeout: Duration, words: Words) -> Result<Self, StartError> {
        let Network { egress, extra_roots } = network;
        let roots = extra_roots.as_deref().map(Certificate::from_pem_bundle).transpose().map_err(StartError::new)?;
        let http = Client::builder()
            .dns_resolver(Vetted(egress.clone()))
            .https_only(true)
            .tls_version_min(tls::Version::TLS_1_2)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(USER_AGENT);
        let http = roots.into_iter().flatten().fold(http, |http, root| http.add_root_certificate(root));
        Ok(Self { http: http.build().map_err(StartError::new)?, egress, timeout, words })
    }

    /// Makes one attempt.
    pub(super) async fn post(&self, job: &WebhookJob) -> WebhookReply {
        let started = Instant::now();
        let timeout = job.timeout.unwrap_or(self.timeout);
        let (status, body, error) = match self.send(job, timeout).await {
            Ok(response) => (Some(response.status().as_u16()), Some(excerpt(response).await), None),
            Err(error) => (None, None, Some(error_text(&error, timeout))),
        };
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        WebhookReply { status, body, millis, error }
    }

    async fn send(&self, job: &WebhookJob, timeout: Duration) -> Result<Response, PostError> {
        let url = Url::parse(&job.url).map_err(|_| PostError::InvalidUrl)?;
        // The HTTP client dials an IP literal without asking its resolver, so the rule is applied here.
        let literal = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        if let Some(literal) = literal.filter(|host| host.parse::<IpAddr>().is_ok()) {
            self.egress.vetted_addresses(literal).await.map_err(PostError::Egress)?;
        }
        let headers = self.headers(job).ok_or(PostError::InvalidUrl)?;
        let post = self.http.post(url).timeout(timeout).headers(headers).body(job.body.clone());
        // A tenant may have put a secret into the URL.
        post.send().await.map_err(|error| PostError::Http(error.without_url()))
    }

    fn headers(&self, job: &WebhookJob) -> Option<HeaderMap> {
        let words = self.words.iter().find(|words| words.dialect().name == job.dialect)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in words.headers(job, Timestamp::now()) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?);
        }
        Some(headers)
    }
}

fn error_text(error: &PostError, timeout: Duration) -> String {
    let text = match error {
        PostError::Http(http) if http.is_timeout() => format!("no answer within {} seconds", timeout.as_secs_f32()),
        _ => root_cause(error),
    };
    text.chars().take(MAX_ERROR).collect()
}

/// The innermost error of a chain: the outer ones only say that a request failed.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(why) = certificate_fault(&cause.to_string()) {
            return why;
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    let text = cause.to_string();
    // The suffix of "Connection refused (os error 111)" means nothing to a tenant.
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// The reason in brackets at the end of OpenSSL's text about a certificate.
fn certificate_fault(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("certificate verify failed")?;
    let reason = rest.rsplit_once('(').and_then(|(_, reason)| reason.split_once(')')).map(|(reason, _)| reason);
    Some(format!("the receiver's certificate is not valid: {}", reason.unwrap_or("it cannot be verified")))
}

/// The first [`MAX_RESPONSE`] bytes of a body, fewer if reading fails: the status alone decides the outcome.
async fn excerpt(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_RESPONSE
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_RESPONSE);
    // PostgreSQL stores no NUL in a text.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

/// Names are looked up, and the addresses judged, at the moment of dialling.
struct Vetted(EgressGuard);

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0.clone();
        Box::pin(async move {
            let addresses = egress.vetted_addresses(name.as_str()).await?;
            // Port 0 stands for that of the URL.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_short_and_plain() {
        let refused = std::io::Error::from_raw_os_error(111);
        assert_eq!(root_cause(&refused), "Connection refused");
        let tls = "error:0A000086:SSL routines:x:certificate verify failed:../ssl/x.c:1889: (hostname mismatch)";
        assert_eq!(
            certificate_fault(tls).as_deref(),
            Some("the receiver's certificate is not valid: hostname mismatch")
        );
        assert_eq!(root_cause(&EgressError::Forbidden), "address not allowed");
    }
}

//! Posts one event. The receiver is named by a tenant, so its host goes through the egress rule, and what
//! was vetted is what is dialled. No redirect is followed, no proxy asked, nothing kept between two posts.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, Url, redirect, tls};
use service_runtime::egress::{EgressError, EgressGuard};
use service_runtime::service::StartError;
use shared_models::domain::Timestamp;
use shared_models::domain::webhooks::{WebhookJob, WebhookReply};

use crate::announce::Words;

const USER_AGENT: &str = concat!("Mailmoor/", env!("CARGO_PKG_VERSION"));
/// How much of an answer is read, and kept, in bytes.
const MAX_ANSWER: usize = 4096;
/// Longest text about a failure that is kept, in characters.
const MAX_ERROR: usize = 300;

/// The client of all deliveries of a process.
pub(super) struct HookClient {
    http: Client,
    egress: EgressGuard,
    timeout: Duration,
    words: Words,
}

/// Why nothing was posted.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("the address is not a URL that can be posted to")]
    Unusable,
    #[error("{0}")]
    Egress(EgressError),
    #[error(transparent)]
    Http(reqwest::Error),
}

impl HookClient {
    pub(super) fn new(
        egress: EgressGuard,
        roots: Option<&[u8]>,
        timeout: Duration,
        words: Words,
    ) -> Result<Self, StartError> {
        let roots = roots.map(Certificate::from_pem_bundle).transpose().map_err(StartError::new)?;
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

    /// Posts an event once.
    pub(super) async fn post(&self, job: &WebhookJob) -> WebhookReply {
        let started = Instant::now();
        let timeout = job.timeout.unwrap_or(self.timeout);
        let answer = self.answer(job, timeout).await;
        let (status, body, error) = match answer {
            Ok(response) => {
                let status = response.status().as_u16();
                (Some(status), Some(beginning(response).await), None)
            }
            Err(unsent) => (None, None, Some(words(&unsent, timeout))),
        };
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        WebhookReply { status, body, millis, error }
    }

    async fn answer(&self, job: &WebhookJob, timeout: Duration) -> Result<Response, Unsent> {
        let url = Url::parse(&job.url).map_err(|_| Unsent::Unusable)?;
        // The resolver is not asked about these.
        let literal = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        if let Some(literal) = literal.filter(|host| host.parse::<IpAddr>().is_ok()) {
            self.egress.vetted_addresses(literal).await.map_err(Unsent::Egress)?;
        }
        let headers = self.headers(job).ok_or(Unsent::Unusable)?;
        let post = self.http.post(url).timeout(timeout).headers(headers).body(job.body.clone());
        // The URL may have a secret in it.
        post.send().await.map_err(|error| Unsent::Http(error.without_url()))
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

fn words(unsent: &Unsent, timeout: Duration) -> String {
    let text = match unsent {
        Unsent::Http(error) if error.is_timeout() => format!("no answer within {} seconds", timeout.as_secs_f32()),
        _ => root_cause(unsent),
    };
    text.chars().take(MAX_ERROR).collect()
}

/// What is at the bottom of an error says what happened, in the words of a library.
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
    // "Connection refused (os error 111)".
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// OpenSSL's words end with the reason in brackets.
fn certificate_fault(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("certificate verify failed")?;
    let reason = rest.rsplit_once('(').and_then(|(_, reason)| reason.split_once(')')).map(|(reason, _)| reason);
    Some(format!("the receiver's certificate is not valid: {}", reason.unwrap_or("it cannot be verified")))
}

/// As much of an answer as is kept. One that ends badly has said enough by its status.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MAX_ANSWER);
    // PostgreSQL keeps no zero characters.
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
    fn libraries_are_told_in_plain_words() {
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

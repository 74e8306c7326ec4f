//! Questions to real DNS servers, over UDP, and over TCP where an answer was truncated.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use service_runtime::resolver::{DnsResolverSettings, ResolverError, build_resolver};
use shared_models::domain::diagnosis::MxRecord;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Answer, Lookup, LookupError, RecordData, RecordKind, Resolver};

/// Questions that may have been sent within one [`BURST`]. A check asks about thirty at once, and a few hundred packets
/// together overflow the receive buffer of a server; what is lost there costs a whole timeout.
const MAX_PER_BURST: usize = 200;

/// How long an unanswered question keeps its place among those; after that its packet is no longer in any buffer, and
/// silent servers must not hold up the rest.
const BURST: Duration = Duration::from_millis(150);

/// How long one packet is waited for before the question is asked again beside it.
const PATIENCE: Duration = Duration::from_millis(500);

/// [`Resolver`] over the network. Cheap to clone; clones share cache and servers.
#[derive(Clone)]
pub struct LiveResolver {
    resolver: TokioResolver,
    /// Asks again what `resolver` is still waiting for: one client merges equal questions, and
    /// hickory-resolver 0.26 waits ever longer the more names do not exist (each NXDOMAIN counts as
    /// a failure of the server), which for guessed selectors means: until the timeout.
    repeater: TokioResolver,
    burst: Arc<Semaphore>,
}

impl LiveResolver {
    /// Asks the servers of `settings`.
    ///
    /// # Errors
    /// When the resolver cannot be set up, see [`build_resolver`].
    pub fn new(settings: &DnsResolverSettings) -> Result<Self, ResolverError> {
        Ok(Self {
            resolver: without_hosts_file(build_resolver(settings)?),
            repeater: without_hosts_file(build_resolver(settings)?),
            burst: Arc::new(Semaphore::new(MAX_PER_BURST)),
        })
    }
}

/// What this machine's hosts file says is not what the customer's correspondents see.
fn without_hosts_file(mut resolver: TokioResolver) -> TokioResolver {
    resolver.set_hosts(Arc::new(Hosts::default()));
    resolver
}

#[async_trait]
impl Resolver for LiveResolver {
    fn forget(&self) {
        self.resolver.clear_cache();
        self.repeater.clear_cache();
    }

    async fn query(&self, name: &str, kind: RecordKind) -> Lookup {
        // Labels are taken as they are: names from SPF macros may hold any octet.
        let labels = name.split('.').filter(|_| !name.is_empty());
        let Ok(owner) = Name::from_labels(labels.map(str::as_bytes)) else {
            return Err(LookupError::NoSuchName);
        };
        let mut first = pin!(ask(&self.resolver, owner.clone(), kind));
        {
            // Never closed; an error would only mean no limit.
            let _permit = self.burst.acquire().await;
            if let Ok(lookup) = timeout(BURST, &mut first).await {
                return lookup;
            }
        }
        if let Ok(lookup) = timeout(PATIENCE - BURST, &mut first).await {
            return lookup;
        }
        tokio::select! {
            lookup = &mut first => lookup,
            lookup @ (Ok(_) | Err(LookupError::NoSuchName | LookupError::NoRecords)) =
                ask(&self.repeater, owner, kind) => lookup,
        }
    }
}

async fn ask(resolver: &TokioResolver, owner: Name, kind: RecordKind) -> Lookup {
    let wanted = record_type(kind);
    let lookup = resolver.lookup(owner.clone(), wanted).await.map_err(|error| classify(&error))?;
    let answers = lookup.answers();
    let records: Vec<RecordData> = answers
        .iter()
        .filter(|record| record.record_type() == wanted)
        .filter_map(|record| record_data(&record.data))
        .collect();
    if records.is_empty() {
        return Err(LookupError::NoRecords);
    }
    let alias = answers.iter().any(|record| record.record_type() == RecordType::CNAME && record.name == owner);
    Ok(Answer { records, alias })
}

fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Mx => RecordType::MX,
        RecordKind::Txt => RecordType::TXT,
        RecordKind::SpfType => RecordType::Unknown(99),
        RecordKind::Ptr => RecordType::PTR,
    }
}

/// Only NOERROR and NXDOMAIN are answers; every other RCODE says nothing about the domain.
fn classify(error: &NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match *response_code {
            ResponseCode::NXDomain => LookupError::NoSuchName,
            ResponseCode::NoError => LookupError::NoRecords,
            other => LookupError::Temporary(other.to_string()),
        },
        other => LookupError::Temporary(other.to_string()),
    }
}

fn record_data(data: &RData) -> Option<RecordData> {
    match data {
        RData::A(a) => Some(RecordData::Address(a.0.into())),
        RData::AAAA(aaaa) => Some(RecordData::Address(aaaa.0.into())),
        RData::MX(mx) => Some(RecordData::Mx(MxRecord {
            exchange: match text_name(&mx.exchange) {
                root if root.is_empty() => ".".to_owned(),
                exchange => exchange,
            },
            priority: mx.preference,
        })),
        RData::TXT(txt) => Some(RecordData::Text(txt.txt_data.concat())),
        RData::Unknown { rdata, .. } => character_strings(&rdata.anything).map(RecordData::Text),
        RData::PTR(name) => Some(RecordData::Name(text_name(name))),
        _ => None,
    }
}

fn text_name(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// Joins the length-prefixed strings of a text record (RFC 1035 section 3.3.14).
fn character_strings(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    while let Some((&length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        joined.extend_from_slice(string);
        data = rest;
    }
    Some(joined)
}

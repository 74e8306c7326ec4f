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

/// Upper bound of the questions sent within one [`BURST`]. A check asks about thirty at once, and a few hundred packets
/// together overflow the receive buffer of a server. Each one lost there costs a whole timeout.
const MAX_PER_BURST: usize = 200;

/// Time for which an unanswered question counts towards [`MAX_PER_BURST`]. After it the packet is in no buffer any more,
/// and servers that do not answer must not hold up the others.
const BURST: Duration = Duration::from_millis(150);

/// Wait for the answer to one packet before the question is sent once more, in parallel.
const PATIENCE: Duration = Duration::from_millis(500);

/// [`Resolver`] over the network. Cheap to clone; clones share cache and servers.
#[derive(Clone)]
pub struct LiveResolver {
    resolver: TokioResolver,
    /// Repeats questions that `resolver` still waits for, because one client merges equal questions. hickory-resolver
    /// 0.26 counts each NXDOMAIN as a failure of the server and waits longer after each. With guessed selectors it waits
    /// until the timeout.
    repeater: TokioResolver,
    burst: Arc<Semaphore>,
}

impl LiveResolver {
    /// A resolver that asks the servers of `settings`.
    ///
    /// # Errors
    /// If the resolver cannot be set up, see [`build_resolver`].
    pub fn new(settings: &DnsResolverSettings) -> Result<Self, ResolverError> {
        Ok(Self {
            resolver: without_hosts_file(build_resolver(settings)?),
            repeater: without_hosts_file(build_resolver(settings)?),
            burst: Arc::new(Semaphore::new(MAX_PER_BURST)),
        })
    }
}

/// Correspondents of the customer do not see the entries of this machine's hosts file.
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
        // Labels are not parsed: names from SPF macros may contain any octet.
        let labels = name.split('.').filter(|_| !name.is_empty());
        let Ok(owner) = Name::from_labels(labels.map(str::as_bytes)) else {
            return Err(LookupError::NoSuchName);
        };
        let mut first = pin!(ask(&self.resolver, owner.clone(), kind));
        {
            // The semaphore is never closed. An error would only mean no limit.
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

/// Only NOERROR and NXDOMAIN are answers. Every other RCODE says nothing about the domain.
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

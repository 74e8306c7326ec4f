//! Access to DNS: one question at a time through [`Resolver`]. The same checks run against the network
//! ([`LiveResolver`]) and against records in memory ([`MemoryResolver`]); [`BoundedResolver`] puts the limits of one check
//! around either.
//!
//! Names are absolute, in lower case and without the trailing dot; the root is the empty name.

mod bounded;
mod live;
mod memory;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use shared_models::domain::diagnosis::MxRecord;

pub use bounded::{BoundedResolver, CheckLimits};
pub use live::LiveResolver;
pub use memory::{Fault, MemoryResolver};

/// The record types that the checks look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of DNS")]
pub enum RecordKind {
    A,
    Aaaa,
    Mx,
    Txt,
    /// The type 99 that RFC 4408 reserved for SPF and RFC 7208 section 3.1 withdrew.
    SpfType,
    Ptr,
}

/// The data of one record, by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// Data of [`RecordKind::A`] and [`RecordKind::Aaaa`].
    Address(IpAddr),
    /// Data of [`RecordKind::Mx`]; the exchange is `.` for a null MX.
    Mx(MxRecord),
    /// Data of [`RecordKind::Txt`] and [`RecordKind::SpfType`]: the strings of one record, joined without a separator (RFC
    /// 7208 section 3.3, RFC 6376 section 3.6.2.2).
    Text(Vec<u8>),
    /// Data of [`RecordKind::Ptr`].
    Name(String),
}

/// A positive answer: at least one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Records of the type that was asked for; never empty.
    pub records: Vec<RecordData>,
    /// True if the name itself is an alias (CNAME) and the records belong to its target.
    pub alias: bool,
}

/// The reason why there is no positive answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// NXDOMAIN: neither the name nor anything below it exists (RFC 8020).
    #[error("the name does not exist")]
    NoSuchName,
    /// NODATA: the name exists but has no record of this type (RFC 2308 section 2.2).
    #[error("no record of this type")]
    NoRecords,
    /// Not known: timeout, network, or an RCODE other than NOERROR and NXDOMAIN.
    #[error("temporary failure: {0}")]
    Temporary(String),
}

impl LookupError {
    /// True if the same question may get another answer soon.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_))
    }
}

/// The result of one question.
pub type Lookup = Result<Answer, LookupError>;

/// The addresses of a host, IPv4 and IPv6 together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAddresses {
    /// All addresses found, private ones included.
    pub addresses: Vec<IpAddr>,
    /// True if the host name is an alias.
    pub alias: bool,
    /// True if one of the two look-ups failed, so that addresses may be missing.
    pub incomplete: bool,
}

/// A source of DNS answers: the network, or records in memory.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Asks for all records of one type at `name`, following aliases.
    ///
    /// # Errors
    /// See [`LookupError`]. A name that cannot exist (label above 63 octets, empty label) is
    /// [`LookupError::NoSuchName`].
    async fn query(&self, name: &str, kind: RecordKind) -> Lookup;

    /// Empties the cache, so that the next answers are what the servers say now.
    fn forget(&self) {}

    /// The texts at `name`, one for each record.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        Ok(into_texts(self.query(name, RecordKind::Txt).await?))
    }

    /// The texts at `name` in the withdrawn SPF type.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn spf_type_texts(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        Ok(into_texts(self.query(name, RecordKind::SpfType).await?))
    }

    /// The mail exchangers of `name`, most preferred first.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn mail_exchangers(&self, name: &str) -> Result<Vec<MxRecord>, LookupError> {
        let mut records: Vec<MxRecord> = self
            .query(name, RecordKind::Mx)
            .await?
            .records
            .into_iter()
            .filter_map(|data| match data {
                RecordData::Mx(record) => Some(record),
                _ => None,
            })
            .collect();
        records.sort_by(|a, b| (a.priority, &a.exchange).cmp(&(b.priority, &b.exchange)));
        Ok(records)
    }

    /// The IPv4 addresses of `name`.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn ipv4(&self, name: &str) -> Result<Vec<Ipv4Addr>, LookupError> {
        let records = self.query(name, RecordKind::A).await?.records;
        Ok(records
            .into_iter()
            .filter_map(|data| match data {
                RecordData::Address(IpAddr::V4(ip)) => Some(ip),
                _ => None,
            })
            .collect())
    }

    /// The IPv6 addresses of `name`.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn ipv6(&self, name: &str) -> Result<Vec<Ipv6Addr>, LookupError> {
        let records = self.query(name, RecordKind::Aaaa).await?.records;
        Ok(records
            .into_iter()
            .filter_map(|data| match data {
                RecordData::Address(IpAddr::V6(ip)) => Some(ip),
                _ => None,
            })
            .collect())
    }

    /// The names that the reverse zone gives to an address.
    ///
    /// # Errors
    /// As [`Resolver::query`].
    async fn names_of(&self, ip: IpAddr) -> Result<Vec<String>, LookupError> {
        let records = self.query(&reverse_name(ip), RecordKind::Ptr).await?.records;
        Ok(records
            .into_iter()
            .filter_map(|data| match data {
                RecordData::Name(name) => Some(name),
                _ => None,
            })
            .collect())
    }

    /// All addresses of a host; both types are looked up at the same time.
    async fn host_addresses(&self, name: &str) -> HostAddresses {
        let (v4, v6) = tokio::join!(self.query(name, RecordKind::A), self.query(name, RecordKind::Aaaa));
        let mut host = HostAddresses::default();
        for lookup in [v4, v6] {
            match lookup {
                Ok(answer) => {
                    host.alias |= answer.alias;
                    host.addresses.extend(answer.records.iter().filter_map(|data| match data {
                        RecordData::Address(ip) => Some(*ip),
                        _ => None,
                    }));
                }
                Err(error) => host.incomplete |= error.is_temporary(),
            }
        }
        host
    }
}

fn into_texts(answer: Answer) -> Vec<Vec<u8>> {
    answer
        .records
        .into_iter()
        .filter_map(|data| match data {
            RecordData::Text(text) => Some(text),
            _ => None,
        })
        .collect()
}

/// The name below `in-addr.arpa` or `ip6.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles: Vec<String> = ip
                .octets()
                .iter()
                .rev()
                .flat_map(|octet| [octet & 0x0f, octet >> 4])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}

//! Records in memory, for tests.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use shared_models::domain::diagnosis::MxRecord;

use super::{Answer, Lookup, LookupError, RecordData, RecordKind, Resolver};

/// The behaviour of a name that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server answers SERVFAIL.
    ServFail,
    /// No answer; the failure is reported at once.
    Timeout,
    /// No answer, and the question stays open until its caller gives up.
    Hang,
}

/// [`Resolver`] over a map of records. A name exists if it or a name below it has records (RFC 8020). A label `*` matches
/// as in RFC 4592.
#[derive(Default)]
pub struct MemoryResolver {
    records: HashMap<(String, RecordKind), Vec<RecordData>>,
    aliases: HashMap<String, String>,
    faults: HashMap<String, Fault>,
    names: BTreeSet<String>,
    asked: Mutex<Vec<(String, RecordKind)>>,
}

/// Aliases that are followed. A longer chain is a loop, which is a temporary failure like SERVFAIL.
const MAX_ALIASES: usize = 8;

impl MemoryResolver {
    /// A resolver for which no name exists.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record of any type.
    #[must_use]
    pub fn with(mut self, name: &str, kind: RecordKind, data: RecordData) -> Self {
        let name = canonical(name);
        self.add_name(&name);
        self.records.entry((name, kind)).or_default().push(data);
        self
    }

    /// Adds a TXT record that consists of one string.
    #[must_use]
    pub fn with_txt(self, name: &str, text: &str) -> Self {
        self.with(name, RecordKind::Txt, RecordData::Text(text.as_bytes().to_vec()))
    }

    /// Adds an A or AAAA record.
    #[must_use]
    pub fn with_address(self, name: &str, ip: IpAddr) -> Self {
        let kind = if ip.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa };
        self.with(name, kind, RecordData::Address(ip))
    }

    /// Adds an MX record; the exchange `.` makes a null MX.
    #[must_use]
    pub fn with_mx(self, name: &str, priority: u16, exchange: &str) -> Self {
        let exchange = match canonical(exchange) {
            root if root.is_empty() => ".".to_owned(),
            exchange => exchange,
        };
        self.with(name, RecordKind::Mx, RecordData::Mx(MxRecord { exchange, priority }))
    }

    /// Adds a CNAME record, which answers for all types.
    #[must_use]
    pub fn with_alias(mut self, name: &str, target: &str) -> Self {
        let name = canonical(name);
        self.add_name(&name);
        self.aliases.insert(name, canonical(target));
        self
    }

    /// Gives a name a fault, for all types.
    #[must_use]
    pub fn with_fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.insert(canonical(name), fault);
        self
    }

    /// Every question so far, in order.
    pub fn asked(&self) -> Vec<(String, RecordKind)> {
        self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Adds the name and all names above it, which exist because of it.
    fn add_name(&mut self, name: &str) {
        let mut rest = name;
        self.names.insert(rest.to_owned());
        while let Some((_, parent)) = rest.split_once('.') {
            self.names.insert(parent.to_owned());
            rest = parent;
        }
    }

    /// The owner whose records answer for `name`: itself, or the closest wildcard.
    fn owner_of(&self, name: &str) -> Option<String> {
        if self.names.contains(name) {
            return Some(name.to_owned());
        }
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            let wildcard = format!("*.{parent}");
            if self.names.contains(&wildcard) {
                return Some(wildcard);
            }
            if self.names.contains(parent) {
                return None;
            }
            rest = parent;
        }
        None
    }
}

#[async_trait]
impl Resolver for MemoryResolver {
    async fn query(&self, name: &str, kind: RecordKind) -> Lookup {
        self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((name.to_owned(), kind));
        let mut current = canonical(name);
        for hops in 0..MAX_ALIASES {
            match self.faults.get(&current) {
                Some(Fault::ServFail) => return Err(LookupError::Temporary("SERVFAIL".into())),
                Some(Fault::Timeout) => return Err(LookupError::Temporary("timed out".into())),
                Some(Fault::Hang) => return std::future::pending().await,
                None => {}
            }
            let owner = self.owner_of(&current).ok_or(LookupError::NoSuchName)?;
            if let Some(target) = self.aliases.get(&owner) {
                current.clone_from(target);
                continue;
            }
            return match self.records.get(&(owner, kind)) {
                Some(records) => Ok(Answer { records: records.clone(), alias: hops > 0 }),
                None => Err(LookupError::NoRecords),
            };
        }
        Err(LookupError::Temporary("alias loop".into()))
    }
}

fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

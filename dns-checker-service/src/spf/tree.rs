//! The tree of an SPF record with its includes and redirects: its defects, and its cost in look-ups in the worst case (RFC
//! 7208 section 4.6.4). It is followed as far as any message could make a receiver follow it.
//!
//! All look-ups of one level run at the same time, level by level. The result therefore does not depend on which answer
//! comes first. Loops end at the repeated name; a hostile tree ends at [`MAX_FOLLOWED`].

use std::sync::Arc;

use futures_util::future::join_all;

use super::evaluate::MAX_HOSTS;
use super::macros::DomainSpec;
use super::parse::{Mechanism, Qualifier, Record, SyntaxError, is_spf, parse};
use crate::resolver::{LookupError, Resolver};

/// Look-up terms after which no further record is fetched. Five times the limit is enough to say how far over it the
/// record is.
const MAX_FOLLOWED: u32 = 50;

/// A permanent or temporary defect somewhere in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    Syntax { at: String, error: SyntaxError },
    Multiple { at: String },
    Loop { at: String, target: String },
    NoIncludedRecord { target: String },
    NoRedirectRecord { target: String },
    TooManyMxHosts { domain: String },
    LookupFailed { name: String },
}

/// The result of the walk, in the order of the levels.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Number of terms that cost a look-up.
    pub(super) lookups: u32,
    /// Names of `a`, `mx` and `exists` terms where nothing was found.
    pub(super) void: Vec<String>,
    /// All defects, permanent and temporary.
    pub(super) defects: Vec<Defect>,
    /// Targets of all `include` and `redirect` terms.
    pub(super) targets: Vec<String>,
    /// True if a part of the tree is not known: a look-up failed, a target depends on the message, or the walk ended
    /// early.
    pub(super) partly_unseen: bool,
    /// The record itself and those that `redirect` leads to, whose `all` counts.
    pub(super) own_records: Vec<Record>,
    /// An included record that passes every address.
    pub(super) open_include: Option<String>,
}

/// The reason for fetching a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The domain's own record, or where its `redirect` leads.
    Own,
    /// Included; `passes` if every include on the way has the qualifier "+".
    Included { passes: bool, redirected: bool },
}

#[derive(Debug)]
struct Node {
    domain: String,
    role: Role,
    /// All names from the root to this node, to recognise loops.
    path: Arc<Vec<String>>,
}

/// A term that is looked up only to know if it finds anything.
#[derive(Debug)]
enum Probe {
    Address(String),
    Exists(String),
    Mx(String),
}

/// Walks the tree below a parsed record.
pub(super) async fn walk(domain: &str, record: Record, resolver: &dyn Resolver) -> Tree {
    let mut tree = Tree::default();
    let root = Node { domain: domain.to_owned(), role: Role::Own, path: Arc::new(vec![domain.to_owned()]) };
    let mut probes = Vec::new();
    let mut level = tree.read(&root, record, &mut probes);
    while !level.is_empty() || !probes.is_empty() {
        let (texts, ()) = tokio::join!(
            join_all(level.iter().map(|node| resolver.texts(&node.domain))),
            run_probes(std::mem::take(&mut probes), resolver, &mut tree),
        );
        let mut next = Vec::new();
        for (node, texts) in level.iter().zip(texts) {
            if let Some(record) = tree.select(node, texts) {
                next.extend(tree.read(node, record, &mut probes));
            }
        }
        level = next;
    }
    tree
}

impl Tree {
    /// The record at an include or redirect target (section 4.5).
    fn select(&mut self, node: &Node, texts: Result<Vec<Vec<u8>>, LookupError>) -> Option<Record> {
        let at = node.domain.clone();
        let texts = match texts {
            Err(LookupError::Temporary(_)) => {
                self.partly_unseen = true;
                self.defects.push(Defect::LookupFailed { name: at });
                return None;
            }
            texts => texts.unwrap_or_default(),
        };
        let mut records = texts.iter().filter(|text| is_spf(text));
        match (records.next(), records.next()) {
            (Some(text), None) => match parse(text) {
                Ok(record) => return Some(record),
                Err(error) => self.defects.push(Defect::Syntax { at, error }),
            },
            (Some(_), Some(_)) => self.defects.push(Defect::Multiple { at }),
            (None, _) => self.defects.push(match node.role {
                Role::Own | Role::Included { redirected: true, .. } => Defect::NoRedirectRecord { target: at },
                Role::Included { .. } => Defect::NoIncludedRecord { target: at },
            }),
        }
        None
    }

    /// Counts the terms of a record; returns the records to fetch because of it, and adds its other look-ups to `probes`.
    fn read(&mut self, node: &Node, record: Record, probes: &mut Vec<Probe>) -> Vec<Node> {
        let mut children = Vec::new();
        for directive in record.reachable() {
            if directive.mechanism.costs_lookup() {
                self.lookups += 1;
            }
            let name_of = |spec: Option<&DomainSpec>| match spec {
                None => Some(node.domain.clone()),
                Some(spec) => spec.fixed(&node.domain),
            };
            match &directive.mechanism {
                Mechanism::Include(spec) => {
                    let passes = directive.qualifier == Qualifier::Pass
                        && !matches!(node.role, Role::Included { passes: false, .. });
                    let role = Role::Included { passes, redirected: false };
                    children.extend(self.child(node, spec, role));
                }
                Mechanism::A(host) => {
                    probes.extend(name_of(host.domain.as_ref()).map(Probe::Address));
                }
                Mechanism::Exists(spec) => {
                    probes.extend(name_of(Some(spec)).map(Probe::Exists));
                }
                Mechanism::Mx(host) => {
                    probes.extend(name_of(host.domain.as_ref()).map(Probe::Mx));
                }
                Mechanism::All | Mechanism::Ip4(..) | Mechanism::Ip6(..) | Mechanism::Ptr(_) => {}
            }
        }
        if let Some(spec) = record.followed_redirect() {
            self.lookups += 1;
            let role = match node.role {
                Role::Own => Role::Own,
                Role::Included { passes, .. } => Role::Included { passes, redirected: true },
            };
            children.extend(self.child(node, spec, role));
        }
        match node.role {
            Role::Own => self.own_records.push(record),
            Role::Included { passes: true, .. } if passes_everyone(&record) => {
                self.open_include = Some(node.domain.clone());
            }
            Role::Included { .. } => {}
        }
        // Stopping here, and not before a record is read, keeps the count independent of timing.
        if self.lookups > MAX_FOLLOWED {
            self.partly_unseen = true;
            probes.clear();
            return Vec::new();
        }
        children
    }

    fn child(&mut self, node: &Node, spec: &DomainSpec, role: Role) -> Option<Node> {
        let Some(target) = spec.fixed(&node.domain) else {
            self.partly_unseen = true;
            return None;
        };
        self.targets.push(target.clone());
        if node.path.contains(&target) {
            let at = node.domain.clone();
            self.defects.push(Defect::Loop { at, target });
            return None;
        }
        let mut path = node.path.as_ref().clone();
        path.push(target.clone());
        Some(Node { domain: target, role, path: Arc::new(path) })
    }
}

/// True if a record authorises the whole internet: `+all`, or a network of all addresses.
pub(super) fn passes_everyone(record: &Record) -> bool {
    record
        .reachable()
        .iter()
        .filter(|directive| directive.qualifier == Qualifier::Pass)
        .any(|directive| matches!(directive.mechanism, Mechanism::All | Mechanism::Ip4(_, 0) | Mechanism::Ip6(_, 0)))
}

async fn run_probes(probes: Vec<Probe>, resolver: &dyn Resolver, tree: &mut Tree) {
    let outcomes = join_all(probes.into_iter().map(|probe| run(probe, resolver))).await;
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Outcome::Void(name) => tree.void.push(name),
            Outcome::TooManyHosts(domain) => {
                tree.defects.push(Defect::TooManyMxHosts { domain });
            }
        }
    }
}

enum Outcome {
    Void(String),
    TooManyHosts(String),
}

/// A temporary failure is no outcome: the term may be valid.
async fn run(probe: Probe, resolver: &dyn Resolver) -> Option<Outcome> {
    match probe {
        Probe::Address(name) => {
            let host = resolver.host_addresses(&name).await;
            (host.addresses.is_empty() && !host.incomplete).then_some(Outcome::Void(name))
        }
        // Section 5.7: type A only.
        Probe::Exists(name) => match resolver.ipv4(&name).await {
            Ok(_) | Err(LookupError::Temporary(_)) => None,
            Err(_) => Some(Outcome::Void(name)),
        },
        Probe::Mx(name) => match resolver.mail_exchangers(&name).await {
            Ok(hosts) if hosts.len() > MAX_HOSTS => Some(Outcome::TooManyHosts(name)),
            Ok(_) | Err(LookupError::Temporary(_)) => None,
            Err(_) => Some(Outcome::Void(name)),
        },
    }
}

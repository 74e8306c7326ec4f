//! Discovery of the DMARC record that applies to a domain: the DNS tree walk (RFC 9989 section 4.10).

use futures_util::future::join_all;

use super::record::{Psd, Record, Text, parse};
use crate::resolver::{LookupError, Resolver};

/// Labels with which the walk from a longer name continues (section 4.10).
const LABELS_AFTER_SKIP: usize = 7;

/// The content of `_dmarc` below one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Exactly one record, with its text.
    One(Box<Record>, String),
    /// More than one: receivers discard them all.
    Several,
    /// Only a text that was meant as a record; receivers discard it.
    BadVersion(String),
    /// No such text.
    Nothing,
    /// The look-up failed just now.
    LookupFailed,
}

/// A record and the domain that it was found at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) record: Record,
    pub(super) text: String,
    pub(super) location: String,
}

/// The outcome of the discovery for one domain.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    /// The content at the domain itself.
    pub(super) own: Found,
    /// The record in force: the domain's own or one above it.
    pub(super) in_force: Option<Located>,
    /// True if a look-up failed that could have changed the outcome.
    pub(super) undecided: bool,
    /// The content at the closest name above at which all records were discarded.
    pub(super) discarded_above: Option<Found>,
}

/// Finds the record that applies to `domain` (section 4.10.1).
pub(super) async fn discover(domain: &str, resolver: &dyn Resolver) -> Discovery {
    let own = look_up(domain, resolver).await;
    let above = match &own {
        // The names above do not matter if the domain has a record or may have one.
        Found::One(..) | Found::LookupFailed => Vec::new(),
        _ => walk(names_above(domain), resolver).await,
    };
    let undecided = own == Found::LookupFailed || has_failure(&above);
    let chosen = match &own {
        Found::One(record, text) => Some((domain, record.as_ref(), text.as_str())),
        _ => choose(&above),
    };
    let in_force = chosen.map(|(location, record, text)| Located {
        record: record.clone(),
        text: text.to_owned(),
        location: location.to_owned(),
    });
    let discarded_above =
        above.into_iter().map(|(_, found)| found).find(|found| matches!(found, Found::Several | Found::BadVersion(_)));
    Discovery { own, in_force, undecided, discarded_above }
}

/// The record that applies to `domain`, and true if it is inherited from a domain above. The outer `None` stands for a
/// failed look-up. Top-level domains are left out: the policy of a registry is no merit of the domain's owner.
pub(super) async fn own_or_inherited(domain: &str, resolver: &dyn Resolver) -> Option<Option<(Record, bool)>> {
    match look_up(domain, resolver).await {
        Found::One(record, _) => return Some(Some((*record, false))),
        Found::LookupFailed => return None,
        _ => {}
    }
    let names = names_above(domain).into_iter().filter(|name| name.contains('.')).collect();
    let above = walk(names, resolver).await;
    if has_failure(&above) {
        return None;
    }
    Some(choose(&above).map(|(_, record, _)| (record.clone(), true)))
}

/// The organisation that a domain belongs to (section 4.10.2); `None` if a look-up failed.
pub(super) async fn organisation(domain: &str, resolver: &dyn Resolver) -> Option<String> {
    let mut names = vec![domain.to_owned()];
    names.extend(names_above(domain));
    let found = walk(names, resolver).await;
    if has_failure(&found) {
        return None;
    }
    // A record at the domain itself counts as any other, except that its psd=y is about the domain.
    let registry = found.iter().skip(1).find(|(_, found)| psd(found) == Some(Psd::Yes));
    let organisation = match registry {
        Some((registry, _)) => one_below(domain, registry),
        None => choose(&found).map(|(name, ..)| name.to_owned()),
    };
    Some(organisation.unwrap_or_else(|| domain.to_owned()))
}

type Level = (String, Found);

fn has_failure(levels: &[Level]) -> bool {
    levels.iter().any(|(_, found)| *found == Found::LookupFailed)
}

/// Looks up all names at the same time and drops those behind the end of the walk, which is a record with psd=n or psd=y.
async fn walk(names: Vec<String>, resolver: &dyn Resolver) -> Vec<Level> {
    let found = join_all(names.iter().map(|name| look_up(name, resolver))).await;
    let mut levels: Vec<Level> = names.into_iter().zip(found).collect();
    let end = levels.iter().position(|(_, found)| matches!(psd(found), Some(Psd::Yes | Psd::No)));
    if let Some(end) = end {
        levels.truncate(end + 1);
    }
    levels
}

fn psd(found: &Found) -> Option<Psd> {
    match found {
        Found::One(record, _) => Some(record.psd),
        _ => None,
    }
}

/// The record with the fewest labels is that of the organisation (a psd=n has ended the walk). A registry's own, psd=y, is
/// the last resort (section 4.10.1).
fn choose(levels: &[Level]) -> Option<(&str, &Record, &str)> {
    let records: Vec<(&str, &Record, &str)> = levels
        .iter()
        .filter_map(|(name, found)| match found {
            Found::One(record, text) => Some((name.as_str(), record.as_ref(), text.as_str())),
            _ => None,
        })
        .collect();
    let organisation = records.iter().rev().find(|(_, record, _)| record.psd != Psd::Yes);
    organisation.or_else(|| records.last()).copied()
}

pub(super) async fn look_up(domain: &str, resolver: &dyn Resolver) -> Found {
    let texts = match resolver.texts(&format!("_dmarc.{domain}")).await {
        Ok(texts) => texts,
        Err(LookupError::Temporary(_)) => return Found::LookupFailed,
        Err(_) => return Found::Nothing,
    };
    let mut records = Vec::new();
    let mut bad_version = None;
    for text in &texts {
        match parse(text) {
            Text::Record(record) => records.push((record, String::from_utf8_lossy(text))),
            Text::BadVersion => bad_version = Some(String::from_utf8_lossy(text).into_owned()),
            Text::Unrelated => {}
        }
    }
    match (records.len(), bad_version) {
        (0, None) => Found::Nothing,
        (0, Some(text)) => Found::BadVersion(text),
        (1, _) => {
            let (record, text) = records.remove(0);
            Found::One(Box::new(record), text.into_owned())
        }
        _ => Found::Several,
    }
}

/// The names of the walk after the domain itself: one label less each time. A long name continues with seven labels, so
/// that there are at most eight queries.
fn names_above(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let longest = (labels.len() - 1).min(LABELS_AFTER_SKIP);
    (1..=longest).rev().map(|count| labels[labels.len() - count..].join(".")).collect()
}

fn one_below(domain: &str, registry: &str) -> Option<String> {
    let above = domain.strip_suffix(registry)?.strip_suffix('.')?;
    let label = above.rsplit('.').next()?;
    Some(format!("{label}.{registry}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_at_most_eight_names() {
        assert_eq!(names_above("a.example.com"), ["example.com", "com"]);
        let long = names_above("l.k.j.i.h.g.f.e.d.c.example.com");
        assert_eq!(long.len(), 7);
        assert_eq!(long[0], "g.f.e.d.c.example.com");
        assert_eq!(long[6], "com");
    }

    #[test]
    fn finds_the_name_below_a_registry() {
        assert_eq!(one_below("a.b.co.example", "co.example").as_deref(), Some("b.co.example"));
    }
}

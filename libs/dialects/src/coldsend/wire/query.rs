//! The query of `GET /sender-accounts`.

use std::ops::RangeInclusive;

use actix_web::HttpRequest;
use shared_models::domain::MailboxStatus;
use shared_models::domain::mailboxes::ProviderLabel;
use shared_models::store::{MailboxFilter, MailboxOrder, MailboxSort, PageRequest, SortDirection};

use super::body::Faults;
use super::inbox_type::InboxType;
use crate::http::json::{Path, Problem, Step, within};
use crate::http::query::Parameters;

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;
const MAX_PAGE: i64 = 1_000_000;

/// The values of `overall_status`.
pub(super) const STATUSES: [&str; 4] = ["PENDING", "ACTIVE", "PAUSED", "DISABLED"];
const SORTS: [(&str, MailboxSort); 4] = [
    ("created_at", MailboxSort::CreatedAt),
    ("email_address", MailboxSort::Email),
    ("display_name", MailboxSort::DisplayName),
    ("daily_limit", MailboxSort::DailySendLimit),
];
const SORT_WORDS: [&str; 4] = [SORTS[0].0, SORTS[1].0, SORTS[2].0, SORTS[3].0];
const DIRECTIONS: [&str; 2] = ["asc", "desc"];

#[derive(Clone, Copy, Debug)]
pub(in crate::coldsend) struct PageWish {
    /// Counted from 1.
    pub(in crate::coldsend) page: i64,
    /// Accounts a page.
    pub(in crate::coldsend) limit: i64,
}

impl PageWish {
    fn request(self, order: MailboxOrder) -> PageRequest {
        PageRequest { order, after: None, offset: (self.page - 1) * self.limit, limit: self.limit }
    }
}

/// Reads filters, order and page. Parameters without a value count as absent.
pub(in crate::coldsend) fn list_query(
    request: &HttpRequest,
    faults: &mut Faults,
) -> Option<(MailboxFilter, PageRequest, PageWish)> {
    let query = Parameters::of(request);
    let page = number(&query, faults, "page", 1..=MAX_PAGE, 1);
    let limit = number(&query, faults, "limit", 1..=MAX_LIMIT, DEFAULT_LIMIT);
    let mut filter = MailboxFilter { search: query.text("search").map(str::to_owned), ..MailboxFilter::default() };
    if let Some(status) = word(&query, faults, "status", &STATUSES) {
        (filter.statuses, filter.sending_enabled) = with_status(status);
    }
    if let Some(kind) = word(&query, faults, "inbox_type", &InboxType::WORDS).and_then(InboxType::parse) {
        filter.providers = ProviderLabel::ALL.into_iter().filter(|provider| InboxType::of(*provider) == kind).collect();
    }
    let sort = word(&query, faults, "sort_by", &SORT_WORDS);
    let sort = SORTS.iter().find(|(name, _)| Some(*name) == sort).map_or(MailboxSort::CreatedAt, |(_, sort)| *sort);
    let direction = match word(&query, faults, "sort_order", &DIRECTIONS) {
        Some("asc") => SortDirection::Ascending,
        _ => SortDirection::Descending,
    };
    let wish = PageWish { page: page?, limit: limit? };
    Some((filter, wish.request(MailboxOrder { sort, direction }), wish))
}

/// The accounts of which [`super::responses::overall_status`] says this word.
fn with_status(word: &str) -> (Vec<MailboxStatus>, Option<bool>) {
    match word {
        "PENDING" => (vec![MailboxStatus::Unverified, MailboxStatus::Pending], None),
        "DISABLED" => (vec![MailboxStatus::Failed], None),
        word => (vec![MailboxStatus::Active], Some(word == "ACTIVE")),
    }
}

fn number(
    query: &Parameters,
    faults: &mut Faults,
    name: &'static str,
    limits: RangeInclusive<i64>,
    default: i64,
) -> Option<i64> {
    let Some(text) = query.text(name) else { return Some(default) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        refuse(faults, name, Problem::NotInteger);
        return None;
    }
    let beyond = if digits == text { i128::MAX } else { i128::MIN };
    let number = within(text.parse().unwrap_or(beyond), limits);
    number.map_err(|problem| refuse(faults, name, problem)).ok()
}

/// One of a few words.
fn word<'q>(
    query: &'q Parameters,
    faults: &mut Faults,
    name: &'static str,
    known: &'static [&'static str],
) -> Option<&'q str> {
    let text = query.text(name)?;
    if known.contains(&text) {
        return Some(text);
    }
    refuse(faults, name, Problem::NotOneOf(known.to_vec()));
    None
}

fn refuse(faults: &mut Faults, name: &str, problem: Problem) {
    faults.note(&Path::below(Some(&Path::root("query")), Step::Name(name)), problem);
}

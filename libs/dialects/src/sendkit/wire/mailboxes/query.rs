//! The queries of lists.

use std::str::FromStr;

use actix_web::HttpRequest;
use shared_models::domain::mailboxes::ProviderLabel;
use shared_models::domain::{CoreError, DnsReport, MailboxStatus};
use shared_models::store::{MailboxFilter, MailboxOrder, PageRequest, TagMode};

use super::words::status_word;
use crate::http::query::Parameters;
use crate::sendkit::wire::body::Faults;

const DEFAULT_LIMIT: i64 = 25;
const MAX_LIMIT: i64 = 100;
const MAX_PAGE: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(in crate::sendkit) struct PageWish {
    /// Items a page.
    pub(in crate::sendkit) limit: i64,
    /// The older, numbered form.
    pub(in crate::sendkit) page: Option<i64>,
}

/// Statuses that SendKit knows and no mailbox here ever has.
const STATUSES_NOT_HERE: [&str; 3] = ["error", "warming_up", "suspended"];

/// Where a page begins, among items with such ids.
#[derive(Clone, Copy, Debug)]
pub(in crate::sendkit) struct PageStart<Id> {
    /// Behind this one.
    pub(in crate::sendkit) after: Option<Id>,
    /// Skip so many.
    pub(in crate::sendkit) offset: i64,
}

/// Reads the query of a list without filters.
pub(in crate::sendkit) fn page_query<Id: FromStr>(
    request: &HttpRequest,
) -> Result<(PageStart<Id>, PageWish), CoreError> {
    let mut faults = Faults::default();
    let page = paging(&Parameters::of(request), &mut faults);
    faults.settle(Some(page))
}

/// Reads filters and paging. Filters on warm-up, bounces and campaigns, which are not done here,
/// are answered as for mailboxes that never had any.
pub(in crate::sendkit) fn list_query(
    request: &HttpRequest,
) -> Result<(MailboxFilter, PageRequest, PageWish), CoreError> {
    let query = Parameters::of(request);
    let mut faults = Faults::default();
    let mut filter = MailboxFilter {
        sending_enabled: query.flag("sendingEnabled", &mut faults),
        tags: query.list("tags").into_iter().map(str::to_owned).collect(),
        untagged: query.flag("untagged", &mut faults),
        search: query.text("search").map(str::to_owned),
        ..MailboxFilter::default()
    };
    match query.text("tagMode") {
        None | Some("any") => {}
        Some("all") => filter.tag_mode = TagMode::All,
        Some(_) => faults.add("tagMode", "must be any or all"),
    }
    statuses(&query, &mut filter, &mut faults);
    providers(&query, &mut filter, &mut faults);
    match query.text("connectionType") {
        None | Some("smtp") => {}
        Some("oauth") => filter.nothing = true,
        Some(_) => faults.add("connectionType", "must be smtp or oauth"),
    }
    health(&query, &mut filter, &mut faults);
    not_done_here(&query, &mut filter, &mut faults);
    let (PageStart { after, offset }, wish) = paging(&query, &mut faults);
    let page = PageRequest { order: MailboxOrder::default(), after, offset, limit: wish.limit };
    faults.settle(Some((filter, page, wish)))
}

fn statuses(query: &Parameters, filter: &mut MailboxFilter, faults: &mut Faults) {
    let known = [MailboxStatus::Unverified, MailboxStatus::Pending, MailboxStatus::Active, MailboxStatus::Failed];
    let words = query.list("status");
    let is_known =
        |word: &&str| known.iter().any(|status| status_word(*status) == *word) || STATUSES_NOT_HERE.contains(word);
    if !words.iter().all(is_known) {
        faults.add("status", "must be one of active, inactive, error, warming_up, suspended, failed, pending");
    }
    // Each one once, however often it was asked for.
    filter.statuses = known.into_iter().filter(|status| words.contains(&status_word(*status))).collect();
    filter.nothing |= !words.is_empty() && filter.statuses.is_empty();
}

fn providers(query: &Parameters, filter: &mut MailboxFilter, faults: &mut Faults) {
    let words = query.list("provider");
    if !words.iter().all(|word| ProviderLabel::parse(word).is_some()) {
        faults.add("provider", "must be one of gmail, outlook, azure, custom");
    }
    filter.providers = ProviderLabel::ALL.into_iter().filter(|provider| words.contains(&provider.as_str())).collect();
}

/// The store knows how many records work; each is worth the same part of the score.
fn health(query: &Parameters, filter: &mut MailboxFilter, faults: &mut Faults) {
    let quarter = |score: f64| (score / f64::from(DnsReport::POINTS_PER_RECORD)).clamp(-1.0, 5.0);
    filter.min_working_dns_records =
        query.number::<f64, _>("minHealthScore", faults).map(|score| quarter(score).ceil() as i32);
    filter.max_working_dns_records =
        query.number::<f64, _>("maxHealthScore", faults).map(|score| quarter(score).floor() as i32);
}

fn not_done_here(query: &Parameters, filter: &mut MailboxFilter, faults: &mut Faults) {
    let on = [
        query.flag("warmupEnabled", faults),
        query.flag("highBounceRate", faults),
        query.flag("inActiveCampaign", faults),
        query.text("notInCampaign").and_then(|_| query.flag("notInCampaign", faults)).map(|wanted| !wanted),
    ];
    let warming_up = query.text("warmupStatus").is_some_and(|word| word != "not_started");
    let bouncing = query.number::<f64, _>("minBounceRate", faults).is_some_and(|rate| rate > 0.0);
    let never_bouncing = query.number::<f64, _>("maxBounceRate", faults).is_some_and(|rate| rate < 0.0);
    let in_campaign = !query.list("campaignIds").is_empty();
    let with_warmup_health = query.text("warmupHealth").is_some();
    filter.nothing |=
        on.contains(&Some(true)) || warming_up || bouncing || never_bouncing || in_campaign || with_warmup_health;
}

fn paging<Id: FromStr>(query: &Parameters, faults: &mut Faults) -> (PageStart<Id>, PageWish) {
    let limit = query.number::<i64, _>("limit", faults).unwrap_or(DEFAULT_LIMIT);
    if limit < 1 {
        faults.add("limit", "must be at least 1");
    }
    let limit = limit.clamp(1, MAX_LIMIT);
    let page = query.number::<i64, _>("page", faults);
    if page.is_some_and(|page| !(1..=MAX_PAGE).contains(&page)) {
        faults.add("page", "must be at least 1");
    }
    let after = query
        .text("cursor")
        .and_then(|text| faults.parsed("cursor", text.parse().map_err(|_| "is not a cursor of this list")));
    // A cursor says where to go on, so a page number beside it is only echoed.
    let offset = if after.is_some() { 0 } else { (page.unwrap_or(1).clamp(1, MAX_PAGE) - 1) * limit };
    (PageStart { after, offset }, PageWish { limit, page })
}

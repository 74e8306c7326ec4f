//! The filtered, paged list of a workspace's mailboxes.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::domain::mailboxes::ProviderLabel;
use crate::domain::{CoreError, Mailbox, MailboxId, MailboxStatus, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::Conn;
use crate::store::mailboxes::rows::MailboxRow;
use crate::store::schema::mailboxes;

/// The combination of several tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TagMode {
    /// At least one of the tags.
    #[default]
    Any,
    /// Every one of the tags.
    All,
}

/// The filter of a list; the default matches every mailbox.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct MailboxFilter {
    /// Any of these; empty for every status.
    pub statuses: Vec<MailboxStatus>,
    /// Any of these labels; empty for every label.
    pub providers: Vec<ProviderLabel>,
    pub sending_enabled: Option<bool>,
    /// Exact tags, compared with case; at most [`MailboxFilter::MAX_TAGS`].
    pub tags: Vec<String>,
    pub tag_mode: TagMode,
    /// Only mailboxes without any tag (`true`) or with at least one (`false`).
    pub untagged: Option<bool>,
    /// A part of the address, of the address as it was given, or of the shown name; case is ignored.
    pub search: Option<String>,
    /// At least this many of the four DNS records work, 0-4. A mailbox that was not checked matches no bound.
    pub min_working_dns_records: Option<i32>,
    /// At most this many of the four DNS records work, 0-4.
    pub max_working_dns_records: Option<i32>,
    /// Matches no mailbox: the caller asked for something that none here can be.
    pub nothing: bool,
}

impl MailboxFilter {
    /// Each tag makes the query's expression a level deeper, and the stack and the database bear only so many.
    pub const MAX_TAGS: usize = 100;
}

/// The sort key of a list; ties are sorted by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum MailboxSort {
    /// The id, which only grows: a page may begin after any mailbox.
    #[default]
    Id,
    /// The time of creation, which may differ from the order of ids: imports assign ids before they create.
    CreatedAt,
    Email,
    /// The shown name, case ignored.
    DisplayName,
    DailySendLimit,
}

/// The direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the variants say what they are")]
pub enum SortDirection {
    Ascending,
    #[default]
    Descending,
}

/// The order of a list; the default is the newest id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct MailboxOrder {
    pub sort: MailboxSort,
    /// Applies to ties, too.
    pub direction: SortDirection,
}

/// The page of a list.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct PageRequest {
    pub order: MailboxOrder,
    /// Only mailboxes with a smaller id than this one, which continues the list in the default order.
    pub after: Option<MailboxId>,
    /// Matches to skip.
    pub offset: i64,
    /// Matches to return at most.
    pub limit: i64,
}

/// One page of a list of mailboxes.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct MailboxPage {
    pub items: Vec<Mailbox>,
    /// Matches on all pages together.
    pub total: i64,
    pub has_more: bool,
}

type Backend = <Conn as diesel::Connection>::Backend;

/// A macro, because the page query and the count have different types.
macro_rules! filtered {
    ($query:expr, $filter:expr, $position:expr) => {{
        let mut query = $query;
        let filter: &MailboxFilter = $filter;
        let position: &'static str = $position;
        if !filter.statuses.is_empty() {
            query =
                query.filter(mailboxes::status.eq_any(filter.statuses.iter().map(|s| s.as_str()).collect::<Vec<_>>()));
        }
        if !filter.providers.is_empty() {
            query = query
                .filter(mailboxes::provider.eq_any(filter.providers.iter().map(|p| p.as_str()).collect::<Vec<_>>()));
        }
        if let Some(wish) = filter.sending_enabled {
            query = query.filter(mailboxes::sending_enabled.eq(wish));
        }
        match filter.untagged {
            Some(true) => query = query.filter(mailboxes::tags.eq("")),
            Some(false) => query = query.filter(mailboxes::tags.ne("")),
            None => {}
        }
        if let Some(min) = filter.min_working_dns_records {
            query = query.filter(mailboxes::dns_sound_parts.ge(min));
        }
        if let Some(max) = filter.max_working_dns_records {
            query = query.filter(mailboxes::dns_sound_parts.le(max));
        }
        let has_tag =
            |tag: &String| sql::<Bool>(position).sql("(tags, ").bind::<Text, _>(format!("\n{tag}\n")).sql(") > 0");
        match filter.tag_mode {
            TagMode::All => {
                for tag in &filter.tags {
                    query = query.filter(has_tag(tag));
                }
            }
            TagMode::Any => {
                // A chain of unknown length needs a boxed start. This one is false, so it changes nothing.
                let mut any: Box<dyn BoxableExpression<mailboxes::table, Backend, SqlType = Bool>> =
                    Box::new(sql::<Bool>("1 = 0"));
                for tag in &filter.tags {
                    any = Box::new(any.or(has_tag(tag)));
                }
                if !filter.tags.is_empty() {
                    query = query.filter(any);
                }
            }
        }
        if let Some(search) = &filter.search {
            let needle = search.to_lowercase();
            let within = |column: &str| sql::<Bool>(position).sql(column).bind::<Text, _>(needle.clone()).sql(") > 0");
            query = query.filter(
                within("(lower(email), ")
                    .or(within("(lower(coalesce(email_as_given, '')), "))
                    .or(within("(lower(display_name), ")),
            );
        }
        query
    }};
}

/// A macro, because the type of a boxed query is unreadable.
macro_rules! ordered {
    ($query:expr, $order:expr, $collation:expr) => {{
        let (query, collation): (_, &'static str) = ($query, $collation);
        let (down, direction) = match $order.direction {
            SortDirection::Ascending => (false, ""),
            SortDirection::Descending => (true, " DESC"),
        };
        let query = match ($order.sort, down) {
            (MailboxSort::Id, _) => query,
            (MailboxSort::CreatedAt, false) => query.order(mailboxes::created_at.asc()),
            (MailboxSort::CreatedAt, true) => query.order(mailboxes::created_at.desc()),
            (MailboxSort::DailySendLimit, false) => query.order(mailboxes::daily_send_limit.asc()),
            (MailboxSort::DailySendLimit, true) => query.order(mailboxes::daily_send_limit.desc()),
            (MailboxSort::Email, _) => query.order(sql::<Text>("email").sql(collation).sql(direction)),
            (MailboxSort::DisplayName, _) => {
                query.order(sql::<Text>("lower(display_name)").sql(collation).sql(direction))
            }
        };
        if down { query.then_order_by(mailboxes::id.desc()) } else { query.then_order_by(mailboxes::id.asc()) }
    }};
}

impl Store {
    /// One page of the workspace's mailboxes.
    ///
    /// # Errors
    /// `Invalid` for more tags than [`MailboxFilter::MAX_TAGS`].
    pub async fn list_mailboxes(
        &self,
        workspace: WorkspaceId,
        filter: MailboxFilter,
        page: PageRequest,
    ) -> Result<MailboxPage, CoreError> {
        if filter.tags.len() > MailboxFilter::MAX_TAGS {
            return Err(CoreError::invalid("tags", format!("must have at most {} entries", MailboxFilter::MAX_TAGS)));
        }
        // PostgreSQL has no text with a zero character, so no stored text matches one.
        let nowhere = filter.tags.iter().chain(&filter.search).any(|text| text.contains('\0'));
        if filter.nothing || nowhere {
            return Ok(MailboxPage { items: vec![], total: 0, has_more: false });
        }
        self.read(move |conn| {
            let position = match conn {
                Conn::Pg(_) => "strpos",
                Conn::Lite(_) => "instr",
            };
            let workspace = workspace.to_string();
            let count = mailboxes::table.filter(mailboxes::workspace_id.eq(&workspace)).count().into_boxed();
            let total: i64 = filtered!(count, &filter, position).get_result(conn)?;

            let rows = mailboxes::table
                .filter(mailboxes::workspace_id.eq(&workspace))
                .select(MailboxRow::as_select())
                .into_boxed();
            let mut rows = filtered!(rows, &filter, position);
            if let Some(after) = page.after {
                rows = rows.filter(mailboxes::id.lt(after.to_string()));
            }
            // Both backends compare bytes. PostgreSQL's own order would depend on the locale.
            let collation = match conn {
                Conn::Pg(_) => " COLLATE \"C\"",
                Conn::Lite(_) => "",
            };
            let mut rows: Vec<MailboxRow> =
                ordered!(rows, page.order, collation).offset(page.offset).limit(page.limit + 1).load(conn)?;
            let has_more = i64::try_from(rows.len()).is_ok_and(|found| found > page.limit);
            rows.truncate(usize::try_from(page.limit).unwrap_or(0));
            let items = rows.into_iter().map(Mailbox::try_from).collect::<Result<_, _>>()?;
            Ok(MailboxPage { items, total, has_more })
        })
        .await
    }
}

//! Sender rules of a domain or of a hosted mailbox. The caller holds the row of the subject.

use diesel::prelude::*;

use crate::domain::sending_domains::{FilterKind, FilterMode, FilterRule, FilterSet, SenderPattern};
use crate::store::core::backend::{Conn, both};
use crate::store::core::error::{TxError, corrupt};
use crate::store::schema::{sender_filter_modes, sender_filters};

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = sender_filters, treat_none_as_default_value = false)]
struct RuleRow {
    subject_id: String,
    pattern: String,
    kind: String,
    note: Option<String>,
}

/// The rules of a subject; off and empty if there are none.
pub(crate) fn load(conn: &mut Conn, subject: &str) -> Result<FilterSet, TxError> {
    let mode: Option<String> =
        sender_filter_modes::table.find(subject).select(sender_filter_modes::mode).first(conn).optional()?;
    let Some(mode) = mode else { return Ok(FilterSet::default()) };
    let mode = FilterMode::parse(&mode).ok_or_else(|| corrupt("filter mode"))?;
    let rows: Vec<RuleRow> =
        sender_filters::table.filter(sender_filters::subject_id.eq(subject)).select(RuleRow::as_select()).load(conn)?;
    let rules = rows.into_iter().map(RuleRow::read).collect::<Result<_, _>>()?;
    FilterSet::new(mode, rules).map_err(|_| corrupt("filter rules"))
}

/// Replaces all rules of the subject.
pub(crate) fn replace(conn: &mut Conn, subject: &str, set: &FilterSet) -> QueryResult<()> {
    forget(conn, subject)?;
    let mode = (sender_filter_modes::subject_id.eq(subject), sender_filter_modes::mode.eq(set.mode().as_str()));
    both!(&mut *conn, |c| diesel::insert_into(sender_filter_modes::table).values(mode).execute(c))?;
    let rows: Vec<RuleRow> = set.rules().iter().map(|rule| RuleRow::new(subject, rule)).collect();
    match conn {
        Conn::Pg(c) => diesel::insert_into(sender_filters::table).values(&rows).execute(c).map(|_| ()),
        Conn::Lite(c) => rows
            .iter()
            .try_for_each(|row| diesel::insert_into(sender_filters::table).values(row).execute(c).map(|_| ())),
    }
}

/// Removes the rules of a subject that is about to be deleted.
pub(crate) fn forget(conn: &mut Conn, subject: &str) -> QueryResult<()> {
    diesel::delete(sender_filters::table.filter(sender_filters::subject_id.eq(subject))).execute(conn)?;
    diesel::delete(sender_filter_modes::table.find(subject)).execute(conn)?;
    Ok(())
}

impl RuleRow {
    fn new(subject: &str, rule: &FilterRule) -> Self {
        Self {
            subject_id: subject.to_owned(),
            pattern: rule.pattern.as_str().to_owned(),
            kind: rule.kind.as_str().to_owned(),
            note: rule.note.clone(),
        }
    }

    fn read(self) -> Result<FilterRule, TxError> {
        Ok(FilterRule {
            kind: FilterKind::parse(&self.kind).ok_or_else(|| corrupt("filter rule"))?,
            pattern: SenderPattern::parse(&self.pattern).map_err(|_| corrupt("filter pattern"))?,
            note: self.note,
        })
    }
}

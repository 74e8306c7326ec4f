//! The sender rules of hosted mailboxes.

use diesel::prelude::*;

use crate::domain::sending_domains::{FilterMode, FilterSet};
use crate::domain::{CoreError, HostedMailboxId, WorkspaceId};
use crate::store::Store;
use crate::store::core::backend::both;
use crate::store::core::error::corrupt;
use crate::store::hosted::rows::{HostedRow, NOT_FOUND, locked_present, present};
use crate::store::schema::{hosted_mailboxes, mail_filters};
use crate::store::sending_domains::filters;

impl Store {
    /// The mailbox's own rules. They replace those of its domain, unless they are off.
    pub async fn mailbox_filters(&self, workspace: WorkspaceId, id: HostedMailboxId) -> Result<FilterSet, CoreError> {
        self.read(move |conn| {
            let row: Option<HostedRow> = hosted_mailboxes::table
                .find(id.to_string())
                .filter(hosted_mailboxes::workspace_id.eq(workspace.to_string()))
                .select(HostedRow::as_select())
                .first(conn)
                .optional()?;
            present(row.ok_or(NOT_FOUND)?.read()?)?;
            filters::load(conn, &id.to_string())
        })
        .await
    }

    /// Replaces all rules of the mailbox.
    ///
    /// # Errors
    /// `Conflict` when they were not as `expected` (any more).
    pub async fn set_mailbox_filters(
        &self,
        workspace: WorkspaceId,
        id: HostedMailboxId,
        set: FilterSet,
        expected: Option<FilterSet>,
    ) -> Result<FilterSet, CoreError> {
        self.write(move |tx| {
            locked_present(tx.conn, workspace, id)?;
            let subject = id.to_string();
            if let Some(expected) = expected
                && expected != filters::load(tx.conn, &subject)?
            {
                return Err(CoreError::Conflict("The rules were changed meanwhile").into());
            }
            filters::replace(tx.conn, &subject, &set)?;
            Ok(set)
        })
        .await
    }

    /// True if mail from this envelope sender may be delivered to this recipient. Both are text, as mail servers have
    /// them. The null sender (RFC 5321 section 4.5.5) is on no list. A dot at the end of a domain is ignored: mail
    /// servers keep it when they ask and drop it when they deliver.
    pub async fn lets_through(&self, sender: &str, recipient: &str) -> Result<bool, CoreError> {
        let [sender, recipient] = [sender, recipient].map(|address| address.trim_end_matches('.').to_lowercase());
        self.read(move |conn| {
            // One query for mode and patterns, so that both belong to the same version of the rules.
            let rules = mail_filters::table.filter(mail_filters::email.eq(recipient));
            let rules = rules.select((mail_filters::mode, mail_filters::pattern));
            let rules: Vec<(String, Option<String>)> = both!(conn, |c| rules.load(c))?;
            let Some((mode, _)) = rules.first() else { return Ok(true) };
            // A name without an @ is no address, and on no list.
            let is_named = sender.rsplit_once('@').is_some_and(|(_, domain)| {
                rules.iter().flat_map(|(_, pattern)| pattern).any(|pattern| pattern == &sender || pattern == domain)
            });
            match FilterMode::parse(mode) {
                Some(FilterMode::Allowlist) => Ok(is_named),
                Some(FilterMode::Denylist) => Ok(!is_named),
                Some(FilterMode::Off) | None => Err(corrupt("filter mode")),
            }
        })
        .await
    }
}

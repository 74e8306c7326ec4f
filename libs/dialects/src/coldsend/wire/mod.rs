//! ColdSend's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

mod body;
mod deletions;
mod failure_text;
pub(super) mod faults;
mod inbox_type;
mod jobs;
mod query;
mod requests;
mod responses;
mod schemas;

pub(super) use body::{Faults, read_body};
pub(super) use deletions::{DeletedAccounts, DeletionProgress, to_be_deleted};
pub(super) use failure_text::{refused_login, refused_message};
pub(super) use inbox_type::most_mails_a_day;
pub(super) use jobs::{AcceptedJob, JobProgress};
pub(super) use query::list_query;
pub(super) use requests::{DoomedAccounts, Recipient};
pub(super) use responses::{Account, AccountList, CreatedAccount, DeletedAccount, SentTestEmail};
pub(super) use schemas::{DoomedAccountsBody, NewAccountBody, NewAccountsBody, TestEmailBody};

//! ColdSend's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

mod deletions;
mod failure_text;
mod faults;
mod inbox_type;
mod inspector;
mod jobs;
mod query;
mod requests;
mod responses;

pub(super) use deletions::{DeletedAccounts, DeletionProgress, to_be_deleted};
pub(super) use failure_text::{refused_login, refused_message};
pub(super) use faults::{Faults, FieldFault, Problem, Step};
pub(super) use inbox_type::most_mails_a_day;
pub(super) use inspector::Inspector;
pub(super) use jobs::{AcceptedJob, JobProgress};
pub(super) use query::list_query;
pub(super) use requests::{DoomedAccountsBody, MAX_BULK, NewAccountBody, NewAccountsBody, TestEmailBody, read_body};
pub(super) use responses::{Account, AccountList, CreatedAccount, DeletedAccount, SentTestEmail};

//! SendKit's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

mod accounts;
mod failure_text;
mod filter;
mod health;
mod imports;
mod requests;
mod responses;
mod webhook_events;
mod webhook_requests;
mod webhooks;

pub(super) use accounts::{AccountBody, MessageBody, WorkspaceBody, WorkspaceDetail, WorkspaceKeyBody};
pub(super) use filter::{PageStart, list_query, page_query};
pub(super) use health::HealthBody;
pub(super) use imports::{ImportBody, ImportDetail, ImportForm, ImportProgress, failed_rows, new_import};
pub(super) use requests::{CreateMailboxBody, NameBody, UpdateMailboxBody};
pub(super) use responses::{ConnectionTestBody, CreatedEnvelope, MailboxDetail, MailboxItem, Page, Success};
pub(crate) use webhook_events::Words;
pub(super) use webhook_events::test_event;
pub(super) use webhook_requests::{CreateWebhookBody, UpdateWebhookBody};
pub(super) use webhooks::{WebhookBody, WebhookDeliveryBody, WebhookTestBody, WebhookWithSecret};

//! SendKit's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

mod accounts;
mod failure_text;
mod imports;
mod mailboxes;
mod webhooks;

pub(super) use accounts::{AccountBody, MessageBody, WorkspaceBody, WorkspaceDetail, WorkspaceKeyBody};
pub(super) use imports::{ImportBody, ImportDetail, ImportForm, ImportProgress, failed_rows, new_import};
pub(super) use mailboxes::health::{DnsHealth, HealthBody};
pub(super) use mailboxes::query::{PageStart, list_query, page_query};
pub(super) use mailboxes::requests::{CreateMailboxBody, NameBody, UpdateMailboxBody};
pub(super) use mailboxes::responses::{ConnectionTestBody, CreatedEnvelope, MailboxDetail, MailboxItem, Page, Success};
pub(super) use webhooks::requests::{CreateWebhookBody, UpdateWebhookBody};
pub(super) use webhooks::responses::{WebhookBody, WebhookDeliveryBody, WebhookTestBody, WebhookWithSecret};

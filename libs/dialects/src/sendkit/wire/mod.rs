//! SendKit's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

mod accounts;
mod body;
mod failure_text;
mod imports;
mod mailboxes;
mod webhooks;

pub(super) use accounts::{AccountBody, MessageBody, WorkspaceBody, WorkspaceDetail, WorkspaceKeyBody};
pub(super) use body::{read_body, read_optional_body};
pub(super) use imports::{ImportBody, ImportDetail, ImportForm, ImportProgress, failed_rows, new_import};
pub(super) use mailboxes::health::{DnsHealth, HealthBody};
pub(super) use mailboxes::query::{PageStart, list_query, page_query};
pub(super) use mailboxes::requests::Name;
pub(super) use mailboxes::responses::{ConnectionTestBody, CreatedEnvelope, MailboxDetail, MailboxItem, Page, Success};
pub(super) use mailboxes::schemas::{CreateMailboxBody, NameBody, UpdateMailboxBody};
pub(super) use webhooks::responses::{WebhookBody, WebhookDeliveryBody, WebhookTestBody, WebhookWithSecret};
pub(super) use webhooks::schemas::{CreateWebhookBody, UpdateWebhookBody};

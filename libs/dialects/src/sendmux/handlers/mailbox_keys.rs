//! Handlers about the keys of mailboxes.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::hosted::IssuedKey;

use crate::App;
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::idempotency::{Reply, once_in_transaction};
use crate::sendmux::permissions::Permission;
use crate::sendmux::wire::answer::{self, Deleted, PREFIX, SendmuxOk};
use crate::sendmux::wire::body;
use crate::sendmux::wire::mailboxes::requests::NewKeyBody;
use crate::sendmux::wire::mailboxes::responses::Key;
use crate::sendmux::{auth, ids};

/// Make another key for a mailbox, so that each program has its own.
#[utoipa::path(post, operation_id = "sendmuxCreateMailboxKey", path = "/api/v1/mailboxes/{id}/keys", tag = "Sendmux mailboxes",
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, max_length = 255)),
    request_body = NewKeyBody, responses((status = 201, body = SendmuxOk<Key>)))]
pub(in crate::sendmux) async fn create(
    request: HttpRequest,
    payload: Payload,
    public_id: Path<String>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxManage).await?;
    let raw = body::repeatable(&request, payload).await?;
    let new: NewKeyBody = body::parse(&request, &raw)?;
    let mailbox = app.use_cases.hosted_mailbox(caller.tenant, ids::mailbox::decode(&public_id)?).await?;
    let platform = app.platform.clone();
    let render = move |issued: &IssuedKey| {
        let (mailbox, key) = (ids::mailbox::encode(issued.key.mailbox_id), ids::credential::encode(issued.key.id));
        Reply::created(format!("{PREFIX}/mailboxes/{mailbox}/keys/{key}"), Key::new(issued, &platform))
    };
    let endpoint = "POST /mailboxes/{id}/keys";
    once_in_transaction(&request, &app, &caller, endpoint, &public_id, &raw, render, async |answer| {
        Ok(app.use_cases.create_mailbox_key(caller.tenant, mailbox.id, auth::MAILBOX_KEY, new.app_name, answer).await?)
    })
    .await
}

/// Revoke a key. What it has opened is closed.
#[utoipa::path(delete, operation_id = "sendmuxRevokeMailboxKey", path = "/api/v1/mailboxes/{id}/keys/{key_id}",
    tag = "Sendmux mailboxes", params(("id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, body = SendmuxOk<Deleted>)))]
pub(in crate::sendmux) async fn revoke(
    request: HttpRequest,
    path: Path<(String, String)>,
    app: Data<App>,
) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::caller(&request, &app, Permission::MailboxManage).await?;
    let (mailbox, key) = (ids::mailbox::decode(&path.0)?, ids::credential::decode(&path.1)?);
    app.use_cases.revoke_mailbox_key(caller.tenant, mailbox, key).await?;
    Ok(answer::deleted(&request, ids::credential::encode(key)))
}

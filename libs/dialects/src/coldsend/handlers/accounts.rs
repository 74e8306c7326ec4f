//! `/sender-accounts`, one at a time.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use shared_models::domain::MailboxId;
use shared_models::domain::mailboxes::{NewMailbox, TestEmailState};

use super::{PathId, path_id};
use crate::App;
use crate::coldsend::auth;
use crate::coldsend::errors::{ColdsendError, Failure, Forbidden};
use crate::coldsend::scopes::Scope;
use crate::coldsend::wire::{
    Account, AccountList, CreatedAccount, DeletedAccount, Faults, NewAccountBody, Recipient, SentTestEmail,
    TestEmailBody, list_query, most_mails_a_day, read_body, refused_login, refused_message,
};
use use_cases::{Admission, Unsendable};

const NOT_ACTIVE: &str = "Sender account is not active";

/// Add one account with credentials of your own. Both logins are tried before it is answered.
#[utoipa::path(post, operation_id = "coldsendAddAccount", path = "/api/public/v1/sender-accounts/smtp", tag = "ColdSend sender accounts", request_body = NewAccountBody, responses(
    (status = 201, body = CreatedAccount), (status = 400, body = Failure), (status = 403, body = Forbidden), (status = 409, body = Failure),
))]
pub(in crate::coldsend) async fn create(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Create).await?;
    let mut faults = Faults::default();
    let new: Option<NewMailbox> = read_body(&request, payload, &mut faults).await?;
    match app.use_cases.admit_mailbox(tenant, faults.settle(new)?).await? {
        Admission::Active(mailbox) | Admission::Pending(mailbox) => {
            Ok(HttpResponse::Created().json(CreatedAccount::from(&mailbox)))
        }
        Admission::Refused(finding) => Err(ColdsendError::Refused(refused_login(&finding))),
    }
}

/// List accounts, newest first.
#[utoipa::path(get, operation_id = "coldsendListAccounts", path = "/api/public/v1/sender-accounts", tag = "ColdSend sender accounts", params(
    ("page" = Option<i64>, Query, description = "default 1", minimum = 1, maximum = 1000000),
    ("limit" = Option<i64>, Query, description = "default 20", minimum = 1, maximum = 100),
    ("status" = Option<String>, Query, pattern = "^(PENDING|ACTIVE|PAUSED|DISABLED)?$"),
    ("inbox_type" = Option<String>, Query, pattern = "^(GOOGLE_WORKSPACE|OUTLOOK_365|CUSTOM_SMTP)?$"),
    ("search" = Option<String>, Query, description = "part of address or display name"),
    ("sort_by" = Option<String>, Query, description = "default created_at", pattern = "^(created_at|email_address|display_name|daily_limit)?$"),
    ("sort_order" = Option<String>, Query, description = "default desc", pattern = "^(asc|desc)?$"),
), responses((status = 200, body = AccountList)))]
pub(in crate::coldsend) async fn list(
    request: HttpRequest,
    app: Data<App>,
) -> Result<Json<AccountList>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Read).await?;
    let mut faults = Faults::default();
    let query = list_query(&request, &mut faults);
    let (filter, page, wish) = faults.settle(query)?;
    let found = app.use_cases.list_mailboxes(tenant, filter, page).await?;
    let ids = found.items.iter().map(|mailbox| mailbox.id).collect();
    let sent_today = app.use_cases.sent_today(tenant, ids).await?;
    Ok(Json(AccountList::new(&found, wish, &sent_today)))
}

/// Read one account.
#[utoipa::path(get, operation_id = "coldsendGetAccount", path = "/api/public/v1/sender-accounts/{inbox_id}", tag = "ColdSend sender accounts", params(("inbox_id" = uuid::Uuid, Path)), responses(
    (status = 200, body = Account), (status = 404, body = Failure),
))]
pub(in crate::coldsend) async fn read(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<Account>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Read).await?;
    let mailbox = app.use_cases.mailbox(tenant, path_id("inbox_id", &id, "mailbox")?).await?;
    let sent_today = app.use_cases.sent_today(tenant, vec![mailbox.id]).await?;
    Ok(Json(Account::new(&mailbox, &sent_today)))
}

/// Remove an account for good.
#[utoipa::path(delete, operation_id = "coldsendDeleteAccount", path = "/api/public/v1/sender-accounts/{inbox_id}", tag = "ColdSend sender accounts", params(("inbox_id" = uuid::Uuid, Path)), responses(
    (status = 200, body = DeletedAccount), (status = 404, body = Failure),
))]
pub(in crate::coldsend) async fn remove(
    request: HttpRequest,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<DeletedAccount>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Delete).await?;
    let id: MailboxId = path_id("inbox_id", &id, "mailbox")?;
    app.use_cases.delete_mailbox(tenant, id).await?;
    Ok(Json(DeletedAccount::new(id)))
}

/// Send a test message: real mail, that counts against the daily limit.
#[utoipa::path(post, operation_id = "coldsendSendTestEmail", path = "/api/public/v1/sender-accounts/{inbox_id}/test-email", tag = "ColdSend sender accounts", params(("inbox_id" = uuid::Uuid, Path)),
    request_body = TestEmailBody, responses(
    (status = 200, body = SentTestEmail), (status = 400, body = Failure), (status = 404, body = Failure),
))]
pub(in crate::coldsend) async fn send_test_email(
    request: HttpRequest,
    payload: Payload,
    id: Path<String>,
    app: Data<App>,
) -> Result<Json<SentTestEmail>, ColdsendError> {
    let tenant = auth::tenant(&request, &app, Scope::Create).await?;
    let mut faults = Faults::default();
    let id = PathId::parse("inbox_id", &id, &mut faults);
    let recipient = read_body(&request, payload, &mut faults).await?;
    let (id, Recipient(given, recipient)) = faults.settle(id.zip(recipient))?;
    let mailbox = app.use_cases.mailbox(tenant, id.known("mailbox")?).await?;
    let refused = |why: &str| Err(ColdsendError::Refused(why.to_owned()));
    // An account that was never active is not switched on either.
    if !mailbox.sending_enabled {
        return refused(NOT_ACTIVE);
    }
    let at_most = most_mails_a_day(mailbox.provider);
    match app.use_cases.send_test_email(tenant, mailbox.id, recipient, at_most).await? {
        Ok(email) => match &email.state {
            TestEmailState::Sent => Ok(Json(SentTestEmail::new(&mailbox, given, &email))),
            TestEmailState::Refused(finding) => refused(&refused_message(finding)),
            TestEmailState::Asked | TestEmailState::Sending => Err(ColdsendError::FateUnknown),
        },
        Err(Unsendable::NotActive) => refused(NOT_ACTIVE),
        Err(Unsendable::DailyLimit) => refused("Daily limit of this sender account reached"),
    }
}

//! `GET /me`: what a key is and may do.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::wire::answer::{self, SendmuxOk};
use crate::sendmux::{auth, ids, permissions};

/// The caller: its team, its key and what the key may do.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMe)]
struct Me {
    team: Team,
    credential: Credential,
    /// Name for the connection that the key makes.
    label: String,
    /// Everything that the key may do.
    permissions: Vec<&'static str>,
    /// The mailboxes that the key is limited to: none, for that of a team.
    mailboxes: Vec<MailboxReference>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMyTeam)]
struct Team {
    id: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMyCredential)]
struct Credential {
    id: String,
    /// Keys have no names of their own.
    name: Option<String>,
    /// Always `api_key`.
    r#type: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxMailboxReference)]
struct MailboxReference {
    id: String,
    email: String,
}

/// Read what the key is and may do. Every team key may.
#[utoipa::path(get, operation_id = "sendmuxGetMe", path = "/api/v1/me", tag = "Sendmux", responses(
    (status = 200, body = SendmuxOk<Me>), (status = 304),
))]
pub(in crate::sendmux) async fn read(request: HttpRequest, app: Data<App>) -> Result<HttpResponse, SendmuxError> {
    let caller = auth::any_caller(&request, &app).await?;
    let workspace = app.use_cases.own_workspace(caller.tenant).await?;
    let label = format!("Team key of {}", workspace.name);
    let me = Me {
        team: Team { id: ids::team::encode(workspace.id), name: workspace.name },
        credential: Credential { id: ids::api_key::encode(caller.key), name: None, r#type: "api_key" },
        label,
        permissions: permissions::effective(&caller.granted),
        mailboxes: vec![],
    };
    Ok(answer::tagged(&request, me))
}

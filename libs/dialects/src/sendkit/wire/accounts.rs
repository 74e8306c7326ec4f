//! Workspaces and the account. Workspace ids are called `id` here, not `_id`.

use serde::Serialize;
use serde_json::{Map, Value};
use shared_models::domain::OwnerId;
use shared_models::domain::tenancy::{ApiKey, KeyText, Owner, Workspace};
use utoipa::ToSchema;

use use_cases::WorkspaceOverview;

/// A workspace.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct WorkspaceBody {
    id: String,
    name: String,
    owner_id: String,
    member_count: u32,
    created_at: String,
}

impl From<&Workspace> for WorkspaceBody {
    fn from(workspace: &Workspace) -> Self {
        Self {
            id: workspace.id.to_string(),
            name: workspace.name.clone(),
            owner_id: workspace.owner_id.to_string(),
            member_count: 1,
            created_at: workspace.created_at.to_rfc3339(),
        }
    }
}

/// A workspace with its members and what it uses.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct WorkspaceDetail {
    #[serde(flatten)]
    workspace: WorkspaceBody,
    members: Vec<Member>,
    /// There are none.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    usage: Usage,
    limits: Limits,
}

/// Limits of the plan of the workspace's owner, over all workspaces.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Limits {
    /// null = unlimited.
    #[schema(required)]
    max_mailboxes: Option<i64>,
}

/// Somebody who may act in a workspace.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_id: String,
    role: &'static str,
    joined_at: String,
}

/// Campaigns, leads and mails are not done here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Usage {
    total_campaigns: u32,
    total_leads: u32,
    total_mailboxes: i64,
    total_emails_sent: u32,
}

impl From<&WorkspaceOverview> for WorkspaceDetail {
    fn from(overview: &WorkspaceOverview) -> Self {
        let workspace = &overview.workspace;
        Self {
            workspace: workspace.into(),
            members: vec![Member {
                user_id: workspace.owner_id.to_string(),
                role: "owner",
                joined_at: workspace.created_at.to_rfc3339(),
            }],
            settings: Map::new(),
            usage: Usage {
                total_campaigns: 0,
                total_leads: 0,
                total_mailboxes: overview.mailboxes,
                total_emails_sent: 0,
            },
            limits: Limits { max_mailboxes: overview.plan.max_mailboxes },
        }
    }
}

/// A new key, shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit) struct WorkspaceKeyBody {
    api_key: String,
    created_at: String,
    created_by: String,
}

impl WorkspaceKeyBody {
    pub(in crate::sendkit) fn new(key: &ApiKey, text: &KeyText) -> Self {
        Self {
            api_key: text.expose().to_owned(),
            created_at: key.created_at.to_rfc3339(),
            created_by: key.owner_id.to_string(),
        }
    }
}

/// The owner behind a platform key.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct AccountBody {
    id: String,
    name: String,
    email: String,
    #[schema(required)]
    image: Option<String>,
    /// `active` or `none`.
    tier: &'static str,
    workspaces: Vec<Membership>,
}

/// A workspace of the account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Membership {
    workspace_id: String,
    role: &'static str,
    joined_at: String,
}

impl AccountBody {
    pub(in crate::sendkit) fn new(owner: &Owner, workspaces: &[Workspace]) -> Self {
        let id: OwnerId = owner.id;
        Self {
            id: id.to_string(),
            name: owner.name.clone(),
            email: owner.email.clone(),
            image: None,
            tier: if owner.plan.subscription_active { "active" } else { "none" },
            workspaces: workspaces
                .iter()
                .map(|workspace| Membership {
                    workspace_id: workspace.id.to_string(),
                    role: "owner",
                    joined_at: workspace.created_at.to_rfc3339(),
                })
                .collect(),
        }
    }
}

/// A short confirmation.
#[derive(Serialize, ToSchema)]
pub(in crate::sendkit) struct MessageBody {
    message: &'static str,
}

impl MessageBody {
    pub(in crate::sendkit) fn new(message: &'static str) -> Self {
        Self { message }
    }
}

//! The first start: on an empty database an owner, a workspace and one key of each kind are
//! made and printed, once.

use dialects::DIALECTS;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyReach, Plan};
use shared_models::store::{NewApiKey, Store};

const OWNER: &str = "owner@localhost";
const WORKSPACE: &str = "default";

/// What was made, to be shown once.
pub(crate) struct Welcome {
    workspace_id: String,
    keys: Vec<(&'static str, String)>,
}

/// Sets an empty database up; does nothing on any other.
pub(crate) async fn first_start(store: &Store) -> Result<Option<Welcome>, CoreError> {
    if !store.is_empty().await? {
        return Ok(None);
    }
    let owner = store.create_owner(OWNER, Plan { subscription_active: true, max_mailboxes: None }).await?;
    let workspace = store.create_workspace(owner.id, WORKSPACE).await?;
    let mut keys = Vec::new();
    for &kind in dialects::key_kinds(DIALECTS) {
        let workspace = (kind.reach == KeyReach::Workspace).then_some(workspace.id);
        let (_, text) = store.create_api_key(NewApiKey { kind, owner: owner.id, workspace, scopes: vec![] }).await?;
        keys.push((kind.name, text.expose().to_owned()));
    }
    Ok(Some(Welcome { workspace_id: workspace.id.to_string(), keys }))
}

impl Welcome {
    /// On standard output, not in the log.
    pub(crate) fn print(&self, url: &str) {
        println!("\nMailmoor is set up. These keys are shown this once:\n");
        for (kind, key) in &self.keys {
            println!("  {:<18} {key}", kind);
        }
        println!(
            "\n  workspace          {WORKSPACE} ({}), owner {OWNER}, active plan, unlimited mailboxes",
            self.workspace_id
        );
        println!("  open               {url}/openapi.json\n");
    }
}

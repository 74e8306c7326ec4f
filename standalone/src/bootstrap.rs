//! The first start: on an empty database an owner, a workspace and one key for each dialect are made and printed,
//! once, with a command that adds a first mailbox.

use dialects::DIALECTS;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyReach, Plan};
use shared_models::store::{NewApiKey, Store};

const OWNER: &str = "owner@localhost";
const WORKSPACE: &str = "default";

/// The keys of a database that was set up just now. Nothing else knows their texts.
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
        println!("{}", self.text(url));
    }

    fn text(&self, url: &str) -> String {
        let keys: String = self.keys.iter().map(|(kind, key)| format!("  {:<18} {key}\n", kind)).collect();
        let key = self.keys.iter().find(|(kind, _)| *kind == "sendkit-workspace");
        let commands = key.map_or(String::new(), |(_, key)| first_mailbox(url, key));
        let id = &self.workspace_id;
        format!(
            "
Mailmoor is set up. These keys are shown this once:

{keys}
  workspace          {WORKSPACE} ({id}), owner {OWNER}, active plan, unlimited mailboxes
  open               {url}/openapi.json

{commands}"
        )
    }
}

/// Commands to paste. In capitals is what nobody but the reader knows.
fn first_mailbox(url: &str, key: &str) -> String {
    format!(
        r#"Add a mailbox, with its own ADDRESS, HOSTs and PASSWORD in place of the words in capitals:

curl {url}/v1/mailboxes -H 'X-Api-Key: {key}' -H 'Content-Type: application/json' -d '{{
  "email": "ADDRESS",
  "smtp": {{"host": "SMTP_HOST", "port": 587, "password": "PASSWORD"}},
  "imap": {{"host": "IMAP_HOST", "port": 993}}
}}'

Ask how its logins went; ID is the _id of the answer:

curl {url}/v1/mailboxes/ID/connection-test -H 'X-Api-Key: {key}'

docs/tour.md goes on from here; scripts/demo has mail servers to try it with.
"#
    )
}

//! A customer: an owner with a plan, one workspace, one key, all made on the command line.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::{Client, Deployment};

/// How many mailboxes an owner may have.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// As many as they like.
    Unlimited,
    Mailboxes(u32),
}

impl Plan {
    fn argument(self) -> String {
        match self {
            Self::Unlimited => "unlimited".to_owned(),
            Self::Mailboxes(number) => number.to_string(),
        }
    }
}

/// An owner with a workspace, and a client that holds the key of it.
pub struct Tenant {
    pub owner: String,
    pub workspace: String,
    /// Text of the workspace's key.
    pub key: String,
    pub api: Client,
}

impl Deployment {
    /// A new owner with an active subscription, a workspace `main` and its key.
    pub async fn tenant(&self, plan: Plan) -> Tenant {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let owner = format!("owner{}@owners.test", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.admin(&["owner", "create", &owner, "--max-mailboxes", &plan.argument()]).await;
        let (workspace, api, key) = self.workspace(&owner, "main").await;
        Tenant { owner, workspace, key, api }
    }

    /// A new workspace of an owner: its id, a client, and the key that the client holds.
    pub async fn workspace(&self, owner: &str, name: &str) -> (String, Client, String) {
        let made = self.admin(&["workspace", "create", name, "--owner", owner]).await;
        let workspace = text(&made, "id");
        let key = self.admin(&["key", "create", "--kind", "sendkit-workspace", "--workspace", &workspace]).await;
        let key = text(&key, "key");
        (workspace, self.anonymous().with_header("X-Api-Key", &key), key)
    }

    /// A new platform key of the owner.
    pub async fn platform_key(&self, tenant: &Tenant) -> String {
        let made = self.admin(&["key", "create", "--kind", "sendkit-platform", "--owner", &tenant.owner]).await;
        text(&made, "key")
    }

    /// Changes the plan of the owner.
    pub async fn set_plan(&self, tenant: &Tenant, plan: Plan) {
        self.admin(&["owner", "plan", &tenant.owner, "--max-mailboxes", &plan.argument()]).await;
    }

    /// How many mailboxes count on the owner's plan, as the API reports it: the plan is closed, and
    /// then one more mailbox is asked for.
    pub async fn usage(&self, tenant: &Tenant, plan: Plan) -> i64 {
        self.set_plan(tenant, Plan::Mailboxes(0)).await;
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let reply = tenant.api.create(&crate::mailbox("one-more@lab.test", "x", nowhere, nowhere)).await;
        self.set_plan(tenant, plan).await;
        let error = reply.error(403, "LIMIT_REACHED");
        assert_eq!((error["maxMailboxes"].as_i64(), error["requested"].as_i64()), (Some(0), Some(1)), "{error}");
        error["currentUsage"].as_i64().unwrap()
    }
}

fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("no {member} in {object}")).to_owned()
}

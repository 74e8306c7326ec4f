//! The ColdSend dialect, as a customer would use it.

use serde_json::{Value, json};

use crate::{Client, Deployment, Tenant, eventually};

impl Deployment {
    /// A client with a new ColdSend key of the tenant's workspace, and the key.
    pub async fn coldsend(&self, tenant: &Tenant) -> (Client, String) {
        let made = self.admin(&["key", "create", "--kind", "coldsend", "--workspace", &tenant.workspace]).await;
        let key = made["key"].as_str().expect("a key").to_owned();
        (self.anonymous().with_header("X-API-Key", &key), key)
    }
}

impl Client {
    /// Polls the progress of a job until it is completed; the job.
    pub async fn coldsend_job(&self, path: &str) -> Value {
        eventually("the job to be completed", || async {
            let reply = self.get(path).await;
            let job = &reply.body["job"];
            if job["status"] == json!("COMPLETED") { Ok(job.clone()) } else { Err(reply.text) }
        })
        .await
    }
}

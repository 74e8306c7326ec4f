//! The Sendmux dialect, as a customer would use it.

use mail_lab::Knot;
use serde_json::json;

use crate::{Client, Deployment, Tenant};

impl Deployment {
    /// A client with a new root key of the tenant's workspace.
    pub async fn sendmux(&self, tenant: &Tenant) -> Client {
        let made = self.admin(&["key", "create", "--kind", "sendmux-root", "--workspace", &tenant.workspace]).await;
        let key = made["key"].as_str().expect("a key");
        self.anonymous().with_header("Authorization", &format!("Bearer {key}"))
    }
}

impl Client {
    /// Adds a domain, publishes the requested records at the name server of the deployment, and has it verified; its id.
    pub async fn verified_domain(&self, name: &str, names: &Knot) -> String {
        let added = self.post("/api/v1/domains", &json!({"domain": name})).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let id = added.body["data"]["id"].as_str().expect("an id").to_owned();
        let zone = self.get(&format!("/api/v1/domains/{id}/zone-file")).await.text;
        names.set_zone(name, &zone).unwrap();
        let verified = self.post(&format!("/api/v1/domains/{id}/verify"), &json!({})).await;
        assert_eq!((verified.status, &verified.body["data"]["status"]), (200, &json!("verified")), "{}", verified.text);
        id
    }
}

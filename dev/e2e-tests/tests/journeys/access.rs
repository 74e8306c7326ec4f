//! Access: keys, workspaces, ids and paths.

use e2e_tests::{Client, Plan, Tenant, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;

const ID: &str = "66c0ffee12ab34cd56ef7890";

fn body(server: &ScriptedServer, email: &str) -> Value {
    mailbox(email, "right", server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit))
}

/// Every route that needs a key.
fn routes() -> Vec<(Method, String)> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    [
        (&post, "mailboxes".to_owned()),
        (&get, "mailboxes".to_owned()),
        (&get, format!("mailboxes/{ID}")),
        (&patch, format!("mailboxes/{ID}")),
        (&delete, format!("mailboxes/{ID}")),
        (&get, format!("mailboxes/{ID}/connection-test")),
        (&get, format!("mailboxes/{ID}/health")),
        (&get, "workspaces".to_owned()),
        (&post, "workspaces".to_owned()),
        (&get, format!("workspaces/{ID}")),
        (&patch, format!("workspaces/{ID}")),
        (&delete, format!("workspaces/{ID}")),
        (&post, format!("workspaces/{ID}/api-key")),
        (&get, "account".to_owned()),
        (&patch, "account".to_owned()),
    ]
    .map(|(method, path)| (method.clone(), format!("/v1/{path}")))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_key_every_door_is_shut() {
    let system = setup().start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let anonymous = system.anonymous();
    let revoked = system.platform_key(&tenant).await;
    let keys = system.admin(&["key", "list"]).await;
    let newest = keys["items"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let with_revoked = anonymous.with_header("X-Api-Key", &revoked);
    with_revoked.get("/v1/account").await.data(200);
    system.admin(&["key", "revoke", &newest]).await;
    let made = system.admin(&["key", "create", "--kind", "coldsend", "--workspace", &tenant.workspace]).await;
    let coldsend = made["key"].as_str().unwrap();

    let almost = format!("{}0", &tenant.key[..tenant.key.len() - 1]);
    let almost = if almost == tenant.key { format!("{}1", &tenant.key[..tenant.key.len() - 1]) } else { almost };
    let strangers: [(&str, Client); 9] = [
        ("no key", anonymous.clone()),
        ("an empty key", anonymous.with_header("X-Api-Key", "")),
        ("an unknown key", anonymous.with_header("X-Api-Key", &format!("sk_{}", "0".repeat(48)))),
        ("a key that is nearly right", anonymous.with_header("X-Api-Key", &almost)),
        ("half a key", anonymous.with_header("X-Api-Key", &tenant.key[..20])),
        ("a revoked key", with_revoked),
        ("a key of another dialect", anonymous.with_header("X-Api-Key", coldsend)),
        ("another scheme", anonymous.with_header("Authorization", &format!("Basic {}", tenant.key))),
        // X-Api-Key decides; there is no falling back.
        (
            "a bad key beside a good one",
            tenant.api.with_header("X-Api-Key", "x").with_header("Authorization", &format!("Bearer {}", tenant.key)),
        ),
    ];
    for (who, client) in &strangers {
        for (method, path) in routes() {
            // The body is broken too: that is nobody's business without a key.
            let request = client.request(method.clone(), &path).header("Content-Type", "application/json").body("{");
            let reply = client.send(request).await.unwrap();
            assert_eq!(reply.status, 401, "{who}: {method} {path}: {}", reply.text);
            reply.error(401, "UNAUTHORIZED");
        }
    }
    let bearer = anonymous.with_header("Authorization", &format!("bearer {}", tenant.key));
    bearer.get("/v1/mailboxes").await.data(200);
    // Even ten megabytes are answered, not cut off.
    let request = anonymous.request(Method::POST, "/v1/mailboxes").body(vec![b'x'; 10 * 1024 * 1024]);
    anonymous.send(request).await.unwrap().error(401, "UNAUTHORIZED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailboxes_of_others_do_not_exist() {
    let server = ScriptedServer::builder().account("dana@example.test", "right").start().unwrap();
    let system = setup().shared().await;
    let (owner, stranger) = (system.tenant(Plan::Unlimited).await, system.tenant(Plan::Unlimited).await);
    let active = owner.api.add(&body(&server, "dana@example.test")).await;
    owner.api.active(&active).await;
    // Refused and gone: what is left of it is nobody else's either.
    let refused = owner.api.add(&body(&server, "erik@example.test")).await;
    owner.api.refused(&refused).await;

    let sibling = system.workspace(&owner.owner, "sibling").await.1;
    for foreign in [&stranger.api, &sibling] {
        let malformed = ["x", "0", "%00", "%20", &active[1..], &format!("{active}0"), &active.replace('0', "g")];
        for id in [active.as_str(), &refused, ID].into_iter().chain(malformed) {
            for (method, path) in routes().into_iter().filter(|(_, path)| path.contains("mailboxes/")) {
                let path = path.replace(ID, id);
                let reply = foreign.send(foreign.request(method.clone(), &path)).await.unwrap();
                assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text);
                reply.error(404, "NOT_FOUND");
            }
        }
        assert_eq!(foreign.count("").await, 0);
        let id = &owner.workspace;
        foreign.get(&format!("/v1/workspaces/{id}")).await.error(404, "NOT_FOUND");
        foreign.patch(&format!("/v1/workspaces/{id}"), &json!({"name": "mine"})).await.error(404, "NOT_FOUND");
    }
    owner.api.active(&active).await;
    assert_eq!(owner.api.connection_test(&refused).await["status"], "failed");
}

fn acting_in(client: &Client, workspace: &str) -> Client {
    client.with_header("X-Workspace-Id", workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_key_says_in_which_workspace_it_acts() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().shared().await;
    let (tenant, other): (Tenant, Tenant) =
        (system.tenant(Plan::Unlimited).await, system.tenant(Plan::Unlimited).await);
    let platform = system.anonymous().with_header("X-Api-Key", &system.platform_key(&tenant).await);
    let body = body(&server, "dana@example.test");

    let reply = platform.create(&body).await;
    let error = reply.error(400, "VALIDATION_ERROR");
    assert!(error["message"].as_str().unwrap().starts_with("X-Workspace-Id "), "{error}");
    for foreign in [other.workspace.as_str(), ID, "x", ""] {
        acting_in(&platform, foreign).create(&body).await.error(403, "FORBIDDEN");
        acting_in(&tenant.api, foreign).create(&body).await.error(403, "FORBIDDEN");
    }
    let id = acting_in(&platform, &tenant.workspace).add(&body).await;
    acting_in(&tenant.api, &tenant.workspace).active(&id).await;

    let account = platform.get("/v1/account").await.data(200).clone();
    assert_eq!(
        (&account["email"], &account["workspaces"][0]["workspaceId"]),
        (&json!(tenant.owner), &json!(tenant.workspace))
    );
    tenant.api.get("/v1/account").await.error(403, "FORBIDDEN");
    tenant.api.post("/v1/workspaces", &json!({"name": "more"})).await.error(403, "FORBIDDEN");

    // A workspace that is opened with the API works like one of the command line.
    let opened =
        platform.post("/v1/workspaces", &json!({"name": "more"})).await.data(201)["id"].as_str().unwrap().to_owned();
    let made = platform.post(&format!("/v1/workspaces/{opened}/api-key"), &json!({})).await;
    let key = made.data(201)["apiKey"].as_str().unwrap();
    assert!(key.len() == 51 && key.starts_with("sk_") && key[3..].bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    platform.post(&format!("/v1/workspaces/{opened}/api-key"), &json!({})).await.error(409, "CONFLICT");
    system.anonymous().with_header("X-Api-Key", key).add(&body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods_that_do_not_exist() {
    let system = setup().shared().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/mailboxes/a/b",
        &format!("/v1/mailboxes/{ID}/nothing"),
        "/v1/mailboxes/a/health/b",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            api.send(api.request(method, path)).await.unwrap().error(404, "NOT_FOUND");
        }
    }
    for (method, path) in [
        (Method::PUT, "/v1/mailboxes"),
        (Method::DELETE, "/v1/mailboxes"),
        (Method::PATCH, "/v1/mailboxes"),
        (Method::POST, &*format!("/v1/mailboxes/{ID}")),
        (Method::PUT, &*format!("/v1/mailboxes/{ID}")),
        (Method::POST, &*format!("/v1/mailboxes/{ID}/connection-test")),
        (Method::DELETE, &*format!("/v1/mailboxes/{ID}/health")),
        (Method::POST, "/v1/account"),
        (Method::GET, &*format!("/v1/workspaces/{ID}/api-key")),
    ] {
        api.send(api.request(method, path)).await.unwrap().error(405, "METHOD_NOT_ALLOWED");
    }
    // Clients that join a base URL with a trailing slash.
    api.get("//v1//mailboxes/").await.data(200);
}

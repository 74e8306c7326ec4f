//! A planted password is found nowhere but inside the ciphertext: not in the log at its most
//! talkative, not in an answer, not in anything that is kept.

mod bulk;
mod search;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e_tests::{Client, Deployment, Plan, Tenant, mailbox};
use mail_lab::scripted::{
    AfterAuth, Auth, Behaviour, Greeting, Listener, Protocol, Reply, ScriptedServer, Starttls, Tls,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::setup;
use search::Search;

/// A password with a core of letters and digits, which no escaping and no cutting at punctuation
/// changes. What is done to the rest of it (quotes, a backslash) does not matter for finding it.
fn planted(name: &str) -> String {
    format!("{}\"\\ é", core(name))
}

fn core(name: &str) -> String {
    format!("Pl4nted{name}Zq7w")
}

/// Looks into everything that the system has written or said. Addresses are kept in the clear, and found.
fn nowhere(system: &Deployment, secrets: &[String]) {
    let places = system.traces();
    let search = Search::new(&[user("Good")]);
    let mut kept = places.iter().filter(|(place, _)| !place.ends_with(".stderr") && place != "the answers");
    assert!(kept.any(|(_, content)| search.find(content).is_some()), "the database is among the places");
    let search = Search::new(secrets);
    for (place, content) in &places {
        if let Some(found) = search.find(content) {
            panic!("in {place}: {found}");
        }
    }
}

fn server() -> mail_lab::scripted::Builder {
    ScriptedServer::builder()
}

fn user(name: &str) -> String {
    format!("{}@example.test", name.to_lowercase())
}

fn at(server: &ScriptedServer, name: &str) -> Value {
    let mut body =
        mailbox(&user(name), &planted(name), server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    body["imap"]["password"] = json!(planted(&format!("{name}Imap")));
    body
}

/// Both passwords of a mailbox.
fn secrets_of(name: &str) -> [String; 2] {
    [core(name), core(&format!("{name}Imap"))]
}

/// Replies of a talkative server: the password in clear, and in the forms that it had on the wire.
fn echo(user: &str, password: &str, reply: &str) -> Reply {
    let (plain, encoded) = (STANDARD.encode(format!("\0{user}\0{password}")), STANDARD.encode(password));
    Reply::Text(format!("{reply} user {user} password {password} is {encoded} or {plain} refused here"))
}

/// Servers that answer with what they have heard. Each fails in its own way; the words must come
/// back without the secret.
async fn talkative_servers(api: &Client) -> Vec<String> {
    let server = server().accept_all().start().unwrap();
    let cases = [
        ("EchoSmtp", Protocol::Smtp, "535 5.7.8 Error:"),
        ("EchoImap", Protocol::Imap, "NO [AUTHENTICATIONFAILED] Sorry:"),
        ("EchoBusy", Protocol::Smtp, "454 4.7.0 Temporary authentication failure:"),
        ("EchoBye", Protocol::Imap, "* BYE"),
        ("EchoOdd", Protocol::Smtp, "999 odd"),
    ];
    let mut secrets = Vec::new();
    for (name, protocol, reply) in cases {
        let [smtp, imap] = [planted(name), planted(&format!("{name}Imap"))];
        let password = if protocol == Protocol::Smtp { smtp } else { imap };
        server.set_auth(protocol, &user(name), Auth::Scripted(echo(&user(name), &password, reply)));
        let test = api.refused(&api.add(&at(&server, name)).await).await;
        // The rest of what the server said is passed on, so the words were really looked at.
        let told = test["serverReply"].as_str().is_some_and(|words| words.contains("refused here"));
        assert!(told || ["EchoBye", "EchoOdd"].contains(&name), "{test}");
        secrets.extend(secrets_of(name));
    }
    secrets
}

/// Connections that end before, at or after the password.
async fn broken_sessions(api: &Client) -> Vec<String> {
    let after = |after_auth| Behaviour { after_auth, ..Behaviour::default() };
    let cases = [
        ("Expired", Behaviour { tls: Tls::Expired, ..Behaviour::default() }),
        ("Alert", Behaviour { tls: Tls::Alert, ..Behaviour::default() }),
        ("Bare", Behaviour { starttls: Starttls::NotOffered, plaintext_auth: true, ..Behaviour::default() }),
        (
            "Injected",
            Behaviour { starttls: Starttls::Injected(b"250 AUTH PLAIN\r\n".to_vec()), ..Behaviour::default() },
        ),
        (
            "Greeting",
            Behaviour {
                greeting: Greeting::Scripted(echo(&user("Greeting"), &planted("Greeting"), "554 5.3.2")),
                ..Behaviour::default()
            },
        ),
        ("Drop", after(AfterAuth::Drop)),
        ("Bye", after(AfterAuth::Bye(format!("421 4.3.2 {}", planted("Bye"))))),
        ("Huge", Behaviour { auth: Auth::Scripted(Reply::HugeLine(200_000)), ..Behaviour::default() }),
    ];
    let mut secrets = Vec::new();
    for (name, behaviour) in cases {
        let server = server().accept_all().behaviour(Listener::SMTP, behaviour).start().unwrap();
        api.settled(&api.add(&at(&server, name)).await).await;
        secrets.extend(secrets_of(name));
    }
    secrets
}

/// Requests that are refused, with a password in every place where one may land by mistake.
async fn bad_requests(api: &Client, anonymous: &Client) -> Vec<String> {
    let nobody = server().start().unwrap();
    let good = at(&nobody, "Body");
    let mut bodies: Vec<(u16, Value)> = Vec::new();
    for field in ["email", "displayName", "provider", "signature", "tags", "dailySendLimit", "smtp", "imap"] {
        let mut body = good.clone();
        body[field] = match field {
            "displayName" | "signature" => json!([planted("Body")]),
            _ => json!(planted("Body")),
        };
        bodies.push((400, body));
    }
    for member in ["host", "port", "secure", "username", "password"] {
        let mut body = good.clone();
        body["smtp"][member] = match member {
            "username" | "password" => json!({"value": planted("Body")}),
            _ => json!(planted("Body")),
        };
        bodies.push((400, body));
    }
    for password in [format!("{}\r\nQUIT", planted("Body")), planted("Body").repeat(100)] {
        let mut body = good.clone();
        body["smtp"]["password"] = json!(password);
        bodies.push((400, body));
    }
    for (status, body) in bodies {
        let reply = api.create(&body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    let text = good.to_string();
    let raw = |client: &Client, kind: &str, body: String| {
        client.request(Method::POST, "/v1/mailboxes").header("Content-Type", kind).body(body)
    };
    let broken = text.replacen("\"port\":", "\"port\"", 1);
    let huge = format!("{text}{}", " ".repeat(300 * 1024));
    for (status, client, kind, body) in [
        (400, api, "application/json", broken),
        (400, api, "application/json", text[..text.len() - 1].to_owned()),
        (400, api, "application/json", json!(planted("Body")).to_string()),
        (413, api, "application/json", huge),
        (415, api, "text/plain", text.clone()),
        (401, anonymous, "application/json", text.clone()),
    ] {
        let reply = client.send(raw(client, kind, body)).await.unwrap();
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    let reply = api.patch("/v1/mailboxes/66c0ffee12ab34cd56ef7890", &good).await;
    reply.error(404, "NOT_FOUND");
    secrets_of("Body").to_vec()
}

/// Accepted, refused, deleted, and asked for twice.
async fn ordinary_mailboxes(system: &Deployment, tenant: &Tenant) -> Vec<String> {
    let (api, server) = (&tenant.api, server().accept_all().start().unwrap());
    let good = at(&server, "Good");
    let id = api.add(&good).await;
    api.active(&id).await;
    api.health(&id).await;
    api.create(&good).await.error(409, "CONFLICT");
    let refusing = self::server().start().unwrap();
    let test = api.refused(&api.add(&at(&refusing, "Bad")).await).await;
    assert_eq!(test["code"], "AUTH_BAD_CREDENTIALS");
    let gone = api.add(&at(&server, "Gone")).await;
    api.active(&gone).await;
    api.delete(&format!("/v1/mailboxes/{gone}")).await.data(200);
    system.usage(tenant, Plan::Unlimited).await;
    api.patch(&format!("/v1/mailboxes/{id}"), &good).await.data(200);
    ["Good", "Bad", "Gone"].into_iter().flat_map(secrets_of).collect()
}

/// Every key that was sent, good or not.
async fn keys(system: &Deployment, tenant: &Tenant) -> Vec<String> {
    let platform = system.platform_key(tenant).await;
    let mistyped = format!("sk_{}", "5ec2e7".repeat(8));
    let anonymous = system.anonymous();
    for key in [&platform, &mistyped, &tenant.key] {
        for client in
            [anonymous.with_header("X-Api-Key", key), anonymous.with_header("Authorization", &format!("Bearer {key}"))]
        {
            client.get("/v1/mailboxes").await;
            client.get("/v1/nothing").await;
            client.post("/v1/mailboxes", &json!({})).await;
        }
    }
    vec![platform, mistyped, tenant.key.clone()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_password_is_found_nowhere() {
    let mut system = setup()
        .with("RUST_LOG", "trace")
        .with("MAILMOOR__VERIFIER__ATTEMPTS", 2)
        .with("MAILMOOR__VERIFIER__RETRY_BASE_MS", 20)
        .start()
        .await;
    let tenant = system.tenant(Plan::Unlimited).await;
    let mut secrets = ordinary_mailboxes(&system, &tenant).await;
    secrets.extend(talkative_servers(&tenant.api).await);
    secrets.extend(broken_sessions(&tenant.api).await);
    secrets.extend(bad_requests(&tenant.api, &system.anonymous()).await);
    secrets.extend(bulk::imports(&tenant.api).await);
    secrets.extend(bulk::coldsend(&system, &tenant).await);
    secrets.extend(keys(&system, &tenant).await);
    secrets.push(system.master_key());
    // One more is being verified when the process is killed, and its event still in the queue.
    let mute = server().accept_all().start().unwrap();
    mute.set_auth(Protocol::Smtp, "flight@example.test", Auth::Scripted(Reply::Silent));
    tenant.api.add(&at(&mute, "Flight")).await;
    mute.wait_until(|stats| stats.logins(Protocol::Smtp, "flight@example.test").attempts == 1).await;
    secrets.extend(secrets_of("Flight"));
    system.kill9().await;

    let log = system.log();
    assert!(log.contains(" TRACE ") && log.contains("code=AUTH_BAD_CREDENTIALS"), "the log is as talkative as can be");
    nowhere(&system, &secrets);

    mute.clear_auth(Protocol::Smtp, "flight@example.test");
    system.restart().await;
    system.terminate().await;
    nowhere(&system, &secrets);
}

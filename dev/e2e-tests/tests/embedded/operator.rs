//! Texts for the operator of one process: the output of the first start, warnings in the log, words of `admin`.

use std::os::unix::fs::PermissionsExt;

use e2e_tests::{Plan, mailbox};
use mail_lab::scripted::{Listener, ScriptedServer};
use reqwest::Method;

use crate::setup;

/// Kind and text of each printed key.
fn printed_keys(output: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        ["sk_", "user_", "cs_", "smx_"].iter().any(|p| key.starts_with(p)).then(|| (kind.to_owned(), key.to_owned()))
    };
    output.lines().filter_map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_gives_keys_once() {
    let mut system = setup().start().await;
    let output = system.output();
    let keys = printed_keys(&output);
    let key = |kind: &str| keys.iter().find(|(of, _)| of == kind).map(|(_, key)| key.as_str());
    let workspace_key = key("sendkit-workspace").unwrap_or_else(|| panic!("no key in {output}"));
    assert!(key("sendkit-platform").is_some_and(|key| key.starts_with("sk_user_")), "{output}");
    assert!(!system.log().contains(workspace_key), "printed, not logged");
    let api = system.anonymous().with_header("X-Api-Key", workspace_key);
    api.get("/v1/mailboxes").await.data(200);

    for stop in ["SIGTERM", "SIGKILL"] {
        if stop == "SIGTERM" {
            system.terminate().await;
        } else {
            system.kill9().await;
        }
        system.restart().await;
        api.get("/v1/mailboxes").await.data(200);
    }
    assert_eq!(system.output(), output, "keys are shown once");
    for (path, mode) in [("", 0o700), ("master.key", 0o600)] {
        let path = system.data_dir().join(path);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

/// The words of a printed command, as a shell would split it: single quotes only.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![];
    for (number, part) in command.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// A curl command in the output: path below `base`, headers, body.
fn request(base: &str, command: &str) -> (String, Vec<(String, String)>, Option<String>) {
    let mut words = words(command).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{command}");
    let (mut path, mut headers, mut body) = (None, vec![], None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" => {
                let header = words.next().unwrap();
                let (name, value) = header.split_once(": ").unwrap();
                headers.push((name.to_owned(), value.to_owned()));
            }
            "-d" => body = words.next(),
            url => path = Some(url.strip_prefix(base).unwrap_or_else(|| panic!("{url} is not at {base}")).to_owned()),
        }
    }
    (path.unwrap(), headers, body)
}

/// Pasted and filled in, the printed commands add a mailbox and say how its logins went.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_prints_commands_that_work() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().start().await;
    let output = system.output();
    assert!(output.contains("docs/tour.md"), "{output}");
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let filled = output
        .replace("\"ADDRESS\"", "\"dana@example.test\"")
        .replace("\"PASSWORD\"", "\"x\"")
        .replace("\"SMTP_HOST\", \"port\": 587", &format!("\"{}\", \"port\": {}", smtp.ip(), smtp.port()))
        .replace("\"IMAP_HOST\", \"port\": 993", &format!("\"{}\", \"port\": {}", imap.ip(), imap.port()));
    // A command ends with an empty line.
    let commands: Vec<&str> = filled.split("\n\n").filter(|text| text.starts_with("curl ")).collect();
    let [add, ask] = commands[..] else { panic!("{output}") };

    let client = system.anonymous();
    let base = client.url("");
    let (path, headers, body) = request(&base, add);
    let mut post = client.request(Method::POST, &path).body(body.unwrap());
    for (name, value) in headers {
        post = post.header(name, value);
    }
    let id = client.send(post).await.unwrap().data(201)["_id"].as_str().unwrap().to_owned();
    let (path, headers, body) = request(&base, &ask.replace("/ID/", &format!("/{id}/")));
    assert_eq!((path, body), (format!("/v1/mailboxes/{id}/connection-test"), None));
    let [(name, key)] = &headers[..] else { panic!("{headers:?}") };
    client.with_header(name, key).active(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_spelt_with_single_underscores_is_warned_of() {
    let system = setup().with("MAILMOOR_VERIFIER_CONCURRENCY", 3).with("MAILMOOR_API_KEY", "sesame").start().await;
    let log = system.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains(" WARN ") && line.contains("MAILMOOR")).collect();
    let [warning] = warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.contains("MAILMOOR_VERIFIER_CONCURRENCY"), "{warning}");
    assert!(warning.contains("MAILMOOR__VERIFIER__CONCURRENCY"), "{warning}");
    assert!(!log.contains("sesame"));
}

/// The tenant must not learn from an answer what stands in our network; the operator must be able to permit it.
#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_address_is_explained_to_the_operator_only() {
    let system = setup().start().await;
    let api = system.tenant(Plan::Unlimited).await.api;
    let inside = "10.0.0.5:587".parse().unwrap();
    for email in ["dana@example.test", "erik@example.test"] {
        let id = api.add(&mailbox(email, "x", inside, inside)).await;
        let test = api.refused(&id).await;
        assert_eq!(test["code"], "NET_TARGET_FORBIDDEN", "{test}");
        assert!(!test.to_string().contains("MAILMOOR") && !test.to_string().contains("10.0.0.5"), "{test}");
    }
    let line = "10.0.0.5 is refused: private address; MAILMOOR__EGRESS__ALLOWED_NETWORKS permits it";
    assert_eq!(system.log().matches(line).count(), 1, "once a host");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_below_the_usage_is_remarked() {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let system = setup().start().await;
    let tenant = system.tenant(Plan::Unlimited).await;
    for email in ["dana@example.test", "erik@example.test"] {
        let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
        let id = tenant.api.add(&mailbox(email, "x", smtp, imap)).await;
        tenant.api.active(&id).await;
    }
    let plan = ["admin", "owner", "plan", &tenant.owner, "--max-mailboxes", "1"];
    let said = system.run(&plan).await.stdout;
    assert!(said.contains("2 of 1 mailboxes: 1 over the plan; nothing is deleted, nothing can be added"), "{said}");
    assert_eq!(system.admin(&plan[1..]).await["overPlan"], 1);
}

//! A team of Sendmux moves over with the client library that it has: two generations of it, with nothing changed
//! but the base URL, against DNS, a mail platform, a submission server and a webhook receiver that are all real.

use std::process::Stdio;

use e2e_tests::Plan;
use mail_lab::scripted::Listener;
use mail_lab::{CertSpec, Dovecot, DovecotOptions, Knot, MailPlatform, MailPlatformPorts, TestCa};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::{python, setup};

const RELAY_USER: &str = "relay@example.test";
const RELAY_PASSWORD: &str = "relay \"pass\" %w";

/// Records that the script wants published go to the name server; the rest it does by itself.
async fn follow(mut script: tokio::process::Child, names: &Knot) {
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut input = script.stdin.take().unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        let wish: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        names.set_zone("team.test", wish["publish"].as_str().unwrap()).unwrap();
        input.write_all(b"done\n").await.unwrap();
    }
    let output = script.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn moves_over(generation: &str) {
    let python = python::with(generation).await;
    let names =
        Knot::start(&[("team.test", ""), ("localhost", "@ A 127.0.0.1\n"), ("mail.example.test", "@ A 127.0.0.1\n")])
            .unwrap();
    let relay = Dovecot::start(DovecotOptions::users(&[(RELAY_USER, RELAY_PASSWORD)])).unwrap();
    let ports = MailPlatformPorts::free().unwrap();
    let system = setup()
        .with("MAILMOOR__DNS__SERVERS", names.addr())
        .with("MAILMOOR__MAIL_PLATFORM__IMAP_PORT", ports.imaps)
        .with("MAILMOOR__MAIL_PLATFORM__SMTP_PORT", ports.submission)
        .with("MAILMOOR__MAIL_PLATFORM__DOVEADM_URL", ports.doveadm_url())
        .with("MAILMOOR__MAIL_PLATFORM__DOVEADM_API_KEY", ports.doveadm_key())
        .with("MAILMOOR__MAIL_PLATFORM__POLICY_LISTEN", format!("127.0.0.1:{}", ports.policy))
        .with("MAILMOOR__MAIL_PLATFORM__MILTER_LISTEN", format!("127.0.0.1:{}", ports.milter))
        .start()
        .await;
    let _platform = MailPlatform::start(&system.database_url(), ports, true).unwrap();
    let tenant = system.tenant(Plan::Unlimited).await;
    let made = system.admin(&["key", "create", "--kind", "sendmux-root", "--workspace", &tenant.workspace]).await;
    let certificate = TestCa::shared().issue(&CertSpec::for_names(&["localhost"])).unwrap();
    let [cert, key] = ["receiver.pem", "receiver-key.pem"].map(|name| system.scratch_dir().join(name));
    std::fs::write(&cert, certificate.cert_pem().unwrap()).unwrap();
    std::fs::write(&key, certificate.key_pem().unwrap()).unwrap();
    let submission = relay.addr(Listener::SmtpStarttls);
    let child = Command::new(python)
        .arg(python::script("sendmux_journey.py"))
        .env("KEY", made["key"].as_str().unwrap())
        .env("BASE_URL", system.anonymous().url("/api/v1"))
        .env("PARTS", "domains,mailboxes,providers,webhooks")
        .env("CA_FILE", TestCa::shared().path())
        .env("CERT_FILE", cert)
        .env("CERT_KEY_FILE", key)
        .env("SMTP_HOST", submission.ip().to_string())
        .env("SMTP_PORT", submission.port().to_string())
        .env("SMTP_USER", RELAY_USER)
        .env("SMTP_PASSWORD", RELAY_PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    follow(child, &names).await;
    // A refused password stands nowhere.
    let traces = system.traces();
    assert!(traces.iter().all(|(_, content)| !content.windows(17).any(|w| w == b"not the right one")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_library() {
    moves_over("newest").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_of_before() {
    moves_over("1.1.0").await;
}

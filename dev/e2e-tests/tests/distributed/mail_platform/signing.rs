//! Mail of a mailbox is its own, and signed; dkimpy judges the signature, with the key that
//! Mailmoor asked to publish.

use futures_util::TryStreamExt;
use lettre::address::Envelope;
use serde_json::{Value, json};
use tokio::process::Command;

use super::programs::{self, ImapSession, SmtpConnection, inbox, world, write};
use super::{Mailbox, World};
use crate::python;

const KIM: &str = "kim@acme.test";
const BEN: &str = "ben@acme.test";
const SOMEBODY: &str = "somebody@world.test";

/// The refusal, if it is one. `from` is the envelope's, and may be none.
async fn send(smtp: &mut SmtpConnection, from: Option<&str>, to: &[&str], message: &[u8]) -> Result<(), String> {
    let to = to.iter().map(|to| to.parse().unwrap()).collect();
    let envelope = Envelope::new(from.map(|from| from.parse().unwrap()), to).unwrap();
    smtp.send(&envelope, message).await.map(|_| ()).map_err(|error| error.to_string())
}

/// All messages in the inbox, once there are so many.
async fn received(session: &mut ImapSession, count: u32) -> Vec<Vec<u8>> {
    inbox(session, count).await;
    let messages: Vec<_> = session.fetch("1:*", "BODY.PEEK[]").await.unwrap().try_collect().await.unwrap();
    messages.iter().map(|message| message.body().unwrap().to_vec()).collect()
}

/// The signatures of each message.
async fn verified(bench: &World, messages: &[Vec<u8>]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let files = messages.iter().enumerate().map(|(number, message)| {
        let file = folder.path().join(format!("{number}.eml"));
        std::fs::write(&file, message).unwrap();
        file
    });
    let server = bench.names.addr();
    let mut command = Command::new(python::with("dkim").await);
    command.arg(python::script("verify_dkim.py")).arg(server.ip().to_string()).arg(server.port().to_string());
    let printed = python::run(command.args(files)).await;
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(message: &[u8]) -> usize {
    let text = String::from_utf8_lossy(message);
    let number = text.lines().find_map(|line| line.strip_prefix("X-Number: "));
    number.unwrap_or_else(|| panic!("{}", &text[..text.len().min(2000)])).parse().unwrap()
}

/// Messages of Kim's, without their number.
fn messages() -> Vec<Vec<u8>> {
    let simple = |body: &str| format!("From: {KIM}\r\nTo: {BEN}\r\nSubject: s\r\n\r\n{body}").into_bytes();
    let recipients: Vec<String> = (0..300).map(|n| format!("\"Recipient {n}\" <r{n}@world.test>")).collect();
    let header = |to: &str| {
        let names = "=?utf-8?q?Kim_D=C3=B6e?= (of\r\n\tAcme)";
        format!("From:  {names} <Kim@ACME.test>\r\nTo:{to}\r\nsubject: a\r\n  \t b\r\nDate: now\r\n\r\nhello\r\n")
            .into()
    };
    let mut latin = simple("Gr\u{fc}\u{df}e\r\n");
    latin.extend(b"\xfc\xff \x80\r\n");
    let five_megabytes = "0123456789 abcdefghijklmnopqrstuvwxyz  ABCDEFGHIJKLMNOPQRSTUVWXYZ \t\r\n".repeat(75_000);
    vec![
        simple("hello\r\n"),
        simple(""),
        simple("\r\n \r\n\t\r\n"),
        simple(".\r\n..\r\n.x\r\n\r\n.\r\n end \t\r\n\r\n\r\n"),
        header(&recipients.join(",\r\n\t")),
        // Postfix breaks lines like these.
        header(&recipients.join(", ")),
        simple(&format!("{}\r\n{} {}\r\n", "x".repeat(5000), "y".repeat(998), "z".repeat(2000))),
        simple("no end of the last line"),
        simple("a \r b\r\r\n \r\r\n"),
        [b"DKIM-Signature: v=1; a=rsa-sha256; d=acme.test; s=old; h=from; bh=AAAA; b=AAAA\r\n", &simple("x")[..]]
            .concat(),
        latin,
        simple(&five_megabytes),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mailbox_sends_is_signed() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision(KIM).await, bench.provision(BEN).await];
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    let sent = messages();
    for (number, message) in sent.iter().enumerate() {
        let message = [format!("X-Number: {number}\r\n").as_bytes(), message].concat();
        send(&mut smtp, Some(KIM), &[BEN, SOMEBODY], &message).await.unwrap();
    }
    let mut session = programs::imap(&ben.login).await.unwrap();
    let mut arrived = received(&mut session, u32::try_from(sent.len()).unwrap()).await;
    let all = |stats: &mail_lab::scripted::Stats| stats.messages_accepted == sent.len() as u64;
    bench.platform.world().wait_until(all).await;
    arrived.extend(bench.platform.world().messages().into_iter().map(|message| message.data));
    // Lines of more than 998 octets were broken on the way, which the signatures outlive.
    assert!(arrived.iter().all(|message| message.split(|&byte| byte == b'\n').all(|line| line.len() <= 999)));
    let (mut genuine, mut forged) = (vec![], vec![]);
    for message in &arrived {
        let number = number(message);
        let ours = json!({"domain": "acme.test", "valid": true});
        let theirs = json!({"domain": "acme.test", "valid": false});
        let had_one = sent[number].starts_with(b"DKIM-Signature:");
        genuine.push((number, if had_one { json!([ours, theirs]) } else { json!([ours]) }));
        forged.push([message, &b"more\r\n"[..]].concat());
        forged.push([b"From: ceo@acme.test\r\n", &message[..]].concat());
    }
    let judged = verified(&bench, &arrived).await;
    for ((number, expected), (judgement, message)) in genuine.iter().zip(judged.iter().zip(&arrived)) {
        let begin = String::from_utf8_lossy(&message[..message.len().min(3000)]);
        assert_eq!(judgement, expected, "message {number}:\n{begin}");
    }
    for judgement in verified(&bench, &forged).await {
        assert!(judgement.as_array().unwrap().iter().all(|signature| signature["valid"] == false), "{judgement}");
    }
}

/// Kim's attempt to send this, on a connection of its own.
async fn attempt(bench: &World, kim: &Mailbox, sender: Option<&str>, header: &str) -> Result<(), String> {
    let (_, mut smtp) = bench.sign_in(&kim.login).await;
    send(&mut smtp, sender, &[BEN], format!("{header}\r\nhello\r\n").as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_the_name_of_another() {
    let bench = World::start().await;
    let [kim, ben] = [bench.provision(KIM).await, bench.provision(BEN).await];
    let not_own = "550 5.7.1 From: must be the mailbox's own address";
    for (sender, header, expected) in [
        (Some(KIM), "From: ben@acme.test\r\nSubject: no\r\n", not_own),
        (Some(KIM), "From: kim@acme.test, ben@acme.test\r\nSubject: no\r\n", not_own),
        (Some(KIM), "From: ben@acme.test <kim@acme.test>\r\nSubject: no\r\n", not_own),
        (Some(KIM), "From : ben@acme.test\r\nSubject: no\r\n", not_own),
        (Some(KIM), "Subject: no\r\n", "550 5.7.1 The message has no From:"),
        (Some(KIM), "From: kim@acme.test\r\nFROM: ben@acme.test\r\n", "550 5.7.1 The message has more than one From:"),
        (None, "From: ben@acme.test\r\nSubject: no\r\n", not_own),
    ] {
        let refused = attempt(&bench, &kim, sender, header).await.expect_err(header);
        let expected = expected.strip_prefix("550 ").unwrap();
        assert!(refused.contains(expected), "{header}: {refused}");
    }
    attempt(&bench, &kim, None, "From: kim@acme.test\r\nSubject: receipt\r\n").await.unwrap();
    attempt(&bench, &kim, Some(KIM), "From: Kim <KIM@acme.test>\r\nSubject: yes\r\n").await.unwrap();
    let mut session = programs::imap(&ben.login).await.unwrap();
    assert_eq!(inbox(&mut session, 2).await, ["receipt", "yes"]);
    let arrived = received(&mut session, 2).await;
    let ours = json!([{"domain": "acme.test", "valid": true}]);
    assert_eq!(verified(&bench, &arrived).await, [ours.clone(), ours]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_from_the_world_is_not_signed() {
    let bench = World::start().await;
    let kim = bench.provision(KIM).await;
    let port = bench.platform.ports().mx;
    write(&mut world(port).await, SOMEBODY, KIM, "their own").await.unwrap();
    let forged = b"From: kim@acme.test\r\nSubject: forged\r\n\r\nhello\r\n";
    send(&mut world(port).await, Some(SOMEBODY), &[KIM], forged).await.unwrap();
    let mut session = programs::imap(&kim.login).await.unwrap();
    let arrived = received(&mut session, 2).await;
    assert_eq!(verified(&bench, &arrived).await, [json!([]), json!([])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_gateway_nothing_is_submitted() {
    let mut bench = World::start().await;
    let [kim, ben] = [bench.provision(KIM).await, bench.provision(BEN).await];
    let header = "From: kim@acme.test\r\nSubject: hello\r\n";
    bench.system.kill9_one("api-gateway", 0).await;
    let later = attempt(&bench, &kim, Some(KIM), header).await.unwrap_err();
    assert!(later.contains("transient"), "{later}");
    bench.system.start_one("api-gateway", 0);
    bench.system.ready().await;
    attempt(&bench, &kim, Some(KIM), header).await.unwrap();
    let mut session = programs::imap(&ben.login).await.unwrap();
    assert_eq!(inbox(&mut session, 1).await, ["hello"]);
}

//! Requests for things that the mail platform must not give.

use super::{Bench, Client, auth_plain, key, start, write};

const A: &str = "a@example.test";
const B: &str = "b@example.test";

/// Replies to `MAIL FROM`, and to `RCPT TO` if it gets so far.
async fn envelope(client: &mut Client, from: &str, to: &str) -> String {
    let mut reply = client.smtp(&format!("MAIL FROM:{from}")).await;
    if reply.starts_with("250") {
        reply = client.smtp(&format!("RCPT TO:{to}")).await;
    }
    client.smtp("RSET").await;
    reply
}

/// The reply to the end of a message of so many lines, which was announced without its size.
async fn write_unannounced(client: &mut Client, to: &[&str], lines: usize) -> String {
    client.smtp("MAIL FROM:<x@world.test>").await;
    for to in to {
        let reply = client.smtp(&format!("RCPT TO:<{to}>")).await;
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
    client.smtp("DATA").await;
    let body = format!("{}\r\n", "y".repeat(70)).repeat(lines);
    client.smtp(&format!("Subject: unannounced\r\n\r\n{body}.")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_world_writes_as_no_mailbox_of_ours() {
    let bench = start();
    let mut world = bench.world().await;
    for from in ["<a@example.test>", "<A@Example.TEST>", "<\"a\"@example.test>", "<@x.test:a@example.test>"] {
        let reply = envelope(&mut world, from, "<b@example.test>").await;
        assert!(
            reply.starts_with("550 5.7.1") && reply.ends_with("Sign in to write as this address"),
            "{from}: {reply}"
        );
    }
    // With a dot at the end Postfix takes a domain for the same, and those whom it asks do not.
    for from in ["<a@example.test.>", "<\"a\"@example.test. >", "<a@\"example.test.\">", "<x@world.test.>"] {
        let reply = envelope(&mut world, from, "<b@example.test>").await;
        assert!(reply.starts_with("501 5.1.7"), "{from}: {reply}");
    }
    let reply = envelope(&mut world, "<x@[10.0.0.5]>", "<b@example.test>").await;
    assert!(reply.starts_with("550 5.1.8"), "{reply}");
    for from in ["<>", "<nobody@example.test>", "<x@world.test>"] {
        let reply = envelope(&mut world, from, "<b@example.test>").await;
        assert!(reply.starts_with("250"), "{from}: {reply}");
    }
}

/// CVE-2023-51764: what looks like the end of a message to one server and not to the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_is_smuggled_in_another() {
    let bench = start();
    for (number, end) in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r"].into_iter().enumerate() {
        let mut world = bench.world().await;
        for command in ["MAIL FROM:<x@world.test>", "RCPT TO:<a@example.test>", "DATA"] {
            let reply = world.smtp(command).await;
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
        let second = format!("MAIL FROM:<ceo@bank.test>\r\nRCPT TO:<{A}>\r\nDATA\r\nSubject: smuggled\r\n\r\nhello");
        let reply = world.smtp(&format!("Subject: visible\r\n\r\nhello{end}{second}\r\n.")).await;
        assert!(reply.starts_with("250"), "{end:?}: {reply}");
        // The reply to anything that was smuggled in would come first.
        assert_eq!(world.smtp("NOOP").await.trim_end(), "250 2.0.0 Ok", "{end:?}");
        assert_eq!(bench.subjects("a", number + 1).await, vec!["visible"; number + 1], "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_can_only_come_back_is_refused() {
    let bench = start();
    let (mut world, mut a) = (bench.world().await, bench.submission("a").await);
    let nobody = "550 5.1.1";
    for (to, code) in [
        ("<postmaster>", nobody),
        ("<PostMaster>", nobody),
        ("<\"postmaster\">", "501"),
        ("<post\\master>", "501"),
        ("<@x.test:postmaster>", "501"),
        ("<postmaster@mail.example.test>", nobody),
        ("<double-bounce@mail.example.test>", nobody),
        ("<b@example.test.>", "501"),
        ("<b@\"example.test.\">", "501"),
        ("<\"x@world.test\"@[127.0.0.1]>", "501"),
    ] {
        let reply = envelope(&mut world, "<x@world.test>", to).await;
        assert!(reply.starts_with(code), "{to}: {reply}");
    }
    // Nobody is notified of a success: the sender may have given anybody's address.
    let reply = envelope(&mut world, "<x@world.test>", "<b@example.test> NOTIFY=SUCCESS").await;
    assert!(reply.starts_with("501"), "{reply}");
    for to in ["postmaster", "postmaster@mail.example.test", "y@mail.example.test"] {
        let reply = envelope(&mut a, "<a@example.test>", &format!("<{to}>")).await;
        assert!(reply.starts_with(nobody), "{to}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postmaster_who_is_there_gets_mail() {
    let bench = start();
    let rename = "UPDATE mail_logins SET email = 'postmaster@mail.example.test' WHERE email LIKE 'b@%'";
    bench.database.execute(rename).unwrap();
    let mut world = bench.world().await;
    for to in ["<postmaster>", "<postmaster@mail.example.test>"] {
        let reply = envelope(&mut world, "<x@world.test>", to).await;
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_written_to_at_an_ip_address() {
    let bench = start();
    let (mut world, mut a) = (bench.world().await, bench.submission("a").await);
    let literals = ["[10.0.0.5]", "[127.0.0.1]", "[IPv6:::1]", "10.0.0.5", "0x7f.0.0.1", "1.0x7f", "2130706433.1"];
    for literal in literals {
        let to = format!("<x@{literal}>");
        let reply = envelope(&mut a, "<a@example.test>", &to).await;
        assert!(reply.starts_with("55") || reply.starts_with("501"), "{to}: {reply}");
        let reply = envelope(&mut world, "<x@world.test>", &to).await;
        assert!(reply.starts_with("55") || reply.starts_with("501"), "{to}: {reply}");
    }
    let reply = envelope(&mut a, "<a@example.test>", "<x@3com.world.test>").await;
    assert!(reply.starts_with("250"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_sends_no_messages_to_forged_senders() {
    let bench = start();
    let mut world = bench.world().await;
    // 1 MB fits, 1.2 MB do not, but nobody knows of it before they are there.
    for to in [&[A][..], &[B, "c%d+e@example.test"]] {
        let reply = write_unannounced(&mut world, to, 17_000).await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    for name in ["a", "b", "c%d+e"] {
        assert_eq!(bench.subjects(name, 1).await, ["unannounced"]);
    }
    let reply = write(&mut world, "x@world.test", A, "one too many", 1).await;
    assert!(reply.starts_with("552 5.2.2"), "{reply}");
    let log = bench.platform.log();
    assert!(!log.contains("status=bounced") && bench.platform.world().messages().is_empty(), "{log}");
}

/// Signs in again and again. The connections that were let in, and the answer to the first one that was not.
async fn many(bench: &Bench, imap: bool) -> (Vec<Client>, String) {
    let mut clients = vec![];
    loop {
        let (client, reply) = if imap {
            bench.imap(A, &key("a")).await
        } else {
            let mut client = Client::submission(bench.platform.addr(bench.platform.ports().submission)).await;
            let reply = client.smtp(&auth_plain(A, &key("a"))).await;
            (client, reply)
        };
        if !(reply.contains("a OK") || reply.starts_with("235")) {
            return (clients, reply);
        }
        clients.push(client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_takes_all_places() {
    let bench = start();
    let (sessions, refused) = many(&bench, true).await;
    // [LIMIT] or [UNAVAILABLE], depending on which of Dovecot's processes notices.
    let too_many = "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=30)";
    assert!(sessions.len() == 30 && refused.contains(too_many), "{} {refused}", sessions.len());
    let (submissions, refused) = many(&bench, false).await;
    assert!(submissions.len() == 8 && refused.starts_with("421"), "{} {refused}", submissions.len());
    assert!(bench.imap(B, &key("b")).await.1.contains("a OK"));
    let mut b = bench.submission("b").await;
    assert!(write(&mut b, B, A, "still", 1).await.starts_with("250"));

    let mut places = vec![];
    for _ in 0..10 {
        places.push(bench.world().await);
    }
    let mut one_more = Client::plain(bench.platform.addr(bench.platform.ports().mx)).await;
    let reply = one_more.reply().await;
    assert!(reply.starts_with("421 4.7.0"), "{reply}");
}

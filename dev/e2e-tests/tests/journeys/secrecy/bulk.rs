//! Passwords that come in masses, and through another dialect.

use e2e_tests::{Client, Deployment, Tenant};
use mail_lab::scripted::{Auth, Listener, Protocol, ScriptedServer};
use serde_json::{Value, json};

use super::{core, echo, planted, user};

/// One file with rows of every fate; its failed rows are asked for as well.
pub(super) async fn imports(api: &Client) -> Vec<String> {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    let refused = echo(&user("RowRefused"), &planted("RowRefused"), "535 5.7.8 Error:");
    server.set_auth(Protocol::Smtp, &user("RowRefused"), Auth::Scripted(refused));
    let busy = echo(&user("RowBusy"), &planted("RowBusy"), "454 4.7.0 Temporary authentication failure:");
    server.set_auth(Protocol::Smtp, &user("RowBusy"), Auth::Scripted(busy));
    let imap = echo(&user("RowImap"), &planted("RowImap"), "NO [AUTHENTICATIONFAILED] Sorry:");
    server.set_auth(Protocol::Imap, &user("RowImap"), Auth::Scripted(imap));
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    let line = |name: &str, email: &str, rest: &str| {
        format!(
            "\"{}\",{email},{},{},{}{rest}\n",
            planted(name).replace('"', "\"\""),
            smtp.ip(),
            smtp.port(),
            imap.ip()
        )
    };
    // The password stands first, so that a row that lost its order shows it in another column.
    let mut file = "password,email,smtphost,smtpport,imaphost,imapport,displayname\n".to_owned();
    let good = format!(",{},Dana", imap.port());
    let names = ["RowGood", "RowRefused", "RowBusy", "RowImap"];
    names.iter().for_each(|name| file += &line(name, &user(name), &good));
    file += &line("RowGood", &user("RowGood"), &good);
    file += &line("RowAddress", "nobody", &good);
    file += &line("RowPort", &user("RowPort"), ",99999,Dana");
    file += &format!("{},with,a bare comma,{}\n", planted("RowBare"), user("RowBare"));
    file += &format!("Dana,{},short\n", planted("RowShort"));
    let reply = api.import(&file, &[("tag", "secret")]).await;
    let data = reply.data(200);
    assert_eq!((&data["imported"], &data["skipped"], &data["failed"]), (&json!(2), &json!(1), &json!(6)), "{data}");
    let id = reply.headers["x-import-id"].to_str().unwrap();
    assert_eq!(api.get(&format!("/v1/mailboxes/import/{id}/failed.csv")).await.status, 200);
    assert_eq!(api.get(&format!("/v1/mailboxes/import/{id}/events")).await.status, 200);
    // Files that are refused as a whole.
    for broken in [format!("{file}\"{}", planted("RowUnclosed")), format!("email\n{}\n", planted("RowAlone"))] {
        api.import(&broken, &[]).await.error(400, "VALIDATION_ERROR");
    }
    let rest = ["RowAddress", "RowPort", "RowBare", "RowShort", "RowUnclosed", "RowAlone"];
    names.iter().chain(&rest).map(|name| core(name)).collect()
}

fn account(name: &str, server: &ScriptedServer) -> Value {
    let (smtp, imap) = (server.addr(Listener::SmtpStarttls), server.addr(Listener::ImapImplicit));
    json!({
        "email_address": user(name), "display_name": name, "inbox_type": "CUSTOM_SMTP",
        "smtp_host": smtp.ip().to_string(), "smtp_port": smtp.port(), "smtp_username": user(name),
        "smtp_password": planted(name), "imap_host": imap.ip().to_string(), "imap_port": imap.port(),
        "imap_username": user(name), "imap_password": planted(&format!("{name}Imap")),
    })
}

/// Accounts that are accepted, refused, malformed, and in a bulk; a test message through one.
pub(super) async fn coldsend(system: &Deployment, tenant: &Tenant) -> Vec<String> {
    let server = ScriptedServer::builder().accept_all().start().unwrap();
    for name in ["ColdBad", "BulkBad"] {
        let refusal = echo(&user(name), &planted(name), "535 5.7.8 Error:");
        server.set_auth(Protocol::Smtp, &user(name), Auth::Scripted(refusal));
    }
    let (api, key) = system.coldsend(tenant).await;
    let base = "/api/public/v1/sender-accounts";
    let made = api.post(&format!("{base}/smtp"), &account("ColdGood", &server)).await;
    assert_eq!((made.status, &made.body["overall_status"]), (201, &json!("ACTIVE")), "{}", made.text);
    let refused = api.post(&format!("{base}/smtp"), &account("ColdBad", &server)).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    for (member, value) in [("smtp_port", json!(planted("ColdOdd"))), ("smtp_password", json!([planted("ColdOdd")]))] {
        let mut body = account("ColdOdd", &server);
        body[member] = value;
        assert_eq!(api.post(&format!("{base}/smtp"), &body).await.status, 422);
    }
    let bulk = json!({"inboxes": [account("BulkGood", &server), account("BulkBad", &server)]});
    let job = api.post(&format!("{base}/smtp/bulk"), &bulk).await.body["job_id"].as_str().unwrap().to_owned();
    let done = api.coldsend_job(&format!("{base}/smtp/bulk/{job}/progress")).await;
    assert_eq!((&done["success_count"], &done["failed_count"]), (&json!(1), &json!(1)), "{done}");
    let id = made.body["inbox_id"].as_str().unwrap();
    let sent = api.post(&format!("{base}/{id}/test-email"), &json!({"recipient_email": "someone@lab.test"})).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let names = ["ColdGood", "ColdBad", "ColdOdd", "BulkGood", "BulkBad"];
    names.iter().flat_map(|name| [core(name), core(&format!("{name}Imap"))]).chain([key]).collect()
}

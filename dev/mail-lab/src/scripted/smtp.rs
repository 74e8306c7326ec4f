//! The submission server (RFC 5321, 6409; AUTH RFC 4954, STARTTLS RFC 3207).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::conn::{Conn, Login, Step};
use super::script::{Auth, Capability, Mechanism, Protocol, Reply, Starttls};
use super::stats::Message;

const HOST: &str = "mail.example.test";
const EXTENSIONS: [&str; 4] = ["PIPELINING", "SIZE 35882577", "8BITMIME", "ENHANCEDSTATUSCODES"];
const BAD_BASE64: &str = "501 5.5.2 Cannot decode that";
const OUT_OF_ORDER: &str = "503 5.5.1 Bad sequence of commands";

pub(super) const GREETING: &str = "220 mail.example.test ESMTP mail-lab";
pub(super) const TOO_MANY: &str = "421 4.7.0 mail.example.test Too many concurrent connections";

#[derive(Default)]
struct Session {
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

pub(super) async fn serve(conn: &mut Conn) -> Step {
    let mut session = Session::default();
    loop {
        let line = conn.read_line().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => ehlo(conn).await?,
            "HELO" => conn.reply(&format!("250 {HOST}")).await?,
            "STARTTLS" if !conn.tls && conn.behaviour.starttls != Starttls::NotOffered => {
                session = Session::default();
                starttls(conn).await?;
            }
            "AUTH" => auth(conn, &mut session, rest).await?,
            "MAIL" | "RCPT" => envelope(conn, &mut session, &line).await?,
            "DATA" => data(conn, &mut session).await?,
            "RSET" => {
                session.from = None;
                session.to.clear();
                conn.reply("250 2.0.0 OK").await?;
            }
            "NOOP" => conn.reply("250 2.0.0 OK").await?,
            "VRFY" => conn.reply("252 2.5.2 Try it").await?,
            "QUIT" => {
                conn.reply("221 2.0.0 Bye").await?;
                return Err(conn.close().await);
            }
            _ => conn.reply("500 5.5.2 Command not recognized").await?,
        }
    }
}

async fn ehlo(conn: &mut Conn) -> Step {
    let behaviour = conn.behaviour.clone();
    let mut keywords: Vec<String> = match &behaviour.capability {
        Capability::Normal => EXTENSIONS.map(String::from).to_vec(),
        Capability::Keywords(keywords) => keywords.clone(),
        Capability::Scripted(reply) => return conn.play(reply, None).await,
    };
    if !conn.tls && behaviour.starttls != Starttls::NotOffered {
        keywords.push("STARTTLS".to_string());
    }
    if conn.login_allowed() && behaviour.capability == Capability::Normal {
        keywords.push("AUTH PLAIN LOGIN".to_string());
    }
    keywords.insert(0, HOST.to_string());
    let last = keywords.len() - 1;
    let mut text = String::new();
    for (index, keyword) in keywords.iter().enumerate() {
        let separator = if index == last { ' ' } else { '-' };
        text.push_str(&format!("250{separator}{keyword}\n"));
    }
    conn.reply(&text).await
}

async fn starttls(conn: &mut Conn) -> Step {
    const GO: &str = "220 2.0.0 Ready to start TLS";
    let behaviour = conn.behaviour.clone();
    match &behaviour.starttls {
        Starttls::Refused(reply) => return conn.play(reply, None).await,
        Starttls::Injected(bytes) => {
            let mut together = format!("{GO}\r\n").into_bytes();
            together.extend_from_slice(bytes);
            conn.write(&together).await?;
        }
        Starttls::Stalls => {
            conn.reply(GO).await?;
            return Err(conn.stay_silent().await);
        }
        Starttls::Closes => {
            conn.reply(GO).await?;
            return Err(conn.close().await);
        }
        Starttls::Offered | Starttls::NotOffered => conn.reply(GO).await?,
    }
    conn.start_tls().await
}

/// RFC 4954, with and without an initial response.
async fn auth(conn: &mut Conn, session: &mut Session, arguments: &str) -> Step {
    let (mechanism, initial) = match arguments.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim().to_string())),
        None => (arguments, None),
    };
    let mechanism = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Mechanism::Plain,
        "LOGIN" => Mechanism::Login,
        _ => return conn.reply("504 5.5.4 Unrecognized authentication type").await,
    };
    if session.user.is_some() {
        return conn.reply(OUT_OF_ORDER).await;
    }
    if let Auth::RefuseCommand(refused, reply) = &conn.behaviour.clone().auth
        && *refused == mechanism
    {
        if initial.is_some() && !conn.tls {
            conn.state.count(|stats| stats.plaintext_passwords += 1);
        }
        return conn.play(reply, None).await;
    }
    let Some((user, password)) = credentials(conn, mechanism, initial).await? else {
        return conn.reply(BAD_BASE64).await;
    };
    if !conn.login_allowed() {
        conn.state.count(|stats| stats.plaintext_passwords += 1);
        return conn.reply("530 5.7.0 Must issue a STARTTLS command first").await;
    }
    let login = Login { protocol: Protocol::Smtp, mechanism, tag: None, user: &user, password: &password };
    if conn.login(login).await? {
        session.user = Some(user);
    }
    Ok(())
}

/// User and password; `None` when they cannot be decoded or the client cancels with `*`.
async fn credentials(conn: &mut Conn, mechanism: Mechanism, initial: Option<String>) -> Step<Option<(String, String)>> {
    let prompts: [&str; 2] = match mechanism {
        Mechanism::Login => ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
        _ => ["334 ", ""],
    };
    let first = match initial {
        Some(initial) => initial,
        None => ask(conn, prompts[0]).await?,
    };
    let Some(first) = decode(&first) else {
        return Ok(None);
    };
    if mechanism == Mechanism::Plain {
        return Ok(split_plain(&first));
    }
    let second = ask(conn, prompts[1]).await?;
    let Some(second) = decode(&second) else {
        return Ok(None);
    };
    Ok(Some((text(&first), text(&second))))
}

async fn ask(conn: &mut Conn, prompt: &str) -> Step<String> {
    conn.reply(prompt).await?;
    Ok(text(&conn.read_line().await?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `=` is the empty response (RFC 4954, section 4).
pub(super) fn decode(word: &str) -> Option<Vec<u8>> {
    if word == "=" {
        return Some(Vec::new());
    }
    STANDARD.decode(word).ok()
}

/// RFC 4616: authorisation identity, NUL, user, NUL, password.
pub(super) fn split_plain(message: &[u8]) -> Option<(String, String)> {
    let mut parts = message.split(|byte| *byte == 0);
    let _authorisation = parts.next()?;
    let user = text(parts.next()?);
    let password = text(parts.next()?);
    parts.next().is_none().then_some((user, password))
}

async fn envelope(conn: &mut Conn, session: &mut Session, line: &str) -> Step {
    if session.user.is_none() && !conn.behaviour.open_relay {
        return conn.reply("530 5.7.0 Authentication required").await;
    }
    let address =
        line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.to_string());
    let Some(address) = address else {
        return conn.reply("501 5.5.4 Syntax: MAIL FROM:<address>").await;
    };
    let is_mail = line[..4].eq_ignore_ascii_case("MAIL");
    if !is_mail && session.from.is_none() {
        return conn.reply(OUT_OF_ORDER).await;
    }
    let behaviour = conn.behaviour.clone();
    let script = &behaviour.submission;
    let scripted = if is_mail { &script.mail } else { &script.rcpt };
    if answer(conn, scripted, "250 2.1.0 OK").await? {
        if is_mail {
            session.from = Some(address);
            session.to.clear();
        } else {
            session.to.push(address);
        }
    }
    Ok(())
}

async fn data(conn: &mut Conn, session: &mut Session) -> Step {
    if session.to.is_empty() {
        return conn.reply(OUT_OF_ORDER).await;
    }
    let behaviour = conn.behaviour.clone();
    if !answer(conn, &behaviour.submission.data, "354 End with a dot").await? {
        return Ok(());
    }
    let (mut data, mut wire) = (Vec::new(), Vec::new());
    loop {
        let whole = conn.read_whole_line().await?;
        let line = whole.strip_suffix(b"\n").unwrap_or(&whole);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(b".") {
            Some([]) => break,
            Some(unstuffed) => data.extend_from_slice(unstuffed),
            None => data.extend_from_slice(line),
        }
        data.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&whole);
    }
    conn.state.count(|stats| stats.messages_received += 1);
    let (from, to) = (session.from.take().unwrap_or_default(), std::mem::take(&mut session.to));
    let message = Message { user: session.user.clone(), from, to, data, wire };
    const QUEUED: &str = "250 2.0.0 OK queued";
    // Kept before it is said, so that a client that has heard it finds it.
    if is_positive(behaviour.submission.end.as_ref(), QUEUED) {
        conn.state.keep(message);
    }
    answer(conn, &behaviour.submission.end, QUEUED).await.map(drop)
}

/// Says what the script says, or else `usual`; true when that lets the mail go on.
async fn answer(conn: &mut Conn, scripted: &Option<Reply>, usual: &str) -> Step<bool> {
    match scripted {
        Some(reply) => conn.play(reply, None).await?,
        None => conn.reply(usual).await?,
    }
    Ok(is_positive(scripted.as_ref(), usual))
}

/// True if a reply, or the usual one where there is none, is of the same kind as the usual one.
fn is_positive(scripted: Option<&Reply>, usual: &str) -> bool {
    match scripted {
        Some(Reply::Text(text)) => text.as_bytes().first() == usual.as_bytes().first(),
        Some(_) => false,
        None => true,
    }
}

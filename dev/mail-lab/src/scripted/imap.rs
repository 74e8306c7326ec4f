//! The IMAP server (RFC 3501), as far as a login check and a look at an empty INBOX need it.

use super::conn::{Conn, Login, MAX_LINE, Step};
use super::script::{Auth, Capability, Mechanism, Protocol, Starttls};
use super::smtp::{decode, split_plain};

pub(super) const GREETING: &str = "* OK mail-lab IMAP4rev1 ready";
pub(super) const TOO_MANY: &str = "* BYE Too many concurrent connections";

const PRIVACY: &str = "NO [PRIVACYREQUIRED] Use STARTTLS before logging in";
const BAD_ARGUMENTS: &str = "BAD Wrong arguments";

/// One command with its literals read.
struct Command {
    tag: String,
    name: String,
    arguments: Vec<Vec<u8>>,
}

pub(super) async fn serve(conn: &mut Conn) -> Step {
    let mut user: Option<String> = None;
    loop {
        let Some(command) = read_command(conn).await? else {
            conn.reply("* BAD Not a command").await?;
            continue;
        };
        let tag = command.tag.as_str();
        match command.name.as_str() {
            "CAPABILITY" => capability(conn, tag).await?,
            "NOOP" | "CHECK" => done(conn, tag, "").await?,
            "ID" => done(conn, tag, "* ID (\"name\" \"mail-lab\")\n").await?,
            "LOGOUT" => {
                done(conn, tag, "* BYE Logging out\n").await?;
                return Err(conn.close().await);
            }
            "STARTTLS" if !conn.tls && conn.behaviour.starttls != Starttls::NotOffered => {
                starttls(conn, tag).await?;
            }
            "LOGIN" if user.is_none() => user = login(conn, &command).await?,
            "AUTHENTICATE" if user.is_none() => user = authenticate(conn, &command).await?,
            _ if user.is_some() => authenticated(conn, &command).await?,
            _ => conn.reply(&format!("{tag} BAD Not now")).await?,
        }
    }
}

async fn done(conn: &mut Conn, tag: &str, before: &str) -> Step {
    conn.reply(&format!("{before}{tag} OK done")).await
}

async fn authenticated(conn: &mut Conn, command: &Command) -> Step {
    let tag = command.tag.as_str();
    let is_inbox = command.arguments.first().is_some_and(|name| name.eq_ignore_ascii_case(b"INBOX"));
    match command.name.as_str() {
        "SELECT" | "EXAMINE" if is_inbox => {
            let access = if command.name == "SELECT" { "READ-WRITE" } else { "READ-ONLY" };
            conn.reply(&format!(
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n* 0 EXISTS\n* 0 RECENT\n\
                 * OK [UIDVALIDITY 1] ok\n* OK [UIDNEXT 1] ok\n{tag} OK [{access}] done"
            ))
            .await
        }
        "SELECT" | "EXAMINE" => conn.reply(&format!("{tag} NO [NONEXISTENT] No such mailbox")).await,
        "LIST" | "LSUB" => {
            let line = format!("* {} (\\HasNoChildren) \"/\" INBOX\n", command.name);
            done(conn, tag, &line).await
        }
        "STATUS" if is_inbox => done(conn, tag, "* STATUS INBOX (MESSAGES 0 UNSEEN 0)\n").await,
        "NAMESPACE" => done(conn, tag, "* NAMESPACE ((\"\" \"/\")) NIL NIL\n").await,
        "CLOSE" | "UNSELECT" | "ENABLE" => done(conn, tag, "").await,
        _ => conn.reply(&format!("{tag} BAD Unknown command")).await,
    }
}

async fn capability(conn: &mut Conn, tag: &str) -> Step {
    let behaviour = conn.behaviour.clone();
    let mut keywords = match &behaviour.capability {
        Capability::Normal if conn.login_allowed() => {
            vec!["IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN AUTH=LOGIN".to_string()]
        }
        Capability::Normal => vec!["IMAP4rev1 SASL-IR LITERAL+ ID LOGINDISABLED".to_string()],
        Capability::Keywords(keywords) => keywords.clone(),
        Capability::Scripted(reply) => return conn.play(reply, Some(tag)).await,
    };
    if !conn.tls && behaviour.starttls != Starttls::NotOffered {
        keywords.push("STARTTLS".to_string());
    }
    let line = format!("* CAPABILITY {}\n", keywords.join(" "));
    done(conn, tag, &line).await
}

async fn starttls(conn: &mut Conn, tag: &str) -> Step {
    let go = format!("{tag} OK Begin TLS negotiation now");
    let behaviour = conn.behaviour.clone();
    match &behaviour.starttls {
        Starttls::Refused(reply) => return conn.play(reply, Some(tag)).await,
        Starttls::Injected(bytes) => {
            let mut together = format!("{go}\r\n").into_bytes();
            together.extend_from_slice(bytes);
            conn.write(&together).await?;
        }
        Starttls::Stalls => {
            conn.reply(&go).await?;
            return Err(conn.stay_silent().await);
        }
        Starttls::Closes => {
            conn.reply(&go).await?;
            return Err(conn.close().await);
        }
        Starttls::Offered | Starttls::NotOffered => conn.reply(&go).await?,
    }
    conn.start_tls().await
}

async fn login(conn: &mut Conn, command: &Command) -> Step<Option<String>> {
    let [user, password] = command.arguments.as_slice() else {
        return bad(conn, command).await;
    };
    let credentials = (String::from_utf8_lossy(user).into_owned(), String::from_utf8_lossy(password).into_owned());
    finish(conn, command, Mechanism::ImapLogin, credentials).await
}

/// AUTHENTICATE PLAIN and LOGIN (RFC 3501, section 6.2.2; initial response RFC 4959).
async fn authenticate(conn: &mut Conn, command: &Command) -> Step<Option<String>> {
    let word = |index: usize| command.arguments.get(index).map(|word| String::from_utf8_lossy(word).into_owned());
    let mechanism = match word(0).unwrap_or_default().to_ascii_uppercase().as_str() {
        "PLAIN" => Mechanism::Plain,
        "LOGIN" => Mechanism::Login,
        _ => {
            let text = format!("{} NO [CANNOT] Unsupported authentication mechanism", command.tag);
            conn.reply(&text).await?;
            return Ok(None);
        }
    };
    if let Auth::RefuseCommand(refused, reply) = &conn.behaviour.clone().auth
        && *refused == mechanism
    {
        if command.arguments.len() > 1 && !conn.tls {
            conn.state.count(|stats| stats.plaintext_passwords += 1);
        }
        conn.play(reply, Some(&command.tag)).await?;
        return Ok(None);
    }
    let prompt = if mechanism == Mechanism::Login { "+ VXNlcm5hbWU6" } else { "+ " };
    let first = match word(1) {
        Some(initial) => initial,
        None => ask(conn, prompt).await?,
    };
    let credentials = match (decode(&first), mechanism) {
        (Some(user), Mechanism::Login) => {
            let second = ask(conn, "+ UGFzc3dvcmQ6").await?;
            decode(&second).map(|password| {
                (String::from_utf8_lossy(&user).into_owned(), String::from_utf8_lossy(&password).into_owned())
            })
        }
        (Some(message), _) => split_plain(&message),
        (None, _) => None,
    };
    match credentials {
        Some(credentials) => finish(conn, command, mechanism, credentials).await,
        None => bad(conn, command).await,
    }
}

async fn ask(conn: &mut Conn, prompt: &str) -> Step<String> {
    conn.reply(prompt).await?;
    let line = conn.read_line().await?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

async fn bad(conn: &mut Conn, command: &Command) -> Step<Option<String>> {
    conn.reply(&format!("{} {BAD_ARGUMENTS}", command.tag)).await?;
    Ok(None)
}

async fn finish(
    conn: &mut Conn,
    command: &Command,
    mechanism: Mechanism,
    (user, password): (String, String),
) -> Step<Option<String>> {
    if !conn.login_allowed() {
        conn.state.count(|stats| stats.plaintext_passwords += 1);
        conn.reply(&format!("{} {PRIVACY}", command.tag)).await?;
        return Ok(None);
    }
    let login =
        Login { protocol: Protocol::Imap, mechanism, tag: Some(&command.tag), user: &user, password: &password };
    Ok(conn.login(login).await?.then_some(user))
}

/// Reads one command, asking for its literals (RFC 3501, section 4.3; LITERAL+ RFC 7888). `None` when it has no
/// tag and name.
async fn read_command(conn: &mut Conn) -> Step<Option<Command>> {
    let mut words = Vec::new();
    loop {
        let line = conn.read_line().await?;
        let Some((before, length, waits)) = literal(&line) else {
            split_words(&line, &mut words);
            break;
        };
        split_words(before, &mut words);
        if length > MAX_LINE {
            conn.reply("* BAD Literal too long").await?;
            return Err(conn.close().await);
        }
        if waits {
            conn.reply("+ OK").await?;
        }
        words.push(conn.read_exact(length).await?);
    }
    if words.len() < 2 {
        return Ok(None);
    }
    let arguments = words.split_off(2);
    let mut head = words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned());
    Ok(head.next().zip(head.next()).map(|(tag, name)| Command { tag, name: name.to_ascii_uppercase(), arguments }))
}

/// `... {12}` or `... {12+}` at the end of a line: what is before it, its length, and whether the client waits.
fn literal(line: &[u8]) -> Option<(&[u8], usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|byte| *byte == b'{')?;
    let digits = std::str::from_utf8(&inner[open + 1..]).ok()?;
    let (digits, waits) = match digits.strip_suffix('+') {
        Some(digits) => (digits, false),
        None => (digits, true),
    };
    Some((&line[..open], digits.parse().ok()?, waits))
}

/// Atoms and quoted strings.
fn split_words(line: &[u8], words: &mut Vec<Vec<u8>>) {
    let mut bytes = line.iter().copied().peekable();
    while let Some(first) = bytes.next() {
        match first {
            b' ' => {}
            b'"' => {
                let mut word = Vec::new();
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => word.extend(bytes.next()),
                        _ => word.push(byte),
                    }
                }
                words.push(word);
            }
            _ => {
                let mut word = vec![first];
                while let Some(byte) = bytes.next_if(|byte| *byte != b' ') {
                    word.push(byte);
                }
                words.push(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_be_quoted() {
        let mut words = Vec::new();
        split_words(br#"a1 LOGIN "a \"b\" \\c" d"#, &mut words);
        assert_eq!(words, [&b"a1"[..], b"LOGIN", br#"a "b" \c"#, b"d"]);
    }

    #[test]
    fn literals_are_seen_at_the_end_only() {
        assert_eq!(literal(b"a LOGIN {3}"), Some((&b"a LOGIN "[..], 3, true)));
        assert_eq!(literal(b"{3+}"), Some((&b""[..], 3, false)));
        assert_eq!(literal(b"a {3} b"), None);
        assert_eq!(literal(b"a {x}"), None);
    }
}

//! One cheap command after sign-in, because some servers accept a login to a mailbox that cannot be used.

use std::time::Duration;

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{Class, Stage};
use tokio::time::timeout;

use super::dialogue::{Dialogue, Done};
use crate::failure::Failure;
use crate::reply::response::Status;
use crate::session::Login;

/// Bound of the look at the inbox, after which the login passes without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Opens the inbox, and returns warnings about it. The password is accepted by now, so only a clear refusal of the
/// mailbox fails the login: not an unknown command, a large inbox that opens slowly, or a closed connection.
pub(super) async fn look_at_inbox(dialogue: &mut Dialogue, login: &Login<'_>) -> Result<Vec<Failure>, Failure> {
    let Ok(look) = timeout(PATIENCE, examine(dialogue, login)).await else { return Ok(Vec::new()) };
    let noted = |failure| Ok(vec![Failure { class: Class::Warning, ..failure }]);
    let done = match look {
        Ok(done) => done,
        Err(failure) => return noted(failure),
    };
    if done.status != Status::Ok {
        let refusal = done.refusal(Stage::PostAuth, login);
        let unknown_command = done.status == Status::Bad && refusal.code == FailureCode::ImapInboxUnavailable;
        return if unknown_command { noted(refusal) } else { Err(refusal) };
    }
    let full = done
        .untagged
        .iter()
        .map(String::as_str)
        .chain([done.line.as_str()])
        .any(|line| line.to_ascii_uppercase().contains("[OVERQUOTA]"));
    Ok(full.then(|| Failure::new(FailureCode::ImapMailboxFull, Stage::PostAuth)).into_iter().collect())
}

async fn examine(dialogue: &mut Dialogue, login: &Login<'_>) -> Result<Done, Failure> {
    if login.context.is_at(Operator::NetEase) {
        // 163 and 126 open no folder for programs that do not identify themselves (RFC 2971).
        dialogue.command("ID (\"name\" \"Mailmoor\")", Stage::PostAuth).await?;
    }
    dialogue.command("EXAMINE INBOX", Stage::PostAuth).await
}

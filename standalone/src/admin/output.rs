//! What the `admin` commands print: words for people, or one JSON object.

use std::io::Write;

use serde_json::{Value, json};
use shared_models::domain::Timestamp;
use shared_models::domain::tenancy::{ApiKey, KeyText, Owner, Workspace};
use shared_models::store::DeadLetter;

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) fn owner(self, owner: &Owner) {
        let limit = owner.plan.max_mailboxes;
        let subscription = if owner.plan.subscription_active { "active" } else { "none" };
        self.print(
            || {
                let limit = limit.map_or("unlimited".to_owned(), |n| n.to_string());
                format!(
                    "owner {}  {}  subscription {subscription}, {} of {limit} mailboxes",
                    owner.id, owner.email, owner.mailbox_usage
                )
            },
            || {
                json!({
                    "id": owner.id, "email": owner.email, "subscription": subscription,
                    "maxMailboxes": limit, "mailboxUsage": owner.mailbox_usage,
                })
            },
        );
    }

    pub(super) fn workspace(self, workspace: &Workspace) {
        self.print(
            || format!("workspace {}  {}", workspace.id, workspace.name),
            || json!({"id": workspace.id, "name": workspace.name, "ownerId": workspace.owner_id}),
        );
    }

    pub(super) fn new_key(self, key: &ApiKey, text: &KeyText) {
        self.print(
            || format!("key {}  {}\n{}\nThis is the only time that the key is shown.", key.id, key.kind, text.expose()),
            || {
                let mut shown = describe(key);
                shown["key"] = json!(text.expose());
                shown
            },
        );
    }

    pub(super) fn key(self, key: &ApiKey) {
        self.print(|| line(key), || describe(key));
    }

    pub(super) fn keys(self, keys: &[ApiKey]) {
        self.print(
            || keys.iter().map(line).collect::<Vec<_>>().join("\n"),
            || json!({"items": keys.iter().map(describe).collect::<Vec<_>>()}),
        );
    }

    pub(super) fn dead_letters(self, letters: &[DeadLetter]) {
        let line = |letter: &DeadLetter| {
            let at = letter.dead_at.to_rfc3339();
            format!("{}  {at}  {}  {}  {}", letter.id, letter.queue, letter.event_type, letter.reason)
        };
        let describe = |letter: &DeadLetter| {
            json!({
                "id": letter.id, "queue": letter.queue, "eventType": letter.event_type, "eventId": letter.event_id,
                "reason": letter.reason, "deliveries": letter.deliveries, "deadAt": letter.dead_at.to_rfc3339(),
            })
        };
        self.print(
            || match letters {
                [] => "no dead letters".to_owned(),
                some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
            },
            || json!({"items": letters.iter().map(describe).collect::<Vec<_>>()}),
        );
    }

    pub(super) fn replayed(self, id: Option<&str>, count: usize) {
        self.print(|| format!("{count} back in the queue"), || json!({"id": id, "replayed": count}));
    }

    pub(super) fn dropped(self, id: &str) {
        self.print(|| format!("{id} dropped"), || json!({"id": id, "dropped": true}));
    }

    pub(super) fn migrated(self) {
        self.print(|| "the database is up to date".to_owned(), || json!({"migrated": true}));
    }

    fn print(self, words: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
        let text = if self.json { object().to_string() } else { words() };
        // Whoever reads it may have seen enough: `| head`.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

fn line(key: &ApiKey) -> String {
    let state = key.revoked_at.map_or("in force".to_owned(), |at| format!("revoked {}", at.to_rfc3339()));
    format!("key {}  {}  {}...  {state}", key.id, key.kind, key.hint)
}

fn describe(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "kind": key.kind, "hint": key.hint, "ownerId": key.owner_id,
        "workspaceId": key.workspace_id, "scopes": key.scopes,
        "createdAt": key.created_at.to_rfc3339(), "revokedAt": key.revoked_at.map(Timestamp::to_rfc3339),
    })
}

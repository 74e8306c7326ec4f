//! Results of the `admin` commands: words for people, or one JSON object.

use std::io::Write;

use serde_json::{Value, json};
use shared_models::domain::Timestamp;
use shared_models::domain::tenancy::{Owner, Plan, Workspace};
use shared_models::store::{DeadLetter, OwnerOverview, WorkspaceOverview};

use super::table::table;

#[derive(Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) fn owner(self, owner: &Owner) {
        self.print(
            || {
                let remark = over_plan(owner).map_or(String::new(), |count| {
                    format!(": {count} over the plan; nothing is deleted, nothing can be added")
                });
                format!(
                    "owner {}  {}  subscription {}, {} mailboxes{remark}",
                    owner.id,
                    owner.email,
                    subscription(owner.plan),
                    usage(owner),
                )
            },
            || describe_owner(owner),
        );
    }

    pub(super) fn owners(self, owners: &[OwnerOverview]) {
        let row = |OwnerOverview { owner, workspaces }: &OwnerOverview| {
            let over = over_plan(owner).map_or(String::new(), |count| format!("{count} over the plan"));
            let subscription = subscription(owner.plan).to_owned();
            let created = minute(owner.created_at);
            vec![
                owner.id.to_string(),
                owner.email.clone(),
                subscription,
                usage(owner),
                workspaces.to_string(),
                created,
                over,
            ]
        };
        let headings = ["ID", "OWNER", "SUBSCRIPTION", "MAILBOXES", "WORKSPACES", "CREATED (UTC)", ""];
        self.list("owners", &headings, owners, row, |overview| {
            let mut shown = describe_owner(&overview.owner);
            shown["workspaces"] = json!(overview.workspaces);
            shown
        });
    }

    pub(super) fn workspace(self, workspace: &Workspace) {
        self.print(|| format!("workspace {}  {}", workspace.id, workspace.name), || describe_workspace(workspace));
    }

    pub(super) fn workspaces(self, workspaces: &[WorkspaceOverview]) {
        let row = |WorkspaceOverview { workspace, owner_email, mailboxes }: &WorkspaceOverview| {
            let created = minute(workspace.created_at);
            let name = workspace.name.clone();
            vec![workspace.id.to_string(), name, owner_email.clone(), mailboxes.to_string(), created]
        };
        let headings = ["ID", "WORKSPACE", "OWNER", "MAILBOXES", "CREATED (UTC)"];
        self.list("workspaces", &headings, workspaces, row, |overview| {
            let mut shown = describe_workspace(&overview.workspace);
            shown["owner"] = json!(overview.owner_email);
            shown["mailboxes"] = json!(overview.mailboxes);
            shown
        });
    }

    pub(super) fn dead_letters(self, letters: &[DeadLetter]) {
        let row = |letter: &DeadLetter| {
            let (queue, event) = (letter.queue.clone(), letter.event_type.clone());
            vec![letter.id.clone(), minute(letter.dead_at), queue, event, letter.reason.clone()]
        };
        let headings = ["ID", "SINCE (UTC)", "QUEUE", "EVENT", "REASON"];
        self.list("dead letters", &headings, letters, row, |letter| {
            json!({
                "id": letter.id, "queue": letter.queue, "eventType": letter.event_type, "eventId": letter.event_id,
                "reason": letter.reason, "deliveries": letter.deliveries, "deadAt": letter.dead_at.to_rfc3339(),
            })
        });
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

    /// A table, or `{"items": [...]}`.
    pub(super) fn list<T>(
        self,
        things: &str,
        headings: &[&str],
        items: &[T],
        row: impl Fn(&T) -> Vec<String>,
        describe: impl Fn(&T) -> Value,
    ) {
        self.print(
            || match items {
                [] => format!("no {things}"),
                _ => table(headings, &items.iter().map(row).collect::<Vec<_>>()),
            },
            || json!({"items": items.iter().map(describe).collect::<Vec<_>>()}),
        );
    }

    pub(super) fn print(self, words: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
        let text = if self.json { object().to_string() } else { words() };
        // A reader such as `head` may have closed the pipe.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// `2026-11-29 10:31`, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_rfc3339().replace('T', " ").chars().take(16).collect()
}

fn subscription(plan: Plan) -> &'static str {
    if plan.subscription_active { "active" } else { "none" }
}

fn usage(owner: &Owner) -> String {
    let limit = owner.plan.max_mailboxes.map_or("unlimited".to_owned(), |limit| limit.to_string());
    format!("{} of {limit}", owner.mailbox_usage)
}

/// Mailboxes more than the plan allows.
fn over_plan(owner: &Owner) -> Option<i64> {
    owner.plan.max_mailboxes.map(|limit| owner.mailbox_usage - limit).filter(|count| *count > 0)
}

fn describe_owner(owner: &Owner) -> Value {
    json!({
        "id": owner.id, "email": owner.email, "subscription": subscription(owner.plan),
        "maxMailboxes": owner.plan.max_mailboxes, "mailboxUsage": owner.mailbox_usage,
        "overPlan": over_plan(owner).unwrap_or_default(), "createdAt": owner.created_at.to_rfc3339(),
    })
}

fn describe_workspace(workspace: &Workspace) -> Value {
    json!({
        "id": workspace.id, "name": workspace.name, "ownerId": workspace.owner_id,
        "createdAt": workspace.created_at.to_rfc3339(),
    })
}

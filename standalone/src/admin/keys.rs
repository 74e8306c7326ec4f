//! `mailmoor admin key ...`.

use dialects::DIALECTS;
use serde_json::{Value, json};
use service_runtime::service::StartError;
use shared_models::domain::tenancy::{ApiKey, KeyKind, KeyReach, KeyText, Workspace};
use shared_models::domain::{ApiKeyId, CoreError, Timestamp};
use shared_models::store::{KeyOverview, NewApiKey, Store};

use super::output::{Output, minute};
use super::{address, explain, failed};
use crate::cli::KeyCommand;

pub(super) async fn run(store: &Store, output: Output, command: KeyCommand) -> Result<(), StartError> {
    match command {
        KeyCommand::Create { kind, workspace, owner, scopes } => {
            let new = new_key(store, kind, workspace.as_deref(), owner.as_deref(), scopes).await?;
            let made = store.create_api_key(new).await;
            let (key, text) =
                made.map_err(|e| explain(e, "the one sendkit-workspace key that a workspace can have"))?;
            show_new(output, &key, &text);
        }
        KeyCommand::List => show_all(output, &store.list_api_keys().await.map_err(failed)?),
        KeyCommand::Rotate { id, overlap } => {
            let key = parse_id(&id)?;
            let kinds: Vec<KeyKind> = dialects::key_kinds(DIALECTS).copied().collect();
            let rotated = store.rotate_api_key(key, &kinds, overlap).await.map_err(|error| match error {
                CoreError::Conflict(why) => StartError::new(format!("the key {id} cannot be replaced: {why}")),
                other => explain(other, &format!("the key {id}")),
            })?;
            show_rotated(output, &rotated.key, &rotated.text, &rotated.replaced);
        }
        KeyCommand::Revoke { id } => {
            let revoked = store.revoke_api_key(parse_id(&id)?).await;
            let key = revoked.map_err(|e| explain(e, &format!("the key {id}")))?;
            let words = || format!("key {}  {}  {}...  {}", key.id, key.kind, key.hint, state(&key));
            output.print(words, || describe(&key));
        }
    }
    Ok(())
}

fn parse_id(id: &str) -> Result<ApiKeyId, StartError> {
    id.parse().map_err(|_| StartError::new(format!("{id} is not the id of a key")))
}

async fn new_key(
    store: &Store,
    kind: KeyKind,
    workspace: Option<&str>,
    owner: Option<&str>,
    scopes: Vec<String>,
) -> Result<NewApiKey, StartError> {
    let owner = match owner {
        Some(email) => {
            let email = address(email)?;
            Some(store.owner_by_email(&email).await.map_err(|e| explain(e, &format!("the owner {email}")))?)
        }
        None => None,
    };
    let scopes = checked_scopes(kind, &scopes)?;
    if kind.reach != KeyReach::Workspace {
        if workspace.is_some() {
            return Err(StartError::new(format!(
                "a {} key opens all workspaces of its owner; leave --workspace out",
                kind.name
            )));
        }
        let owner = owner.ok_or_else(|| StartError::new(format!("a {} key needs --owner EMAIL", kind.name)))?;
        return Ok(NewApiKey { kind, owner: owner.id, workspace: None, scopes });
    }
    let wanted = workspace.ok_or_else(|| StartError::new(format!("a {} key needs --workspace NAME", kind.name)))?;
    let mut found = find_workspaces(store, wanted).await?;
    found.retain(|workspace| owner.as_ref().is_none_or(|owner| owner.id == workspace.owner_id));
    let workspace = match &found[..] {
        [one] => one,
        [] => return Err(StartError::new(format!("there is no workspace {wanted}"))),
        _ => {
            return Err(StartError::new(format!(
                "several owners have a workspace {wanted}; say which with --owner EMAIL"
            )));
        }
    };
    Ok(NewApiKey { kind, owner: workspace.owner_id, workspace: Some(workspace.id), scopes })
}

/// An empty list means every scope, so a scope without a name is refused like any unknown one.
fn checked_scopes(kind: KeyKind, scopes: &[String]) -> Result<Vec<String>, StartError> {
    let scopes: Vec<String> = scopes.iter().map(|scope| scope.trim().to_owned()).collect();
    dialects::check_scopes(DIALECTS, &kind, &scopes).map_err(|error| StartError::new(format!("--scopes: {error}")))?;
    Ok(scopes)
}

async fn find_workspaces(store: &Store, wanted: &str) -> Result<Vec<Workspace>, StartError> {
    if let Ok(id) = wanted.parse() {
        match store.workspace(id).await {
            Ok(workspace) => return Ok(vec![workspace]),
            Err(CoreError::NotFound(_)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    store.workspaces_named(wanted).await.map_err(failed)
}

fn show_new(output: Output, key: &ApiKey, text: &KeyText) {
    let (id, kind) = (key.id, &key.kind);
    output.print(
        || format!("key {id}  {kind}\n{}\nThis is the only time that the key is shown.", text.expose()),
        || with_text(key, text),
    );
}

fn show_rotated(output: Output, key: &ApiKey, text: &KeyText, replaced: &ApiKey) {
    let (id, kind, old) = (key.id, &key.kind, replaced.id);
    let fate = match replaced.expires_at {
        Some(end) if end > Timestamp::now() => format!("works until {} UTC", minute(end)),
        _ => "works no more".to_owned(),
    };
    output.print(
        || {
            let text = text.expose();
            format!("key {id}  {kind}\n{text}\nThis is the only time that the key is shown. The key {old} {fate}.")
        },
        || {
            let mut shown = with_text(key, text);
            shown["replaces"] = json!(old);
            shown["replaced"] = describe(replaced);
            shown
        },
    );
}

fn show_all(output: Output, keys: &[KeyOverview]) {
    let row = |listed: &KeyOverview| {
        let key = &listed.key;
        vec![
            key.id.to_string(),
            key.kind.clone(),
            format!("{}...", key.hint),
            listed.workspace_name.clone().unwrap_or_else(|| "(all)".to_owned()),
            listed.owner_email.clone(),
            minute(key.created_at),
            listed.last_used_at.map_or("never".to_owned(), minute),
            state(key),
        ]
    };
    let headings = ["ID", "KIND", "KEY", "WORKSPACE", "OWNER", "CREATED (UTC)", "LAST USED (UTC)", "STATE"];
    output.list("keys", &headings, keys, row, |listed| {
        let mut shown = describe(&listed.key);
        shown["workspace"] = json!(listed.workspace_name);
        shown["owner"] = json!(listed.owner_email);
        shown["lastUsedAt"] = json!(listed.last_used_at.map(Timestamp::to_rfc3339));
        shown["replaces"] = json!(listed.replaces);
        shown
    });
}

fn state(key: &ApiKey) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", minute(at)),
        (None, Some(end)) if end > Timestamp::now() => format!("replaced, works until {}", minute(end)),
        (None, Some(end)) => format!("replaced, ended {}", minute(end)),
        (None, None) => "in force".to_owned(),
    }
}

fn with_text(key: &ApiKey, text: &KeyText) -> Value {
    let mut shown = describe(key);
    shown["key"] = json!(text.expose());
    shown
}

fn describe(key: &ApiKey) -> Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    json!({
        "id": key.id, "kind": key.kind, "hint": key.hint, "ownerId": key.owner_id,
        "workspaceId": key.workspace_id, "scopes": key.scopes, "createdAt": key.created_at.to_rfc3339(),
        "expiresAt": time(key.expires_at), "revokedAt": time(key.revoked_at),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn scopes_are_those_of_the_kind() {
        let kind = |name: &str| *dialects::key_kinds(DIALECTS).find(|kind| kind.name == name).unwrap();
        let checked = |kind, scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
            checked_scopes(kind, &scopes).map_err(|error| error.to_string())
        };
        let spaced = checked(kind("coldsend"), &["sender_accounts:read", " campaigns:all"]);
        assert_eq!(spaced.unwrap(), ["sender_accounts:read", "campaigns:all"]);
        let roles = ["root:webhook_admin", "domain.*", "mailbox.admin.create"];
        assert_eq!(checked(kind("sendmux-root"), &roles).unwrap(), roles);
        for &kind in dialects::key_kinds(DIALECTS) {
            assert_eq!(checked(kind, &[]), Ok(vec![]), "everything");
        }
        for (kind, scopes, named) in [
            (kind("coldsend"), &["sender_accounts:read", "nonsense"][..], "\"nonsense\""),
            (kind("coldsend"), &["sender_accounts:write"], "\"sender_accounts:write\""),
            (kind("coldsend"), &[""], "\"\""),
            (kind("sendkit-platform"), &["*"], "has no scopes"),
            (kind("sendmux-root"), &["root:readonly", "root:admin"], "\"root:admin\""),
            (kind("sendmux-root"), &["sender_accounts:read"], "\"sender_accounts:read\""),
        ] {
            let error = checked(kind, scopes).unwrap_err();
            assert!(error.contains(named) && error.lines().count() == 1, "{error}");
        }
    }
}

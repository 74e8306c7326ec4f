//! `mailmoor admin ...`: works on the configured database while the services run.

mod output;

use std::path::Path;

use dialects::DIALECTS;
use service_runtime::bus::{self, Broker};
use service_runtime::database;
use service_runtime::service::StartError;
use service_runtime::settings::Settings;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::{KeyKind, KeyReach, Plan, Workspace};
use shared_models::store::{NewApiKey, Store};

use crate::cli::{
    AdminArgs, AdminCommand, DeadLettersCommand, KeyCommand, OwnerCommand, PlanArgs, Subscription, WorkspaceCommand,
};
use output::Output;

pub(crate) async fn run(config: Option<&Path>, args: AdminArgs) -> Result<(), StartError> {
    let settings = Settings::load(config).map_err(StartError::new)?;
    let store = database::open(&settings).await.map_err(StartError::new)?;
    let output = Output { json: args.json };
    match args.command {
        AdminCommand::Owner(command) => owner(&store, output, command).await,
        AdminCommand::Workspace(command) => workspace(&store, output, command).await,
        AdminCommand::Key(command) => key(&store, output, command).await,
        AdminCommand::DeadLetters(command) => {
            let broker = bus::connect(&settings, &store).map_err(StartError::new)?;
            dead_letters(&*broker, output, command).await
        }
        AdminCommand::Migrate => {
            // Opening the database has done it.
            output.migrated();
            Ok(())
        }
    }
}

async fn owner(store: &Store, output: Output, command: OwnerCommand) -> Result<(), StartError> {
    match command {
        OwnerCommand::Create { email, plan } => {
            let email = address(&email)?;
            let plan = changed(Plan { subscription_active: true, max_mailboxes: None }, &plan);
            let owner = store.create_owner(&email, plan).await;
            output.owner(&owner.map_err(|e| explain(e, &format!("the owner {email}")))?);
        }
        OwnerCommand::Plan { email, plan } => {
            let email = address(&email)?;
            let what = format!("the owner {email}");
            let owner = store.owner_by_email(&email).await.map_err(|e| explain(e, &what))?;
            let owner = store.set_plan(&email, changed(owner.plan, &plan)).await;
            output.owner(&owner.map_err(|e| explain(e, &what))?);
        }
    }
    Ok(())
}

async fn workspace(store: &Store, output: Output, command: WorkspaceCommand) -> Result<(), StartError> {
    let WorkspaceCommand::Create { name, owner } = command;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
        return Err(StartError::new("the name of a workspace has 1 to 255 characters and no line breaks"));
    }
    let email = address(&owner)?;
    let owner = store.owner_by_email(&email).await.map_err(|e| explain(e, &format!("the owner {email}")))?;
    let workspace = store.create_workspace(owner.id, name).await;
    output.workspace(&workspace.map_err(|e| explain(e, &format!("the workspace {name}")))?);
    Ok(())
}

async fn key(store: &Store, output: Output, command: KeyCommand) -> Result<(), StartError> {
    match command {
        KeyCommand::Create { kind, workspace, owner, scopes } => {
            let new = new_key(store, kind, workspace.as_deref(), owner.as_deref(), scopes).await?;
            let made = store.create_api_key(new).await;
            let (key, text) =
                made.map_err(|e| explain(e, "the one sendkit-workspace key that a workspace can have"))?;
            output.new_key(&key, &text);
        }
        KeyCommand::List => output.keys(&store.list_api_keys().await.map_err(StartError::new)?),
        KeyCommand::Revoke { id } => {
            let what = format!("the key {id}");
            let id = id.parse().map_err(|_| StartError::new(format!("{id} is not the id of a key")))?;
            output.key(&store.revoke_api_key(id).await.map_err(|e| explain(e, &what))?);
        }
    }
    Ok(())
}

async fn dead_letters(broker: &dyn Broker, output: Output, command: DeadLettersCommand) -> Result<(), StartError> {
    let named = |id: &str| {
        let what = format!("the dead letter {id}");
        move |error| explain(error, &what)
    };
    match command {
        DeadLettersCommand::List => output.dead_letters(&broker.dead_letters().await.map_err(StartError::new)?),
        DeadLettersCommand::Replay { id, .. } => {
            let replayed = broker.replay_dead_letters(id.as_deref()).await;
            output.replayed(id.as_deref(), replayed.map_err(named(id.as_deref().unwrap_or_default()))?);
        }
        DeadLettersCommand::Drop { id } => {
            broker.drop_dead_letter(&id).await.map_err(named(&id))?;
            output.dropped(&id);
        }
    }
    Ok(())
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

/// No scope at all would be every scope, so that one without a name is refused like any unknown one.
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
            Err(error) => return Err(StartError::new(error)),
        }
    }
    store.workspaces_named(wanted).await.map_err(StartError::new)
}

fn changed(mut plan: Plan, args: &PlanArgs) -> Plan {
    if let Some(limit) = args.max_mailboxes {
        plan.max_mailboxes = limit.0;
    }
    if let Some(subscription) = args.subscription {
        plan.subscription_active = subscription == Subscription::Active;
    }
    plan
}

/// Owners are told apart by address only, so `owner@localhost` is as good as any: no domain rules.
fn address(text: &str) -> Result<String, StartError> {
    let text = text.trim().to_lowercase();
    let plausible = text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if plausible && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(text);
    }
    Err(StartError::new(format!("{text} is not an address such as name@company.com")))
}

fn explain(error: CoreError, what: &str) -> StartError {
    match error {
        CoreError::NotFound(_) => StartError::new(format!("{what} does not exist")),
        CoreError::AlreadyExists => StartError::new(format!("{what} exists already")),
        other => StartError::new(other),
    }
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

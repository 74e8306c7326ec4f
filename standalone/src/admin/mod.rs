//! `mailmoor admin ...`: works on the configured database, whether the services run or not.

mod keys;
mod output;
mod table;

use std::path::Path;

use service_runtime::bus::{self, Broker};
use service_runtime::database;
use service_runtime::service::StartError;
use service_runtime::settings::Settings;
use shared_models::domain::CoreError;
use shared_models::domain::tenancy::Plan;
use shared_models::store::{DatabaseSettings, Store};

use crate::cli::{AdminArgs, AdminCommand, DeadLettersCommand, OwnerCommand, PlanArgs, Subscription, WorkspaceCommand};
use output::Output;

pub(crate) async fn run(config: Option<&Path>, args: AdminArgs) -> Result<(), StartError> {
    let settings = Settings::load(config).map_err(StartError::new)?;
    check_database_file(&settings)?;
    let store = database::open(&settings).await.map_err(StartError::new)?;
    let output = Output { json: args.json };
    match args.command {
        AdminCommand::Owner(command) => owner(&store, output, command).await,
        AdminCommand::Workspace(command) => workspace(&store, output, command).await,
        AdminCommand::Key(command) => keys::run(&store, output, command).await,
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

/// Started in another folder, a command would make an empty database there, change it, and report success. An empty
/// PostgreSQL database was made by its operator on purpose, and may be prepared.
fn check_database_file(settings: &Settings) -> Result<(), StartError> {
    match settings.database_settings().map_err(StartError::new)? {
        DatabaseSettings::Sqlite { path } if !path.try_exists().map_err(StartError::new)? => {
            Err(StartError::new(format!(
                "no Mailmoor database at {}: start mailmoor serve there first, or set MAILMOOR__DATA_DIR",
                path.display()
            )))
        }
        _ => Ok(()),
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
        OwnerCommand::List => output.owners(&store.list_owners().await.map_err(failed)?),
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
    match command {
        WorkspaceCommand::Create { name, owner } => {
            let name = name.trim();
            if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
                return Err(StartError::new("the name of a workspace has 1 to 255 characters and no line breaks"));
            }
            let email = address(&owner)?;
            let owner = store.owner_by_email(&email).await.map_err(|e| explain(e, &format!("the owner {email}")))?;
            let workspace = store.create_workspace(owner.id, name).await;
            output.workspace(&workspace.map_err(|e| explain(e, &format!("the workspace {name}")))?);
        }
        WorkspaceCommand::List { owner } => {
            let mut all = store.list_workspaces().await.map_err(failed)?;
            if let Some(owner) = owner {
                let email = address(&owner)?;
                let owner = store.owner_by_email(&email).await;
                let owner = owner.map_err(|e| explain(e, &format!("the owner {email}")))?;
                all.retain(|overview| overview.workspace.owner_id == owner.id);
            }
            output.workspaces(&all);
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
        DeadLettersCommand::List => output.dead_letters(&broker.dead_letters().await.map_err(failed)?),
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

fn changed(mut plan: Plan, args: &PlanArgs) -> Plan {
    if let Some(limit) = args.max_mailboxes {
        plan.max_mailboxes = limit.0;
    }
    if let Some(subscription) = args.subscription {
        plan.subscription_active = subscription == Subscription::Active;
    }
    plan
}

/// Lower case, as owners are looked up. `owner@localhost` is as good as any: the address only names the owner.
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
        other => failed(other),
    }
}

fn failed(error: CoreError) -> StartError {
    match error {
        // The operator reads the text that callers of the API do not get.
        CoreError::Internal(text) => StartError::new(text),
        other => StartError::new(other),
    }
}

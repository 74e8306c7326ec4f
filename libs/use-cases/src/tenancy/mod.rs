//! Keys, owners and workspaces.

mod account;
mod authenticate;
mod workspaces;

pub use authenticate::{Account, Tenant};
pub use workspaces::WorkspaceOverview;

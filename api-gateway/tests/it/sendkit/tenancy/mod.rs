//! Keys, the account and its workspaces.

mod account;
mod authentication;
mod workspaces;

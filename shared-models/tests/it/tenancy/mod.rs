pub(crate) mod api_keys;
pub(crate) mod owners;
pub(crate) mod workspaces;

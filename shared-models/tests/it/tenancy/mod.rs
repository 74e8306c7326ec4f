pub(crate) mod api_keys;
pub(crate) mod key_rotation;
pub(crate) mod overview;
pub(crate) mod owners;
pub(crate) mod workspaces;

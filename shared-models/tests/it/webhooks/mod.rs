pub(crate) mod changes;
pub(crate) mod dispatches;
pub(crate) mod secrets;

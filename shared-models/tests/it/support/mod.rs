#[macro_use]
pub(crate) mod database;
pub(crate) mod tenant;

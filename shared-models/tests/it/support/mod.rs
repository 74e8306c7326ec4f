#[macro_use]
pub(crate) mod database;
pub(crate) mod kinds;
pub(crate) mod tenant;

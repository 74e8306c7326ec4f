#[macro_use]
pub(crate) mod home;
pub(crate) mod kinds;
pub(crate) mod tenant;

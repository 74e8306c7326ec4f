#[macro_use]
pub(crate) mod home;
pub(crate) mod tenant;

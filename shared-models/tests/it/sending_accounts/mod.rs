pub(crate) mod accounts;
pub(crate) mod login_tests;

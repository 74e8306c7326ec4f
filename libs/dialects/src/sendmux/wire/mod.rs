//! Sendmux's JSON and its translation to and from the domain. Defaults, limits and words that only
//! this dialect has live here.

pub(super) mod answer;
pub(super) mod body;
pub(super) mod domains;
pub(super) mod filters;
pub(super) mod lists;
pub(super) mod mailboxes;
pub(super) mod meta;
pub(super) mod providers;
pub(super) mod webhooks;

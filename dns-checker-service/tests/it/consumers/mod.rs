//! The consumers over a real store: events in, verdicts and metrics out.

mod check_domain;
mod verify_domain;

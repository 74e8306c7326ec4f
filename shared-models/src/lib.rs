//! What the services share: the mailbox domain, the events that travel between services, and the
//! store that keeps both.
//!
//! Directions: [`domain`] and [`events`] know neither Diesel nor an async runtime; [`store`] is the
//! only place with SQL. Nothing here knows HTTP, a message broker or a mail protocol.

pub mod domain;
pub mod events;
pub mod store;

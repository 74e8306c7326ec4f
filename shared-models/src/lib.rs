//! The models that every service shares: the domain, the events that travel between services, and the store that keeps
//! both.
//!
//! Directions: [`domain`] and [`events`] know neither Diesel nor an async runtime, and [`store`] is the only place with
//! SQL. Nothing here speaks HTTP, AMQP or a mail protocol. The store does keep one thing of HTTP's: the answer to a
//! repeated request, as values that it never interprets ([`store::StoredAnswer`]).

pub mod domain;
pub mod events;
pub mod store;

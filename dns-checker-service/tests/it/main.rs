//! The DNS checker from outside: rules by scenario, limits, and real servers.

mod limits;
mod live;
mod scenarios;
mod score;

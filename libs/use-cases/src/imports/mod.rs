//! Imports: the CSV file of mailboxes, and the job that is made of it.

pub mod csv;
mod import;

pub use import::ImportWatch;

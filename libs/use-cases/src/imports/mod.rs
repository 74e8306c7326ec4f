//! Many mailboxes at once: the file and the job that is made of it.

pub mod csv;
mod import;

pub use import::ImportWatch;

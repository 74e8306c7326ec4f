//! The IMAP leg (RFC 9051, RFC 3501): greeting, CAPABILITY, STARTTLS, sign-in and one look at the inbox. Written here and
//! not taken from a library, for two reasons. Untagged lines before the tagged answer often explain a refusal, and every
//! read must be bounded.

mod dialogue;
mod inbox;
pub(crate) mod session;
mod syntax;

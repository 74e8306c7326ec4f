//! The SMTP leg: greeting, EHLO, STARTTLS and AUTH of message submission (RFC 6409, RFC 4954), and handing over a
//! message. Written here and not taken from a library, for two reasons. Each reply has to be judged, and a reply that was
//! buffered before TLS must never be taken for one that came inside it (CVE-2021-38371).

mod dialogue;
pub(crate) mod session;
pub(crate) mod submit;

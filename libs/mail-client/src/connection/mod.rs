//! The connection to a mail server: opened, encrypted, and read line by line within limits. Knows neither SMTP nor
//! IMAP.

pub(crate) mod connect;
pub(crate) mod known_ports;
pub(crate) mod line_reader;
pub(crate) mod stream;
pub(crate) mod tls;

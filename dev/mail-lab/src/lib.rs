//! Servers for tests: private, thrown away, and gone when the test process is gone.
//!
//! | need | use |
//! |---|---|
//! | certificates, and the authority to trust | [`TestCa`], [`CertSpec`] |
//! | a quick mail server that obeys, misbehaves and counts | [`ScriptedServer`], [`scripted`] |
//! | addresses that are silent, refuse, or swallow SYNs | [`silent_port`], [`refused_port`], [`blackhole_port`] |
//! | a database | [`Postgres`] |
//! | a message broker | [`RabbitMq`] |
//! | a real IMAP and submission server | [`Dovecot`] |
//! | the mail servers as they are deployed | [`MailPlatform`] |
//! | real DNS with made-up zones | [`Knot`] |
//! | DNS that is slow, fails or lies | [`DnsFront`] |
//!
//! All starts are synchronous and short (a second or two at most, but five for RabbitMQ), so that they serve async tests,
//! benchmarks and plain `main` functions alike; the Rust servers run on a runtime of their own. A missing binary is an
//! error that names its Debian package. As root, real servers run as `postgres`, `rabbitmq`, `knot` and `nobody`; else
//! as the current user. Only the mail platform needs root, because Postfix does.
//!
//! It knows nothing of Mailmoor but the configuration of its mail servers, and nothing here leaves the loopback
//! interface.
#![allow(missing_docs, reason = "for developers only: an item is documented where its name does not say it all")]
#![forbid(unsafe_code)]

mod certs;
mod dns;
mod dns_front;
mod dovecot;
mod error;
mod knot;
mod mail_platform;
mod net;
mod postgres;
mod process;
mod rabbitmq;
mod runtime;
pub mod scripted;

pub use certs::{CertSpec, IssuedCert, SERVER_NAMES, TestCa, Validity, self_signed};
pub use dns_front::{DnsFault, DnsFront, DnsQuery};
pub use dovecot::{Dovecot, DovecotOptions, DovecotPorts, LoginLog};
pub use error::LabError;
pub use knot::Knot;
pub use mail_platform::{MailPlatform, MailPlatformPorts};
pub use net::{
    BlackholePort, RefusedPort, SilentPort, blackhole_port, free_loopback, free_port, refused_port, silent_port,
};
pub use postgres::{Database, Postgres, postgres_program};
pub use rabbitmq::{RabbitMq, VirtualHost};
pub use runtime::WAIT_LIMIT;
pub use scripted::ScriptedServer;

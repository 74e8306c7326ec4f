//! The steps of a login that differ between SMTP and IMAP, as a trait. Their order is in the module `attempt`.

use shared_models::domain::LoginSecret;
use shared_models::domain::diagnosis::Leg;

use crate::connection::line_reader::Wire;
use crate::failure::Failure;
use crate::reply::classify::ReplyContext;

/// The account that signs in, and the name we introduce ourselves by.
pub(crate) struct Login<'a> {
    pub(crate) context: ReplyContext<'a>,
    pub(crate) secret: &'a LoginSecret,
    /// Name for EHLO; `None` = our address on the connection.
    pub(crate) helo_name: Option<&'a str>,
}

/// A session with a server. Each step waits at most until the deadline of the wire.
pub(crate) trait MailSession: Sized + Send {
    const LEG: Leg;

    /// A session on a connection from which nothing has been read yet.
    fn new(wire: Wire) -> Self;

    fn into_wire(self) -> Wire;

    /// Reads the greeting. After STARTTLS there is none.
    fn greeting(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks for the server's capabilities.
    fn hello(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// True if the capabilities include STARTTLS and it may be used now.
    fn offers_starttls(&self) -> bool;

    /// Asks for STARTTLS. After `Ok` the TLS handshake is due.
    fn starttls(&mut self, login: &Login<'_>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Signs in, and returns the warnings of an accepted login. Called at most once in a leg, because servers lock
    /// accounts after a few refused passwords.
    fn sign_in(&mut self, login: &Login<'_>) -> impl Future<Output = Result<Vec<Failure>, Failure>> + Send;

    /// Says goodbye, without waiting for the answer.
    fn sign_out(&mut self) -> impl Future<Output = ()> + Send;
}

//! One connection: lines in, scripted replies out, TLS at any moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, empty, sink};
use tokio::net::TcpStream;

use super::script::{AfterAuth, Behaviour, Listener, Protocol, Reply, Tls};
use super::state::{Attempt, State};
use super::stats::LoginOutcome;

/// Longest line and literal that is read.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The connection is over; why does not matter to the server.
pub(super) struct End;

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

pub(super) type Step<T = ()> = Result<T, End>;

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(super) struct Conn {
    io: BufReader<Box<dyn Io>>,
    pub(super) state: Arc<State>,
    pub(super) listener: Listener,
    pub(super) behaviour: Arc<Behaviour>,
    pub(super) tls: bool,
    /// Connections at this listener when this one came, itself included.
    pub(super) number: usize,
}

impl Drop for Conn {
    fn drop(&mut self) {
        let index = self.listener.index();
        self.state.count(|stats| stats.listeners[index].open -= 1);
    }
}

/// Small, because there may be very many connections and mail commands are short.
fn buffered(io: impl Io + 'static) -> BufReader<Box<dyn Io>> {
    BufReader::with_capacity(1024, Box::new(io))
}

impl Conn {
    pub(super) fn new(stream: TcpStream, listener: Listener, state: Arc<State>) -> Self {
        let number = state.count(|stats| stats.opened(listener));
        Self { number, io: buffered(stream), behaviour: state.behaviour(listener), state, listener, tls: false }
    }

    /// May a password be sent now, as far as the server is concerned?
    pub(super) fn login_allowed(&self) -> bool {
        self.tls || self.behaviour.plaintext_auth
    }

    /// The next line without its line end.
    pub(super) async fn read_line(&mut self) -> Step<Vec<u8>> {
        let mut line = self.read_whole_line().await?;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// The next line as it came, up to its line feed.
    pub(super) async fn read_whole_line(&mut self) -> Step<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.io).take(MAX_LINE as u64);
        let length = limited.read_until(b'\n', &mut line).await?;
        self.received(length);
        if line.last() == Some(&b'\n') { Ok(line) } else { Err(End) }
    }

    pub(super) async fn read_exact(&mut self, length: usize) -> Step<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.io.read_exact(&mut bytes).await?;
        self.received(length);
        Ok(bytes)
    }

    fn received(&self, length: usize) {
        let index = self.listener.index();
        self.state.count(|stats| stats.listeners[index].bytes_in += length as u64);
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Step {
        self.io.write_all(bytes).await?;
        self.io.flush().await?;
        let index = self.listener.index();
        self.state.count(|stats| stats.listeners[index].bytes_out += bytes.len() as u64);
        Ok(())
    }

    /// One reply after the delay: lines divided by `\n`.
    pub(super) async fn reply(&mut self, text: &str) -> Step {
        self.pause().await;
        self.write(&crlf(text)).await
    }

    async fn pause(&mut self) {
        if !self.behaviour.reply_delay.is_zero() {
            tokio::time::sleep(self.behaviour.reply_delay).await;
        }
    }

    /// Plays a reply of the script; `tag` is that of an IMAP command.
    pub(super) async fn play(&mut self, reply: &Reply, tag: Option<&str>) -> Step {
        match reply {
            Reply::Text(text) => self.reply(&with_tag(text, tag)).await,
            Reply::Bytes(bytes) => {
                self.pause().await;
                self.write(bytes).await
            }
            Reply::Silent => Err(self.stay_silent().await),
            Reply::Drop => Err(End),
            Reply::Drip(interval) => self.drip(*interval).await,
            Reply::EndlessLines => self.endless_lines().await,
            Reply::HugeLine(length) => self.huge_line(*length).await,
        }
    }

    /// Reads and says nothing until the client goes.
    pub(super) async fn stay_silent(&mut self) -> End {
        let _ = tokio::io::copy(&mut self.io, &mut sink()).await;
        End
    }

    async fn drip(&mut self, interval: Duration) -> Step {
        let begin: &[u8] = match self.listener.protocol() {
            Protocol::Smtp => b"220 ",
            Protocol::Imap => b"* OK ",
        };
        for byte in begin.iter().copied().chain(std::iter::repeat(b'.')) {
            tokio::time::sleep(interval).await;
            self.write(&[byte]).await?;
        }
        Ok(())
    }

    async fn endless_lines(&mut self) -> Step {
        let line: &[u8] = match self.listener.protocol() {
            Protocol::Smtp => b"220-and so on\r\n",
            Protocol::Imap => b"* OK and so on\r\n",
        };
        let chunk = line.repeat(256);
        loop {
            self.write(&chunk).await?;
        }
    }

    async fn huge_line(&mut self, length: usize) -> Step {
        let chunk = [b'x'; 16 * 1024];
        let mut left = length;
        while left > 0 {
            let now = left.min(chunk.len());
            self.write(&chunk[..now]).await?;
            left -= now;
        }
        self.write(b"\r\n").await
    }

    /// The server's side of the handshake. Bytes that came before it are thrown away (RFC 3207, section 4.2).
    pub(super) async fn start_tls(&mut self) -> Step {
        match self.behaviour.tls {
            Tls::Silent => return Err(self.stay_silent().await),
            Tls::Closes => {
                self.io.fill_buf().await?;
                return Err(End);
            }
            Tls::Alert => {
                self.io.fill_buf().await?;
                // TLS record: alert, version 1.2, length 2, fatal, handshake_failure (40).
                self.write(&[0x15, 3, 3, 0, 2, 2, 40]).await?;
                return Err(self.close().await);
            }
            _ => {}
        }
        let acceptor = self.state.acceptor(self.behaviour.tls).map_err(|_| End)?;
        let io = std::mem::replace(&mut self.io, buffered(empty())).into_inner();
        let index = self.listener.index();
        match acceptor.accept(io).await {
            Ok(stream) => {
                self.io = buffered(stream);
                self.tls = true;
                self.state.count(|stats| stats.listeners[index].tls_handshakes += 1);
                Ok(())
            }
            Err(_) => {
                self.state.count(|stats| stats.listeners[index].tls_failures += 1);
                Err(End)
            }
        }
    }

    /// Decides a login and answers it. `true`: the session goes on as that user.
    pub(super) async fn login(&mut self, attempt: Login<'_>) -> Step<bool> {
        let (outcome, reply) = self.state.judge(&Attempt {
            listener: self.listener,
            protocol: attempt.protocol,
            mechanism: attempt.mechanism,
            tls: self.tls,
            user: attempt.user,
            password: attempt.password,
        });
        let closing = matches!(&reply, Reply::Text(text)
            if text.lines().last().is_some_and(|l| l.starts_with("* BYE") || l.starts_with("421")));
        self.play(&reply, attempt.tag).await?;
        if closing {
            return Err(self.close().await);
        }
        if outcome != LoginOutcome::Accepted {
            return Ok(false);
        }
        match self.behaviour.after_auth.clone() {
            AfterAuth::Normal => Ok(true),
            AfterAuth::Drop => Err(End),
            AfterAuth::Bye(text) => {
                self.reply(&text).await?;
                Err(self.close().await)
            }
            AfterAuth::Silent => Err(self.stay_silent().await),
        }
    }

    /// The orderly end: TLS close_notify and FIN.
    pub(super) async fn close(&mut self) -> End {
        let _ = self.io.shutdown().await;
        End
    }
}

/// A password that has arrived.
pub(super) struct Login<'a> {
    pub(super) protocol: Protocol,
    pub(super) mechanism: super::script::Mechanism,
    pub(super) tag: Option<&'a str>,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

fn crlf(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    for line in text.lines() {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// See [`Reply::Text`].
fn with_tag(text: &str, tag: Option<&str>) -> String {
    let Some(tag) = tag else {
        return text.to_string();
    };
    let last = text.trim_end().lines().last().unwrap_or_default();
    if last.contains("{tag}") || last.starts_with(['*', '+']) {
        return text.replace("{tag}", tag);
    }
    let head = text.trim_end().strip_suffix(last).unwrap_or_default();
    format!("{}{tag} {last}", head.replace("{tag}", tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_gets_the_tag() {
        assert_eq!(with_tag("NO [ALERT] x", Some("a1")), "a1 NO [ALERT] x");
        assert_eq!(with_tag("* BYE x", Some("a1")), "* BYE x");
        assert_eq!(with_tag("* NO [ALERT] x\nNO y\n", Some("a1")), "* NO [ALERT] x\na1 NO y");
        assert_eq!(with_tag("{tag} OK x\n* BYE y", Some("a1")), "a1 OK x\n* BYE y");
        assert_eq!(crlf("250-a\n250 b"), b"250-a\r\n250 b\r\n");
    }
}

//! Lines from and to an untrusted server: every wait has a deadline, every size a limit.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::stream::MailStream;

/// Octets of a line. A reply line of SMTP has at most 512 (RFC 5321 section 4.5.3.1.5). IMAP bounds only the lines
/// of clients, at about 8192 (RFC 7162 section 4).
const MAX_LINE: usize = 8 * 1024;
/// Lines of one connection, several times what a login takes.
const MAX_LINES: usize = 200;
/// Octets of one connection, so that a hostile server cannot fill our memory.
const MAX_BYTES: usize = 64 * 1024;
/// A farewell is not waited for: it fits into an empty socket buffer, or is not sent.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(100);

/// The reason why a line could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// The deadline passed.
    Timeout,
    /// End of stream or reset.
    Closed,
    /// The server exceeded a limit.
    Flood,
}

/// One connection, read line by line.
pub(crate) struct Wire {
    stream: MailStream,
    buffer: Vec<u8>,
    start: usize,
    lines: usize,
    bytes: usize,
    deadline: Instant,
}

impl Wire {
    /// A connection whose reads and writes all end at `deadline`.
    pub(crate) fn new(stream: MailStream, deadline: Instant) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, lines: 0, bytes: 0, deadline }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.stream, MailStream::Tls(_))
    }

    /// Our own address on this connection.
    pub(crate) fn local_ip(&self) -> Option<std::net::IpAddr> {
        let tcp = match &self.stream {
            MailStream::Plain(tcp) => tcp,
            MailStream::Tls(tls) => tls.get_ref().get_ref().get_ref(),
        };
        tcp.local_addr().ok().map(|address| address.ip())
    }

    /// True if octets have arrived behind the last line that was read.
    pub(crate) fn has_unread(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The bare connection, for the TLS handshake; `None` if it is encrypted already.
    pub(crate) fn into_plain(self) -> Option<TcpStream> {
        match self.stream {
            MailStream::Plain(tcp) => Some(tcp),
            MailStream::Tls(_) => None,
        }
    }

    /// The next line without its end. Octets that are not UTF-8 are replaced.
    pub(crate) async fn read_line(&mut self) -> Result<String, WireError> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|&b| b == b'\n') {
                return self.take_line(searched + at);
            }
            searched = self.buffer.len();
            if searched - self.start > MAX_LINE || self.bytes > MAX_BYTES {
                return Err(WireError::Flood);
            }
            if self.start > 0 {
                self.buffer.drain(..self.start);
                searched -= self.start;
                self.start = 0;
            }
            self.fill().await?;
        }
    }

    fn take_line(&mut self, end: usize) -> Result<String, WireError> {
        let line = &self.buffer[self.start..end];
        self.lines += 1;
        if line.len() > MAX_LINE || self.lines > MAX_LINES {
            return Err(WireError::Flood);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line).into_owned();
        self.start = end + 1;
        Ok(text)
    }

    async fn fill(&mut self) -> Result<(), WireError> {
        let mut chunk = [0; 4096];
        let read = timeout_at(self.deadline, self.stream.read(&mut chunk)).await.map_err(|_| WireError::Timeout)?;
        match read {
            Ok(0) | Err(_) => Err(WireError::Closed),
            Ok(count) => {
                self.bytes += count;
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    /// Sends octets as they are.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> Result<(), WireError> {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        timeout_at(self.deadline, sent).await.map_err(|_| WireError::Timeout)?.map_err(|_| WireError::Closed)
    }

    /// Sends octets as they are, without waiting for an answer and ignoring failure.
    pub(crate) async fn farewell(&mut self, octets: &[u8]) {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        // The outcome of the session is known by now.
        let _ = timeout(FAREWELL_TIMEOUT, sent).await;
    }
}

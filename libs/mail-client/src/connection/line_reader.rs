//! Lines from and to a server that is not trusted: every wait has a deadline, every size a limit.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::stream::MailStream;

/// Longest line in octets (RFC 5321 allows 512, RFC 9051 recommends 8192).
const MAX_LINE: usize = 8 * 1024;
/// Lines that a server may send in one connection.
const MAX_LINES: usize = 200;
/// Octets that a server may send in one connection.
const MAX_BYTES: usize = 64 * 1024;
/// A farewell never waits: it goes into an empty socket buffer or not at all.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(100);

/// Why no line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// The deadline passed.
    Timeout,
    /// End of stream or reset.
    Closed,
    /// A limit was exceeded.
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
    /// Every read and write on this connection ends at `deadline`.
    pub(crate) fn new(stream: MailStream, deadline: Instant) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, lines: 0, bytes: 0, deadline }
    }

    /// True when TLS is in force.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.stream, MailStream::Tls(_))
    }

    /// Our own address on this connection, where the system tells it.
    pub(crate) fn local_ip(&self) -> Option<std::net::IpAddr> {
        let tcp = match &self.stream {
            MailStream::Plain(tcp) => tcp,
            MailStream::Tls(tls) => tls.get_ref().get_ref().get_ref(),
        };
        tcp.local_addr().ok().map(|address| address.ip())
    }

    /// True when the server sent more than the lines that were read.
    pub(crate) fn has_unread(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The bare connection, for the TLS handshake; `None` when it is encrypted already.
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

    /// Says goodbye without waiting for the answer.
    pub(crate) async fn farewell(&mut self, octets: &[u8]) {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        // Nobody is interested in whether the server still listened.
        let _ = timeout(FAREWELL_TIMEOUT, sent).await;
    }
}

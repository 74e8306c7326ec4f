//! The smallest HTTP/1.1 client that can keep a connection busy, so that the load generator takes as
//! little as possible of the two cores that it shares with the server.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One keep-alive connection.
pub(crate) struct Client {
    stream: TcpStream,
    key: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr, key: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, key: key.to_owned(), buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request with a JSON body and returns status and body.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        self.send_as("application/json", method, path, body).await
    }

    /// The same with a body of this type.
    pub(crate) async fn send_as(
        &mut self,
        content_type: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if let Some(answer) = parse(&self.buffer) {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Status and body once both are complete.
fn parse(bytes: &[u8]) -> Option<(u16, String)> {
    let head_end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse::<usize>().ok()?;
    let body = bytes.get(head_end..head_end + length)?;
    Some((status, String::from_utf8_lossy(body).into_owned()))
}

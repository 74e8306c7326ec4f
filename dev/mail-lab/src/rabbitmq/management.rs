//! As much HTTP as it takes to make and drop a virtual host.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{IoContext, LabError};

/// The management API of a server.
pub(super) struct Management {
    pub(super) addr: SocketAddr,
    /// User and password.
    pub(super) login: &'static str,
}

impl Management {
    pub(super) fn put(&self, path: &str, body: &str) -> Result<(), LabError> {
        self.ask("PUT", path, body)
    }

    pub(super) fn delete(&self, path: &str) -> Result<(), LabError> {
        self.ask("DELETE", path, "")
    }

    pub(super) fn get(&self, path: &str) -> Result<(), LabError> {
        self.ask("GET", path, "")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<(), LabError> {
        let mut stream = TcpStream::connect(self.addr).doing("connecting to RabbitMQ's management")?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).doing("setting a timeout")?;
        let login = STANDARD.encode(format!("{0}:{0}", self.login));
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: lab\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).doing("asking RabbitMQ's management")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).doing("reading from RabbitMQ's management")?;
        match answer.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(()),
            _ => Err(LabError::failed(format!("RabbitMQ's management: {method} {path}"), answer)),
        }
    }
}

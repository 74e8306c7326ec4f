//! The few bytes of DNS (RFC 1035) that the laboratory reads and writes itself.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Types by name, for tests that are read.
const TYPES: [(&str, u16); 10] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("ANY", 255),
];

/// The question of a message.
pub(crate) struct Question {
    /// Lower case, without the last dot; the root is empty.
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Where the question section ends.
    pub(crate) end: usize,
}

/// Reads the one question; `None` when there is none or it is cut off.
pub(crate) fn question(message: &[u8]) -> Option<Question> {
    let mut labels = Vec::new();
    let mut position = 12;
    loop {
        let length = usize::from(*message.get(position)?);
        position += 1;
        if length == 0 {
            break;
        }
        let label = message.get(position..position + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        position += length;
    }
    let number = u16::from_be_bytes([*message.get(position)?, *message.get(position + 1)?]);
    message.get(position + 3)?;
    let known = TYPES.iter().find(|(_, code)| *code == number);
    Some(Question {
        name: labels.join("."),
        kind: known.map_or_else(|| format!("TYPE{number}"), |(name, _)| (*name).to_string()),
        end: position + 4,
    })
}

/// A question with "recursion desired"; the type is one of [`TYPES`], else A is asked.
pub(crate) fn query(id: u16, name: &str, kind: &str) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    let number = TYPES.iter().find(|(name, _)| *name == kind).map_or(1, |(_, code)| *code);
    message.extend_from_slice(&number.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

/// Asks over UDP; `None` when there is no reply within a second.
pub(crate) fn ask(server: SocketAddr, name: &str, kind: &str) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((server.ip(), 0)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    socket.connect(server).ok()?;
    socket.send(&query(7, name, kind)).ok()?;
    let mut reply = [0; 4096];
    let length = socket.recv(&mut reply).ok()?;
    (length >= 12).then(|| reply[..length].to_vec())
}

/// RCODE 0 and at least one answer.
pub(crate) fn has_answer(reply: &[u8]) -> bool {
    reply.len() >= 12 && reply[3] & 0x0f == 0 && (reply[6], reply[7]) != (0, 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_question_survives() {
        let message = query(1, "_dmarc.Example.TEST", "TXT");
        let question = question(&message).unwrap();
        assert_eq!((question.name.as_str(), question.kind.as_str()), ("_dmarc.example.test", "TXT"));
        assert_eq!(question.end, message.len());
        assert!(super::question(&message[..20]).is_none());
    }
}

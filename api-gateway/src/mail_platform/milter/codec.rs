//! The milter protocol of Sendmail, version 6, as Postfix speaks it: packets of a length (4 octets, big-endian), a
//! letter and its data; texts in the data end in NUL.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest packet in octets. Postfix sends at most 65,535 of a body, and of a header field what its
/// `header_size_limit` (100 KiB) leaves.
const MAX_PACKET: u32 = 256 * 1024;
const VERSION: u32 = 6;
/// What we want to do to messages: insert header fields.
const ADD_HEADERS: u32 = 0x1;
/// What we want to hear nothing of: connections, EHLO, recipients, DATA and unknown commands; what we do not answer:
/// header fields and pieces of the body; and values of fields with the white space behind the colon.
const STEPS: u32 = 0x1 | 0x2 | 0x8 | 0x200 | 0x100 | 0x80 | 0x8_0000 | 0x10_0000;

/// Why a connection is closed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    #[error("a packet of {0} octets")]
    Length(u32),
    #[error("a packet '{}' that is not complete", .0.escape_ascii())]
    Malformed(u8),
    #[error("a packet '{}' at the wrong moment", .0.escape_ascii())]
    Unexpected(u8),
    #[error("a version or options that are not those of Postfix 2.6 or newer")]
    Options,
}

impl From<ProtocolError> for std::io::Error {
    fn from(error: ProtocolError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// What Postfix tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// The first one; it asks for what we accept.
    Negotiate,
    /// Something about the command that comes next, such as the login in front of [`Self::Mail`].
    Macros {
        of: u8,
        pairs: Vec<(&'a [u8], &'a [u8])>,
    },
    /// A message begins; its envelope sender, empty for none.
    Mail(&'a [u8]),
    /// A field of its header.
    Header {
        name: &'a [u8],
        value: &'a [u8],
    },
    EndOfHeader,
    /// A piece of its body.
    Body(&'a [u8]),
    /// The last piece, mostly empty. Now is the time to change the message.
    EndOfMessage(&'a [u8]),
    /// There is no message any more.
    Abort,
    /// No more connection.
    Quit,
    /// Another SMTP session on the same connection.
    NewSession,
}

impl<'a> Command<'a> {
    /// Reads a packet without its length.
    pub(super) fn parse(packet: &'a [u8]) -> Result<Self, ProtocolError> {
        let (&letter, data) = packet.split_first().ok_or(ProtocolError::Length(0))?;
        let malformed = || ProtocolError::Malformed(letter);
        Ok(match letter {
            b'O' => {
                check_options(data).ok_or_else(malformed)??;
                Self::Negotiate
            }
            b'D' => {
                let (&of, texts) = data.split_first().ok_or_else(malformed)?;
                let texts = texts_of(texts).ok_or_else(malformed)?;
                let (pairs, []) = texts.as_chunks::<2>() else { return Err(malformed()) };
                Self::Macros { of, pairs: pairs.iter().map(|[name, value]| (*name, *value)).collect() }
            }
            b'M' => {
                let texts = texts_of(data).ok_or_else(malformed)?;
                let sender = *texts.first().ok_or_else(malformed)?;
                let bare = sender.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
                Self::Mail(bare.unwrap_or(sender))
            }
            b'L' => match texts_of(data).as_deref() {
                Some([name, value]) => Self::Header { name, value },
                _ => return Err(malformed()),
            },
            b'N' => Self::EndOfHeader,
            b'B' => Self::Body(data),
            b'E' => Self::EndOfMessage(data),
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::NewSession,
            _ => return Err(ProtocolError::Unexpected(letter)),
        })
    }
}

/// `None` when there is not enough of it.
fn check_options(data: &[u8]) -> Option<Result<(), ProtocolError>> {
    let (numbers, []) = data.as_chunks::<4>() else { return None };
    let [version, actions, steps] = numbers.iter().map(|n| u32::from_be_bytes(*n)).collect::<Vec<_>>()[..] else {
        return None;
    };
    let offered = version >= VERSION && actions & ADD_HEADERS == ADD_HEADERS && steps & STEPS == STEPS;
    Some(if offered { Ok(()) } else { Err(ProtocolError::Options) })
}

/// Texts that all end in NUL; `None` when one does not.
fn texts_of(data: &[u8]) -> Option<Vec<&[u8]>> {
    if data.is_empty() {
        return Some(vec![]);
    }
    Some(data.strip_suffix(b"\0")?.split(|&byte| byte == 0).collect())
}

/// What we answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// What we want of what is offered.
    Options,
    /// To go on with.
    Continue,
    /// The message is none of our affair.
    Accept,
    /// An SMTP reply for the client.
    Refuse(&'static str),
    /// Puts a field in front of the header. What follows it ends the message.
    Insert { name: &'static str, value: String },
}

impl Reply {
    /// Appends it as a packet.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut data = vec![];
        let letter = match self {
            Self::Options => {
                data.extend([VERSION, ADD_HEADERS, STEPS].iter().flat_map(|number| number.to_be_bytes()));
                b'O'
            }
            Self::Continue => b'c',
            Self::Accept => b'a',
            Self::Refuse(reply) => {
                data.extend([reply.as_bytes(), b"\0"].concat());
                b'y'
            }
            Self::Insert { name, value } => {
                data.extend([&0_u32.to_be_bytes(), name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
                b'i'
            }
        };
        // Ours are of a few kilobytes at most.
        let length = u32::try_from(data.len() + 1).unwrap_or(u32::MAX);
        out.extend(length.to_be_bytes());
        out.push(letter);
        out.extend(data);
    }
}

/// The next packet without its length; `None` at the end of the connection.
pub(super) async fn read_packet(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Vec<u8>>> {
    let length = match reader.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length == 0 || length > MAX_PACKET {
        return Err(ProtocolError::Length(length).into());
    }
    let mut packet = vec![];
    // As it comes in, so that a length alone takes no room.
    reader.take(length.into()).read_to_end(&mut packet).await?;
    Ok(u32::try_from(packet.len()).is_ok_and(|read| read == length).then_some(packet))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What Postfix 3.7 begins with.
    const OFFER: &[u8] = b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";

    #[test]
    fn commands() {
        use Command::*;
        for (packet, command) in [
            (OFFER, Negotiate),
            (b"DM{auth_authen}\0kim@a.test\0i\0\0", {
                Macros { of: b'M', pairs: vec![(b"{auth_authen}", b"kim@a.test"), (b"i", b"")] }
            }),
            (b"DC", Macros { of: b'C', pairs: vec![] }),
            (b"M<kim@a.test>\0SIZE=1\0BODY=8BITMIME\0", Mail(b"kim@a.test")),
            (b"M<>\0", Mail(b"")),
            (b"M\0", Mail(b"")),
            (b"LFrom\0 a\n\tb\0", Header { name: b"From", value: b" a\n\tb" }),
            (b"LX\0\0", Header { name: b"X", value: b"" }),
            (b"N", EndOfHeader),
            (b"Ba\0b\r\n", Body(b"a\0b\r\n")),
            (b"E", EndOfMessage(b"")),
            (b"Eend", EndOfMessage(b"end")),
            (b"A", Abort),
            (b"Q", Quit),
            (b"K", NewSession),
        ] {
            assert_eq!(Command::parse(packet), Ok(command), "{}", packet.escape_ascii());
            // Whatever is made of the beginning of one, it is no panic.
            (0..packet.len()).for_each(|end| drop(Command::parse(&packet[..end])));
        }
    }

    #[test]
    fn what_is_no_command_is_an_error() {
        for packet in [
            b"".as_slice(),
            b"O",
            b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff",
            b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0",
            b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\0",
            b"D",
            b"DMname\0",
            b"DMname\0value",
            b"M",
            b"M<kim@a.test>",
            b"L",
            b"LFrom\0",
            b"LFrom\0value",
            b"LFrom\0value\0more\0",
            b"C",
            b"H",
            b"\xff",
        ] {
            assert!(Command::parse(packet).is_err(), "{}", packet.escape_ascii());
        }
        for offer in [
            b"O\0\0\0\x02\0\0\x01\xff\0\x1f\xff\xff".as_slice(),
            b"O\0\0\0\x06\0\0\x01\xfe\0\x1f\xff\xff",
            b"O\0\0\0\x06\0\0\x01\xff\0\x0f\xff\xff",
        ] {
            assert_eq!(Command::parse(offer), Err(ProtocolError::Options), "{}", offer.escape_ascii());
        }
    }

    #[test]
    fn replies() {
        let written = |reply: Reply| {
            let mut out = vec![];
            reply.write(&mut out);
            out
        };
        assert_eq!(written(Reply::Options), b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x01\0\x18\x03\x8b");
        assert_eq!(written(Reply::Continue), b"\0\0\0\x01c");
        assert_eq!(written(Reply::Accept), b"\0\0\0\x01a");
        assert_eq!(written(Reply::Refuse("550 no")), b"\0\0\0\x08y550 no\0");
        let field = Reply::Insert { name: "X", value: " y\n\tz".to_owned() };
        assert_eq!(written(field), b"\0\0\0\x0di\0\0\0\0X\0 y\n\tz\0");
    }

    #[tokio::test]
    async fn packets() {
        let mut reader = b"\0\0\0\x01N\0\0\0\x03Bab".as_slice();
        assert_eq!(read_packet(&mut reader).await.unwrap().unwrap(), b"N");
        assert_eq!(read_packet(&mut reader).await.unwrap().unwrap(), b"Bab");
        assert_eq!(read_packet(&mut reader).await.unwrap(), None);
        for cut in [b"\0\0".as_slice(), b"\0\0\0\x02", b"\0\0\0\x02B"] {
            assert_eq!(read_packet(&mut &*cut).await.unwrap(), None, "{cut:?}");
        }
        let largest = [&MAX_PACKET.to_be_bytes()[..], &[b'B'; MAX_PACKET as usize]].concat();
        assert_eq!(read_packet(&mut &*largest).await.unwrap().unwrap().len(), MAX_PACKET as usize);
        for length in [0, MAX_PACKET + 1, u32::MAX] {
            let raw = [&length.to_be_bytes()[..], b"BBBB"].concat();
            let error = read_packet(&mut &*raw).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{length}");
        }
    }
}

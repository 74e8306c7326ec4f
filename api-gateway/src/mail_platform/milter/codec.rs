//! The milter protocol of Sendmail, version 6, as Postfix speaks it. A packet is a length (4 octets, big-endian), a
//! letter and data; strings in the data end in NUL.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Upper bound of a packet in octets. Postfix sends at most 65,535 octets of a body, and a header field within its
/// `header_size_limit` (100 KiB).
const MAX_PACKET: u32 = 256 * 1024;
const VERSION: u32 = 6;
/// The modification that this milter makes (`SMFIF_ADDHDRS`).
const ADD_HEADERS: u32 = 0x1;
/// The protocol options that this milter asks for, by their names in libmilter.
const OPTIONS: [(u32, &str); 8] = [
    (0x1, "SMFIP_NOCONNECT: no packet for a connection"),
    (0x2, "SMFIP_NOHELO: no packet for EHLO"),
    (0x8, "SMFIP_NORCPT: no packet for a recipient"),
    (0x80, "SMFIP_NR_HDR: header fields have no reply"),
    (0x100, "SMFIP_NOUNKNOWN: no packet for an unknown command"),
    (0x200, "SMFIP_NODATA: no packet for DATA"),
    (0x8_0000, "SMFIP_NR_BODY: pieces of the body have no reply"),
    (0x10_0000, "SMFIP_HDR_LEADSPC: values keep the white space after the colon"),
];
const OPTION_BITS: u32 = {
    let (mut bits, mut at) = (0, 0);
    while at < OPTIONS.len() {
        bits |= OPTIONS[at].0;
        at += 1;
    }
    bits
};

/// A fault for which the connection is closed.
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

/// A packet from Postfix.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// The first packet, with the options on offer.
    Negotiate,
    /// Variables for the next command, such as the login before [`Self::Mail`].
    Macros {
        of: u8,
        pairs: Vec<(&'a [u8], &'a [u8])>,
    },
    /// A message begins. Its envelope sender; empty for the null sender.
    Mail(&'a [u8]),
    /// A field of the header.
    Header {
        name: &'a [u8],
        value: &'a [u8],
    },
    EndOfHeader,
    /// A piece of the body.
    Body(&'a [u8]),
    /// The last piece of the body, mostly empty. Only the reply to this may modify the message.
    EndOfMessage(&'a [u8]),
    /// The message is dropped.
    Abort,
    /// The connection ends.
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

/// Checks the options on offer. `None` if the packet is malformed.
fn check_options(data: &[u8]) -> Option<Result<(), ProtocolError>> {
    let (numbers, []) = data.as_chunks::<4>() else { return None };
    let [version, actions, steps] = numbers.iter().map(|n| u32::from_be_bytes(*n)).collect::<Vec<_>>()[..] else {
        return None;
    };
    let offered = version >= VERSION && actions & ADD_HEADERS == ADD_HEADERS && steps & OPTION_BITS == OPTION_BITS;
    Some(if offered { Ok(()) } else { Err(ProtocolError::Options) })
}

/// Splits strings that end in NUL; `None` if the last one does not.
fn texts_of(data: &[u8]) -> Option<Vec<&[u8]>> {
    if data.is_empty() {
        return Some(vec![]);
    }
    Some(data.strip_suffix(b"\0")?.split(|&byte| byte == 0).collect())
}

/// A packet to Postfix.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The chosen options.
    Options,
    /// Go on.
    Continue,
    /// Go on without this milter.
    Accept,
    /// Refuse the message with this SMTP reply.
    Refuse(&'static str),
    /// Insert a field before the header. Another reply must follow.
    Insert { name: &'static str, value: String },
}

impl Reply {
    /// Appends the packet to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut data = vec![];
        let letter = match self {
            Self::Options => {
                data.extend([VERSION, ADD_HEADERS, OPTION_BITS].iter().flat_map(|number| number.to_be_bytes()));
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
        // Replies have a few kilobytes at most.
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
    // Grows with the data, so that a length alone allocates nothing.
    reader.take(length.into()).read_to_end(&mut packet).await?;
    Ok(u32::try_from(packet.len()).is_ok_and(|read| read == length).then_some(packet))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// First packet of Postfix 3.7: the negotiation (`SMFIC_OPTNEG`).
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

//! The states of a connection of Postfix, which carries one message after the other:
//!
//! - not negotiated: only the options may come;
//! - idle: negotiated, with or without a login for the next message;
//! - message: from `MAIL` of a signed-in sender to the end of the message.
//!
//! A message without a login is accepted unsigned, and none of its parts is expected here.

use shared_models::domain::EmailAddress;

use super::super::dkim::{TooLarge, Unsigned};
use super::author;
use super::codec::{Command, ProtocolError, Reply};

const NO_FROM: &str = "550 5.7.1 The message has no From:";
const MANY_FROM: &str = "550 5.7.1 The message has more than one From:";
const NOT_OWN: &str = "550 5.7.1 From: must be the mailbox's own address";
const TOO_LARGE: &str = "552 5.3.4 The header of the message is too large";

/// The state of a connection.
#[derive(Default)]
pub(super) struct Session {
    negotiated: bool,
    /// Login name of the sender of the next message.
    login: Option<Vec<u8>>,
    message: Option<Incoming>,
}

/// A message that is not complete yet.
struct Incoming {
    author: EmailAddress,
    /// The value of the first `From:`.
    from: Vec<u8>,
    froms: usize,
    too_large: bool,
    unsigned: Unsigned,
}

/// A complete message of a hosted mailbox, ready to be signed.
pub(super) struct Complete {
    pub(super) author: EmailAddress,
    pub(super) unsigned: Unsigned,
}

/// The reaction to a command.
pub(super) enum Step {
    Wait,
    Answer(Reply),
    /// Sign the message, then reply.
    Sign(Box<Complete>),
    Close,
}

impl Session {
    /// # Errors
    /// When the protocol does not allow the command in this state.
    pub(super) fn handle(&mut self, command: Command<'_>) -> Result<Step, ProtocolError> {
        if !self.negotiated && !matches!(command, Command::Negotiate | Command::Quit) {
            return Err(ProtocolError::Options);
        }
        match command {
            Command::Negotiate => {
                *self = Self { negotiated: true, ..Self::default() };
                return Ok(Step::Answer(Reply::Options));
            }
            Command::Macros { of: b'M', pairs } => {
                let login = pairs.into_iter().find(|(name, _)| *name == b"{auth_authen}");
                self.login = login.map(|(_, login)| login.to_owned()).filter(|login| !login.is_empty());
            }
            Command::Macros { .. } => {}
            Command::Mail(sender) => return Ok(Step::Answer(self.begin(sender))),
            Command::Header { name, value } => self.incoming(b'L')?.header(name, value),
            Command::EndOfHeader => {
                let judgement = self.incoming(b'N')?.judge();
                if let Some(refusal) = judgement {
                    self.message = None;
                    return Ok(Step::Answer(Reply::Refuse(refusal)));
                }
                return Ok(Step::Answer(Reply::Continue));
            }
            Command::Body(piece) => self.incoming(b'B')?.unsigned.body(piece),
            Command::EndOfMessage(piece) => {
                let mut message = self.message.take().ok_or(ProtocolError::Unexpected(b'E'))?;
                message.unsigned.body(piece);
                return Ok(Step::Sign(Box::new(Complete { author: message.author, unsigned: message.unsigned })));
            }
            Command::Abort => self.message = None,
            Command::NewSession => (self.message, self.login) = (None, None),
            Command::Quit => return Ok(Step::Close),
        }
        Ok(Step::Wait)
    }

    /// Only a signed-in sender gets a signature, even if Postfix is configured to send other mail here.
    fn begin(&mut self, sender: &[u8]) -> Reply {
        self.message = None;
        let Some(login) = self.login.take() else { return Reply::Accept };
        // Postfix checks that the envelope sender belongs to the login. A null sender, as of a receipt, is the login.
        let address = if sender.is_empty() { &login } else { sender };
        let Some(author) = std::str::from_utf8(address).ok().and_then(|text| EmailAddress::parse(text).ok()) else {
            return Reply::Refuse(NOT_OWN);
        };
        self.message = Some(Incoming { author, from: vec![], froms: 0, too_large: false, unsigned: Unsigned::new() });
        Reply::Continue
    }

    fn incoming(&mut self, letter: u8) -> Result<&mut Incoming, ProtocolError> {
        self.message.as_mut().ok_or(ProtocolError::Unexpected(letter))
    }
}

impl Incoming {
    fn header(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"from") {
            self.froms += 1;
            if self.froms == 1 {
                self.from = value.to_owned();
            }
        }
        if self.unsigned.header(name, value) == Err(TooLarge) {
            self.too_large = true;
        }
    }

    /// The reply to refuse the message with; `None` for a valid one.
    fn judge(&self) -> Option<&'static str> {
        match self.froms {
            _ if self.too_large => Some(TOO_LARGE),
            0 => Some(NO_FROM),
            1 if author::of(&self.from).as_ref() == Some(&self.author) => None,
            1 => Some(NOT_OWN),
            _ => Some(MANY_FROM),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LOGIN: Command<'static> = Command::Macros { of: b'M', pairs: vec![] };

    fn login(name: &'static str) -> Command<'static> {
        Command::Macros { of: b'M', pairs: vec![(b"i", b"x"), (b"{auth_authen}", name.as_bytes())] }
    }

    fn from(value: &'static str) -> Command<'static> {
        Command::Header { name: b"fROM", value: value.as_bytes() }
    }

    fn negotiated() -> Session {
        let mut session = Session::default();
        assert!(matches!(session.handle(Command::Negotiate), Ok(Step::Answer(Reply::Options))));
        session
    }

    /// The last answer to all of these.
    fn answer<'a>(session: &mut Session, commands: impl IntoIterator<Item = Command<'a>>) -> Reply {
        let mut last = None;
        for command in commands {
            if let Step::Answer(reply) = session.handle(command).unwrap() {
                last = Some(reply);
            }
        }
        last.unwrap()
    }

    #[test]
    fn one_message_after_the_other() {
        let mut session = negotiated();
        for _ in 0..2 {
            let header = [login("kim@acme.test"), Command::Mail(b"Kim@ACME.test"), from(" Kim <kim@acme.test>")];
            assert_eq!(answer(&mut session, header), Reply::Continue);
            assert_eq!(answer(&mut session, [Command::EndOfHeader]), Reply::Continue);
            assert!(matches!(session.handle(Command::Body(b"hello\r\n")), Ok(Step::Wait)));
            let Ok(Step::Sign(complete)) = session.handle(Command::EndOfMessage(b"")) else { panic!("not signed") };
            assert_eq!(complete.author.as_str(), "kim@acme.test");
        }
        assert!(matches!(session.handle(Command::Quit), Ok(Step::Close)));
    }

    #[test]
    fn whose_message_it_is() {
        for (sender, fields, expected) in [
            ("kim@acme.test", vec![" kim@acme.test"], Reply::Continue),
            // A receipt has no sender.
            ("", vec![" kim@acme.test"], Reply::Continue),
            ("", vec![" ben@acme.test"], Reply::Refuse(NOT_OWN)),
            ("kim@acme.test", vec![" ben@acme.test"], Reply::Refuse(NOT_OWN)),
            ("kim@acme.test", vec![" kim@acme.test, ben@acme.test"], Reply::Refuse(NOT_OWN)),
            ("kim@acme.test", vec![], Reply::Refuse(NO_FROM)),
            ("kim@acme.test", vec![" kim@acme.test", " ben@acme.test"], Reply::Refuse(MANY_FROM)),
            ("kim@acme.test", vec![" kim@acme.test", " kim@acme.test"], Reply::Refuse(MANY_FROM)),
            ("no address", vec![], Reply::Refuse(NOT_OWN)),
        ] {
            let mut session = negotiated();
            let begin = answer(&mut session, [login("kim@acme.test"), Command::Mail(sender.as_bytes())]);
            let reply = if begin == Reply::Continue {
                answer(&mut session, fields.iter().map(|value| from(value)).chain([Command::EndOfHeader]))
            } else {
                begin
            };
            assert_eq!(reply, expected, "{sender} {fields:?}");
            let over = session.handle(Command::EndOfMessage(b""));
            assert_eq!(over.is_ok(), expected == Reply::Continue, "{sender} {fields:?}");
        }
    }

    #[test]
    fn without_a_login_nothing_is_signed() {
        let mut session = negotiated();
        for no_login in
            [LOGIN, login(""), Command::Macros { of: b'C', pairs: vec![(b"{auth_authen}", b"kim@acme.test")] }]
        {
            let reply = answer(&mut session, [no_login, Command::Mail(b"kim@acme.test")]);
            assert_eq!(reply, Reply::Accept);
            assert!(session.handle(Command::EndOfMessage(b"")).is_err());
        }
        // A login is for one message, and for one session.
        let message = [login("kim@acme.test"), Command::Mail(b"kim@acme.test"), Command::Mail(b"kim@acme.test")];
        assert_eq!(answer(&mut session, message), Reply::Accept);
        let other = [login("kim@acme.test"), Command::NewSession, Command::Mail(b"kim@acme.test")];
        assert_eq!(answer(&mut session, other), Reply::Accept);
    }

    #[test]
    fn a_header_has_an_end() {
        let mut session = negotiated();
        answer(&mut session, [login("kim@acme.test"), Command::Mail(b"kim@acme.test"), from(" kim@acme.test")]);
        let large = vec![b'x'; 200_000];
        for _ in 0..100 {
            // A field that is not signed is neither kept nor counted.
            let field = Command::Header { name: b"X-Large", value: &large };
            assert!(matches!(session.handle(field), Ok(Step::Wait)));
        }
        for _ in 0..2 {
            assert!(matches!(session.handle(Command::Header { name: b"To", value: &large }), Ok(Step::Wait)));
        }
        assert_eq!(answer(&mut session, [Command::EndOfHeader]), Reply::Refuse(TOO_LARGE));
        answer(&mut session, [login("kim@acme.test"), Command::Mail(b"kim@acme.test"), from(" kim@acme.test")]);
        for _ in 0..1000 {
            session.handle(Command::Header { name: b"To", value: b"" }).unwrap();
        }
        assert_eq!(answer(&mut session, [Command::EndOfHeader]), Reply::Refuse(TOO_LARGE));
    }

    #[test]
    fn the_wrong_moment() {
        let out_of_place: [fn() -> Command<'static>; 5] = [
            || from(" kim@acme.test"),
            || Command::EndOfHeader,
            || Command::Body(b"x"),
            || Command::EndOfMessage(b""),
            || Command::Mail(b"kim@acme.test"),
        ];
        for command in out_of_place {
            assert!(Session::default().handle(command()).is_err(), "before the negotiation: {:?}", command());
        }
        for command in &out_of_place[..4] {
            assert!(negotiated().handle(command()).is_err(), "without a message: {:?}", command());
            let mut session = negotiated();
            answer(&mut session, [login("kim@acme.test"), Command::Mail(b"kim@acme.test")]);
            session.handle(Command::Abort).unwrap();
            assert!(session.handle(command()).is_err(), "after its end: {:?}", command());
        }
    }
}

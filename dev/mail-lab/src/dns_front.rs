//! A name server in front of another: forwards, delays, fails for chosen names, and counts the questions.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::dns::{self, Question};
use crate::error::{IoContext, LabError};
use crate::net;
use crate::runtime::{self, lock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFault {
    /// RCODE SERVFAIL.
    ServFail,
    /// RCODE REFUSED.
    Refused,
    /// RCODE FORMERR.
    FormErr,
    /// RCODE NOTIMP.
    NotImp,
    /// No reply, neither by UDP nor by TCP.
    Drop,
    /// The first UDP packet of each name and type gets no reply, later ones do.
    DropFirst,
    /// The reply comes so much later.
    Delay(Duration),
    /// UDP replies are cut to the question (TC = 1), TCP replies are complete.
    Truncate,
    /// Before the true reply comes a false one (NXDOMAIN) with a wrong transaction id.
    Spoof,
}

impl DnsFault {
    fn rcode(self) -> Option<u8> {
        match self {
            Self::FormErr => Some(1),
            Self::ServFail => Some(2),
            Self::NotImp => Some(4),
            Self::Refused => Some(5),
            _ => None,
        }
    }
}

/// A question that has come in.
#[derive(Clone, Debug)]
pub struct DnsQuery {
    pub at: Instant,
    /// Lower case, no dot at the end.
    pub name: String,
    /// `MX`, `TXT`, ...; `TYPE99` when it has no name here.
    pub kind: String,
    pub tcp: bool,
}

#[derive(Default)]
struct Rules {
    exact: Vec<(String, DnsFault)>,
    suffix: Vec<(String, DnsFault)>,
    delay: Duration,
    dropped: HashSet<(String, String)>,
}

impl Rules {
    fn fault(&self, name: &str) -> Option<DnsFault> {
        let exact = self.exact.iter().rev().find(|(of, _)| of == name);
        let below = |of: &str| name.strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        exact.or_else(|| self.suffix.iter().rev().find(|(of, _)| below(of))).map(|(_, fault)| *fault)
    }
}

struct State {
    upstream: SocketAddr,
    rules: Mutex<Rules>,
    queries: watch::Sender<Vec<DnsQuery>>,
}

/// A running front on 127.0.0.1, UDP and TCP on one port.
pub struct DnsFront {
    addr: SocketAddr,
    state: Arc<State>,
    tasks: [JoinHandle<()>; 2],
}

impl DnsFront {
    /// Forwards to `upstream` (such as [`crate::Knot::addr`]). Replies look like those of a recursive resolver.
    pub fn start(upstream: SocketAddr) -> Result<Self, LabError> {
        let port = net::free_port(Ipv4Addr::LOCALHOST.into())?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = net::listen(addr)?;
        let socket = std::net::UdpSocket::bind(addr).doing("binding UDP")?;
        socket.set_nonblocking(true).doing("binding UDP")?;
        let _guard = runtime::handle().enter();
        let socket = UdpSocket::from_std(socket).doing("binding UDP")?;
        let state = Arc::new(State { upstream, rules: Mutex::default(), queries: watch::Sender::default() });
        let tasks = [
            runtime::handle().spawn(serve_udp(Arc::new(socket), state.clone())),
            runtime::handle().spawn(serve_tcp(listener, state.clone())),
        ];
        Ok(Self { addr, state, tasks })
    }

    /// Where it listens, UDP and TCP.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does this to questions for exactly this name. The newest rule wins, before all suffix rules.
    pub fn fault(&self, name: &str, fault: DnsFault) {
        lock(&self.state.rules).exact.push((normal(name), fault));
    }

    /// Does this to questions for this name and all below it.
    pub fn fault_suffix(&self, name: &str, fault: DnsFault) {
        lock(&self.state.rules).suffix.push((normal(name), fault));
    }

    /// Forgets all rules (not the delay) and what [`DnsFault::DropFirst`] has seen.
    pub fn clear_faults(&self) {
        let mut rules = lock(&self.state.rules);
        *rules = Rules { delay: rules.delay, ..Rules::default() };
    }

    /// Every reply comes so much later than asked.
    pub fn set_delay(&self, delay: Duration) {
        lock(&self.state.rules).delay = delay;
    }

    /// All questions in their order.
    pub fn queries(&self) -> Vec<DnsQuery> {
        self.state.queries.borrow().clone()
    }

    /// How often this was asked, by UDP and TCP; the type by name (`MX`).
    pub fn count(&self, name: &str, kind: &str) -> usize {
        let name = normal(name);
        let queries = self.state.queries.borrow();
        queries.iter().filter(|query| query.name == name && query.kind == kind).count()
    }

    pub fn reset_queries(&self) {
        self.state.queries.send_modify(Vec::clear);
    }

    /// Waits until the questions are as wanted.
    ///
    /// # Panics
    /// After [`crate::WAIT_LIMIT`], with the questions.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&[DnsQuery]) -> bool) {
        let mut queries = self.state.queries.subscribe();
        let done = async {
            let _ = queries.wait_for(|queries| wanted(queries)).await;
        };
        if !runtime::within_limit(done).await {
            panic!("waited in vain; the questions are {:?}", self.queries());
        }
    }
}

impl Drop for DnsFront {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

async fn serve_udp(socket: Arc<UdpSocket>, state: Arc<State>) {
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; 65_535];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // An ICMP error for an earlier reply is nothing to stop for.
                let Ok((length, peer)) = received else { continue };
                let message = buffer[..length].to_vec();
                let (socket, state) = (socket.clone(), state.clone());
                tasks.spawn(async move {
                    for reply in state.replies(&message, false).await.unwrap_or_default() {
                        let _ = socket.send_to(&reply, peer).await;
                    }
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<State>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            Ok((mut stream, _)) = listener.accept() => {
                let state = state.clone();
                tasks.spawn(async move {
                    while let Ok(message) = read_framed(&mut stream).await {
                        for reply in state.replies(&message, true).await.unwrap_or_default() {
                            if stream.write_all(&framed(&reply)).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

impl State {
    /// Datagrams sent back, in this order; `None` when the question or the upstream's reply cannot be had.
    async fn replies(&self, message: &[u8], tcp: bool) -> Option<Vec<Vec<u8>>> {
        let question = dns::question(message)?;
        let begin = Instant::now();
        self.queries.send_modify(|queries| {
            let (name, kind) = (question.name.clone(), question.kind.clone());
            queries.push(DnsQuery { at: begin, name, kind, tcp });
        });
        let (fault, mut delay) = self.decide(&question, tcp)?;
        if let Some(DnsFault::Delay(more)) = fault {
            delay += more;
        }
        let reply = match fault.and_then(DnsFault::rcode) {
            Some(rcode) => failure(message, &question, rcode),
            None => recursive(self.forward(message, tcp).await.ok()?),
        };
        tokio::time::sleep(delay.saturating_sub(begin.elapsed())).await;
        Some(match fault {
            Some(DnsFault::Truncate) if !tcp => vec![truncated(reply, &question)],
            Some(DnsFault::Spoof) if !tcp => {
                let mut false_reply = failure(message, &question, 3);
                false_reply[0] ^= 0x55;
                vec![false_reply, reply]
            }
            _ => vec![reply],
        })
    }

    /// `None`: no reply.
    fn decide(&self, question: &Question, tcp: bool) -> Option<(Option<DnsFault>, Duration)> {
        let mut rules = lock(&self.rules);
        let fault = rules.fault(&question.name);
        let silent = match fault {
            Some(DnsFault::Drop) => true,
            Some(DnsFault::DropFirst) => !tcp && rules.dropped.insert((question.name.clone(), question.kind.clone())),
            _ => false,
        };
        if silent {
            return None;
        }
        Some((fault, rules.delay))
    }

    async fn forward(&self, message: &[u8], tcp: bool) -> std::io::Result<Vec<u8>> {
        let ask = async {
            if tcp {
                let mut stream = TcpStream::connect(self.upstream).await?;
                stream.write_all(&framed(message)).await?;
                return read_framed(&mut stream).await;
            }
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            socket.connect(self.upstream).await?;
            socket.send(message).await?;
            let mut reply = vec![0; 65_535];
            let length = socket.recv(&mut reply).await?;
            reply.truncate(length);
            Ok(reply)
        };
        tokio::time::timeout(Duration::from_secs(5), ask).await?
    }
}

async fn read_framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

/// QR, RA and the asker's RD; the question and nothing else.
fn failure(message: &[u8], question: &Question, rcode: u8) -> Vec<u8> {
    let mut reply = message[..question.end].to_vec();
    reply[2] = 0x80 | (message[2] & 0x01);
    reply[3] = 0x80 | rcode;
    reply[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    reply
}

/// AA off, RA on.
fn recursive(mut reply: Vec<u8>) -> Vec<u8> {
    if reply.len() >= 12 {
        reply[2] &= !0x04;
        reply[3] |= 0x80;
    }
    reply
}

fn truncated(mut reply: Vec<u8>, question: &Question) -> Vec<u8> {
    reply.truncate(question.end);
    if reply.len() >= 12 {
        reply[2] |= 0x02;
        reply[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    }
    reply
}

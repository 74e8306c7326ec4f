//! Addresses that misbehave below the protocol, and free ports.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{IoContext, LabError};
use crate::runtime;

/// Below the range that the system takes for outgoing connections (32768 and up), so that nobody else gets the
/// port between choosing and binding it.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// A number that nobody can foresee, without a dependency.
pub(crate) fn random() -> u64 {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    RandomState::new().hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A port that nobody listens on at `ip`, neither TCP nor UDP. Never given out twice in one process.
pub fn free_port(ip: IpAddr) -> Result<u16, LabError> {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = runtime::lock(&GIVEN);
    let given = given.get_or_insert_default();
    for _ in 0..2_000 {
        let port = FIRST_PORT + (random() % u64::from(PORTS)) as u16;
        if given.contains(&port) {
            continue;
        }
        if TcpListener::bind((ip, port)).is_ok() && UdpSocket::bind((ip, port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    Err(LabError::failed("finding a free port", format!("2000 tries at {ip}")))
}

/// A loopback address such as 127.83.20.5 of one's own, for servers that need their standard ports.
pub fn free_loopback() -> IpAddr {
    let [a, b, c, ..] = random().to_le_bytes();
    Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254)).into()
}

/// Listens with a queue long enough for thousands of connections at the same moment (the standard library's 128
/// lets the 129th wait a second for its second SYN).
pub(crate) fn listen(address: SocketAddr) -> Result<tokio::net::TcpListener, LabError> {
    let _guard = runtime::handle().enter();
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let bound = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(4096)
    });
    bound.doing(format!("listening on {address}"))
}

/// Accepts connections and never says a word.
pub struct SilentPort {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl SilentPort {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for SilentPort {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port on 127.0.0.1 that accepts, reads and never speaks.
pub fn silent_port() -> Result<SilentPort, LabError> {
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let addr = listener.local_addr().doing("asking for a port")?;
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    let task = runtime::handle().spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            while connections.try_join_next().is_some() {}
            connections.spawn(async move {
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            });
        }
    });
    Ok(SilentPort { addr, accepted, task })
}

/// A port that refuses connections as long as this value lives.
pub struct RefusedPort {
    addr: SocketAddr,
    /// Bound and not listening: the kernel answers RST and gives the port to nobody else.
    _socket: TcpSocket,
}

impl RefusedPort {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A port on 127.0.0.1 where connecting fails with "connection refused".
pub fn refused_port() -> Result<RefusedPort, LabError> {
    let socket = TcpSocket::new_v4().doing("making a socket")?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).doing("binding a port")?;
    let addr = socket.local_addr().doing("asking for a port")?;
    Ok(RefusedPort { addr, _socket: socket })
}

/// A port whose SYNs nobody answers, so that connecting runs into the caller's timeout.
pub struct BlackholePort {
    addr: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackholePort {
    /// Where connecting takes for ever.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// A port on 127.0.0.1 that swallows connection attempts: a listener whose accept queue is full (Linux drops the
/// SYN then).
pub fn blackhole_port() -> Result<BlackholePort, LabError> {
    let _guard = runtime::handle().enter();
    let socket = TcpSocket::new_v4().doing("making a socket")?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).doing("binding a port")?;
    let listener = socket.listen(0).doing("listening")?;
    let addr = listener.local_addr().doing("asking for a port")?;
    let mut queue = Vec::new();
    while queue.len() < 16 {
        match TcpStream::connect_timeout(&addr, Duration::from_millis(100)) {
            Ok(stream) => queue.push(stream),
            Err(_) => {
                return Ok(BlackholePort { addr, _listener: listener, _queue: queue });
            }
        }
    }
    Err(LabError::failed("making a black hole", "the accept queue does not fill"))
}

//! A mail server that does what the test says, well or badly, and counts what clients do.
//!
//! It is quick (no process, no disk, a small task for each connection) and speaks SMTP submission and IMAP with
//! STARTTLS and implicit TLS. What a real server does is Dovecot's part ([`crate::Dovecot`]); here belong speed,
//! faults and attacks.
//!
//! ```no_run
//! use mail_lab::scripted::{Auth, Behaviour, Listener, Protocol, ScriptedServer};
//!
//! # async fn example() -> Result<(), mail_lab::LabError> {
//! let server = ScriptedServer::builder()
//!     .account("a@example.test", "right")
//!     .behaviour(Listener::SMTP, Behaviour {
//!         auth: Auth::Sequence(vec!["454 4.7.0 Try again".into()]),
//!         ..Behaviour::default()
//!     })
//!     .start()?;
//! let _port = server.port(Listener::SmtpStarttls);
//! server
//!     .wait_until(|stats| stats.logins(Protocol::Smtp, "a@example.test").accepted == 1)
//!     .await;
//! # Ok(())
//! # }
//! ```

mod conn;
mod imap;
mod script;
mod smtp;
mod state;
mod stats;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{IoContext, LabError};
use crate::{net, runtime};
use conn::{Conn, Step};
use state::{Settings, State};

pub use script::{
    AfterAuth, Auth, Behaviour, Capability, Greeting, Listener, Mechanism, Protocol, Reply, Starttls, Submission, Tls,
};
pub use stats::{ListenerStats, LoginCounts, LoginEvent, LoginOutcome, Message, Stats};

/// How a scripted server begins. Everything but addresses can also be changed later.
pub struct Builder {
    ip: IpAddr,
    listeners: Vec<(Listener, u16)>,
    settings: Settings,
}

impl Builder {
    /// Another address than 127.0.0.1; the certificate names it.
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.ip = ip;
        self
    }

    /// Opens this listener on a free port. Without any, all four are opened.
    pub fn listen(self, listener: Listener) -> Self {
        self.listen_on(listener, 0)
    }

    /// Opens this listener on this port.
    pub fn listen_on(mut self, listener: Listener, port: u16) -> Self {
        self.listeners.push((listener, port));
        self
    }

    /// A user who may log in.
    pub fn account(mut self, user: &str, password: &str) -> Self {
        self.settings.accounts.insert(user.to_string(), password.to_string());
        self
    }

    /// Every user with every password may log in.
    pub fn accept_all(mut self) -> Self {
        self.settings.accept_all = true;
        self
    }

    pub fn behaviour(mut self, listeners: impl IntoIterator<Item = Listener>, behaviour: Behaviour) -> Self {
        self.settings.set_behaviour(listeners, behaviour);
        self
    }

    /// How many of the newest mails are kept (100).
    pub fn keep_messages(mut self, number: usize) -> Self {
        self.settings.keep_messages = number;
        self
    }

    /// Opens the listeners; the server is ready when this returns.
    pub fn start(self) -> Result<ScriptedServer, LabError> {
        let listeners = if self.listeners.is_empty() {
            Listener::ALL.map(|listener| (listener, 0)).to_vec()
        } else {
            self.listeners
        };
        let state = Arc::new(State::new(self.ip, self.settings));
        let (alive, ended) = mpsc::channel();
        let mut server =
            ScriptedServer { state: state.clone(), addresses: [None; 4], tasks: Vec::new(), alive: Some(alive), ended };
        // The certificate is made here, so that its cost is not in the first login.
        state.acceptor(Tls::Normal)?;
        for (kind, port) in listeners {
            let socket = net::listen(SocketAddr::new(self.ip, port))?;
            let address = socket.local_addr().doing("asking for a port")?;
            server.addresses[kind.index()] = Some(address);
            let task = accept(server.alive.clone(), socket, kind, state.clone());
            server.tasks.push(runtime::handle().spawn(task));
        }
        Ok(server)
    }
}

impl Settings {
    fn set_behaviour(&mut self, listeners: impl IntoIterator<Item = Listener>, behaviour: Behaviour) {
        let behaviour = Arc::new(behaviour);
        for listener in listeners {
            self.behaviours[listener.index()] = behaviour.clone();
        }
        // Scripts of single users go on where they are.
        let own = &self.user_auth;
        self.positions.retain(|key, _| own.contains_key(key));
    }
}

/// A running scripted server. Dropping it closes its listeners and all connections.
pub struct ScriptedServer {
    state: Arc<State>,
    addresses: [Option<SocketAddr>; 4],
    tasks: Vec<JoinHandle<()>>,
    /// Every task holds a copy; `ended` says when all are gone.
    alive: Option<mpsc::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl ScriptedServer {
    /// A server on 127.0.0.1 without accounts that behaves well.
    pub fn builder() -> Builder {
        Builder {
            ip: Ipv4Addr::LOCALHOST.into(),
            listeners: Vec::new(),
            settings: Settings { keep_messages: 100, ..Settings::default() },
        }
    }

    /// Address of a listener.
    ///
    /// # Panics
    /// When the server was started without it.
    pub fn addr(&self, listener: Listener) -> SocketAddr {
        self.addresses[listener.index()].unwrap_or_else(|| panic!("this scripted server has no {listener:?} listener"))
    }

    /// Port of a listener; panics like [`Self::addr`].
    pub fn port(&self, listener: Listener) -> u16 {
        self.addr(listener).port()
    }

    /// From now on these listeners do this, to new connections.
    pub fn set(&self, listeners: impl IntoIterator<Item = Listener>, behaviour: Behaviour) {
        self.state.set(|settings| settings.set_behaviour(listeners, behaviour));
    }

    /// Adds a user, or changes the password.
    pub fn set_account(&self, user: &str, password: &str) {
        self.state.set(|settings| settings.accounts.insert(user.to_string(), password.to_string()));
    }

    pub fn remove_account(&self, user: &str) {
        self.state.set(|settings| settings.accounts.remove(user));
    }

    /// Accepts every user and password, or no longer.
    pub fn set_accept_all(&self, accept: bool) {
        self.state.set(|settings| settings.accept_all = accept);
    }

    /// Answers the logins of this user so, whatever the listener's behaviour says. [`Auth::RefuseCommand`]
    /// is then the same as [`Auth::RefuseMechanism`]: the name is not known when the command comes.
    pub fn set_auth(&self, protocol: Protocol, user: &str, auth: Auth) {
        let key = (protocol, user.to_string());
        self.state.set(|settings| {
            settings.positions.remove(&key);
            settings.user_auth.insert(key, auth);
        });
    }

    /// Takes [`Self::set_auth`] back.
    pub fn clear_auth(&self, protocol: Protocol, user: &str) {
        let key = (protocol, user.to_string());
        self.state.set(|settings| settings.user_auth.remove(&key));
    }

    /// A copy of all counters.
    pub fn stats(&self) -> Stats {
        self.state.stats(Stats::clone)
    }

    pub fn listener(&self, listener: Listener) -> ListenerStats {
        self.state.stats(|stats| stats.listener(listener))
    }

    pub fn logins(&self, protocol: Protocol, user: &str) -> LoginCounts {
        self.state.stats(|stats| stats.logins(protocol, user))
    }

    pub fn total_logins(&self, protocol: Protocol) -> LoginCounts {
        self.state.stats(|stats| stats.total_logins(protocol))
    }

    /// The logins of one user in their order.
    pub fn login_log(&self, user: &str) -> Vec<LoginEvent> {
        self.state.stats(|stats| {
            let own = stats.events.iter().filter(|event| event.user == user);
            own.cloned().collect()
        })
    }

    /// How many passwords arrived outside TLS, accepted or not.
    pub fn plaintext_passwords(&self) -> u64 {
        self.state.stats(|stats| stats.plaintext_passwords)
    }

    /// The newest mails, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.state.stats(|stats| stats.messages.iter().cloned().collect())
    }

    /// Sets all counters to zero (open connections stay counted).
    pub fn reset_stats(&self) {
        self.state.count(Stats::reset);
    }

    /// Waits until the counters are as wanted.
    ///
    /// # Panics
    /// After [`crate::WAIT_LIMIT`], with the counters.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&Stats) -> bool) {
        let mut changes = self.state.watch();
        let done = async {
            loop {
                changes.borrow_and_update();
                if self.state.stats(&mut wanted) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        if !runtime::within_limit(done).await {
            panic!("waited in vain; the counters are {:?}", self.stats());
        }
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.alive.take();
        // Aborted tasks end within microseconds; the limit is for a drop on the laboratory's own threads.
        let _ = self.ended.recv_timeout(Duration::from_secs(2));
    }
}

/// Accepts for ever. The connections end with this task, because the set ends with it. `alive` stands
/// first because parameters are dropped last to first: when it goes, the socket is closed.
async fn accept(alive: Option<mpsc::Sender<()>>, socket: TcpListener, kind: Listener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => {
                // An error here is a lack of file descriptors: the next to close makes room.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let conn = Conn::new(stream, kind, state.clone());
                let alive = alive.clone();
                connections.spawn(async move {
                    let _alive = alive;
                    let mut conn = conn;
                    let _ = serve(&mut conn).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(conn: &mut Conn) -> Step {
    if conn.listener.is_implicit_tls() {
        conn.start_tls().await?;
    }
    let protocol = greet(conn).await?;
    match protocol {
        Protocol::Smtp => smtp::serve(conn).await,
        Protocol::Imap => imap::serve(conn).await,
    }
}

/// Sends the first line(s) and returns the protocol that is spoken from there on.
async fn greet(conn: &mut Conn) -> Step<Protocol> {
    let own = conn.listener.protocol();
    if conn.behaviour.max_connections.is_some_and(|max| conn.number > max) {
        let text = match own {
            Protocol::Smtp => smtp::TOO_MANY,
            Protocol::Imap => imap::TOO_MANY,
        };
        conn.reply(text).await?;
        return Err(conn.close().await);
    }
    let behaviour = conn.behaviour.clone();
    let protocol = match &behaviour.greeting {
        Greeting::Normal => own,
        Greeting::OtherProtocol => own.other(),
        Greeting::Http => {
            conn.reply("HTTP/1.1 400 Bad Request\nConnection: close\nContent-Length: 0\n\n").await?;
            return Err(conn.close().await);
        }
        Greeting::Scripted(reply) => {
            conn.play(reply, None).await?;
            if let Reply::Text(text) = reply
                && !text.starts_with('2')
                && !text.starts_with("* OK")
            {
                return Err(conn.close().await);
            }
            return Ok(own);
        }
    };
    conn.reply(match protocol {
        Protocol::Smtp => smtp::GREETING,
        Protocol::Imap => imap::GREETING,
    })
    .await?;
    Ok(protocol)
}

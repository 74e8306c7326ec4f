//! Description of a system before it is started: its mode, the copies of its programs, its settings.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use mail_lab::{Knot, TestCa};
use tokio::sync::Mutex;

use crate::Deployment;

/// The services, by the names of their programs; the embedded program holds them all.
pub const SERVICES: [&str; 4] = ["api-gateway", "verifier-service", "dns-checker-service", "webhook-service"];

/// Which programs make up the system.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// `mailmoor serve`.
    Embedded,
    /// Separate processes over PostgreSQL and RabbitMQ, with this number of copies of each of [`SERVICES`].
    Distributed([usize; 4]),
}

/// The mode and the settings of a deployment, these by the names in the README.
#[derive(Clone)]
pub struct Setup {
    pub(crate) mode: Mode,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Setup {
    /// One process with everything in it: SQLite, and the queue in the database.
    pub fn embedded() -> Self {
        Self::new(Mode::Embedded)
    }

    /// One process of each service, over a PostgreSQL database and a RabbitMQ virtual host of their own on the
    /// servers that all tests share. A test that stops servers sets the URLs of its own ones.
    pub fn distributed() -> Self {
        Self::new(Mode::Distributed([1; 4]))
    }

    /// The needs of every test: mail servers on loopback addresses, the laboratory's authority, no
    /// request limits, a name server that knows nothing, and the log at `debug`.
    fn new(mode: Mode) -> Self {
        let ca = TestCa::shared().path().display().to_string();
        let names = name_server().addr().to_string();
        let settings = [
            ("MAILMOOR__HTTP__LISTEN", "127.0.0.1:0"),
            ("MAILMOOR__EGRESS__ALLOWED_NETWORKS", "127.0.0.0/8"),
            ("MAILMOOR__EGRESS__EXTRA_CA_FILE", &ca),
            ("MAILMOOR__RATE_LIMIT__SENDKIT_PER_MINUTE", "0"),
            ("MAILMOOR__RATE_LIMIT__COLDSEND_PER_MINUTE", "0"),
            ("MAILMOOR__RATE_LIMIT__COLDSEND_PER_HOUR", "0"),
            ("MAILMOOR__DNS__SERVERS", &names),
            ("MAILMOOR__MAIL_PLATFORM__HOSTNAME", "mail.example.test"),
            ("RUST_LOG", "debug"),
        ];
        Self { mode, settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into() }
    }

    /// Sets a variable of the environment, for example `MAILMOOR__VERIFIER__ATTEMPTS`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sets the number of copies of a service, which is one otherwise.
    ///
    /// # Panics
    /// In the embedded mode, which is one process, and when the service is none of [`SERVICES`].
    #[must_use]
    pub fn with_copies(mut self, service: &str, copies: usize) -> Self {
        let Mode::Distributed(all) = &mut self.mode else { panic!("the embedded mode has one process") };
        let index = SERVICES.iter().position(|name| *name == service);
        all[index.unwrap_or_else(|| panic!("there is no service {service}"))] = copies;
        self
    }

    /// A running system for a test that is content with a tenant of its own: it neither stops the system nor looks at
    /// what others leave in its log, its dead letters or its lists of all tenants. Tests that run at the same time get
    /// the same one, as the settings of all of them are the default. The last one to drop it ends it.
    pub async fn shared(self) -> Arc<Deployment> {
        static RUNNING: Mutex<Weak<Deployment>> = Mutex::const_new(Weak::new());
        let mut running = RUNNING.lock().await;
        if let Some(deployment) = running.upgrade() {
            return deployment;
        }
        let deployment = Arc::new(self.start().await);
        *running = Arc::downgrade(&deployment);
        deployment
    }

    /// Starts the system without any data; it is ready when this returns.
    pub async fn start(self) -> Deployment {
        let mut deployment = Deployment::prepare(self);
        deployment.restart().await;
        deployment
    }
}

/// A name server for tests that do not care: no look-up of a test may leave the machine.
fn name_server() -> &'static Knot {
    static SERVER: OnceLock<Knot> = OnceLock::new();
    SERVER.get_or_init(|| Knot::start(&[("lab.test", "")]).unwrap())
}

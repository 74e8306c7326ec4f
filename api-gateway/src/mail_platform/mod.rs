//! The gateway's side of the mail servers of hosted mailboxes. They read the database themselves; the rest is here:
//!
//! | need | module |
//! |---|---|
//! | open sessions end when fewer may sign in | `sessions`, through `doveadm` |
//! | the size of a mailbox | `doveadm` |
//! | Postfix asks whether a recipient accepts a sender | `policy` |
//! | Postfix has submitted mail checked and signed | `milter`, with `dkim` |

mod dkim;
mod doveadm;
mod listener;
mod milter;
mod policy;
mod sessions;

use std::net::SocketAddr;
use std::sync::Arc;

use service_runtime::bus::Broker;
use service_runtime::service::{StartError, consume};
use service_runtime::settings::MailPlatformSettings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;
use tokio::net::TcpListener;
use use_cases::hosted::StorageMeter;

use doveadm::Doveadm;
use sessions::SessionEnder;

/// Open and ready to run.
pub struct MailPlatform {
    pub(crate) settings: MailPlatformSettings,
    doveadm: Option<Doveadm>,
    policy: Option<TcpListener>,
    milter: Option<TcpListener>,
    store: Store,
}

impl MailPlatform {
    /// Binds the listeners for Postfix that are configured.
    ///
    /// # Errors
    /// When the settings cannot be used, or an address cannot be listened on.
    pub async fn open(settings: &MailPlatformSettings, store: &Store) -> Result<Self, StartError> {
        let doveadm = settings.doveadm().map_err(StartError::new)?;
        let doveadm = doveadm.as_ref().map(Doveadm::new).transpose()?;
        let policy = listening("policy_listen", settings.policy_listen).await?;
        let milter = listening("milter_listen", settings.milter_listen).await?;
        Ok(Self { settings: settings.clone(), doveadm, policy, milter, store: store.clone() })
    }

    /// `None` if Dovecot's administration is not configured.
    pub(crate) fn storage_meter(&self) -> Option<Arc<dyn StorageMeter>> {
        self.doveadm.clone().map(|doveadm| Arc::new(doveadm) as Arc<dyn StorageMeter>)
    }

    /// Works until `stop` is cancelled.
    pub async fn run(self, broker: Arc<dyn Broker>, stop: CancellationToken) {
        let ender = Arc::new(SessionEnder::new(self.store.clone(), self.doveadm));
        let answering = async {
            if let Some(listener) = self.policy {
                policy::serve(listener, &self.store, &stop).await;
            }
        };
        let signing = async {
            if let Some(listener) = self.milter {
                milter::serve(listener, &self.store, &stop).await;
            }
        };
        // Consumed also without Dovecot's administration: nothing else would empty the queue.
        tokio::join!(consume(&broker, vec![ender], &stop), answering, signing);
    }
}

async fn listening(setting: &str, address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    match address {
        Some(address) => Ok(Some(listener::bind(setting, address).await?)),
        None => Ok(None),
    }
}

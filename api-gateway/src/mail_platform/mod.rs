//! What a gateway does for the mail servers of hosted mailboxes, and they for it. They read the database
//! themselves; this is the rest: sessions that are open are ended through Dovecot's administration, and
//! Postfix asks here whom a recipient takes mail from.

mod doveadm;
mod policy;
mod sessions;

use std::sync::Arc;

use service_runtime::bus::Broker;
use service_runtime::service::{StartError, consume};
use service_runtime::settings::MailPlatformSettings;
use service_runtime::shutdown::CancellationToken;
use shared_models::store::Store;

pub(crate) use doveadm::Doveadm;
use policy::PolicyService;
use sessions::SessionEnder;

/// The gateway's side of the mail platform.
pub struct MailPlatform {
    pub(crate) settings: MailPlatformSettings,
    pub(crate) doveadm: Option<Doveadm>,
    policy: Option<PolicyService>,
    store: Store,
}

impl MailPlatform {
    /// Listens for Postfix, where that is wanted.
    ///
    /// # Errors
    /// When the settings cannot be used, or the address cannot be listened on.
    pub async fn open(settings: &MailPlatformSettings, store: &Store) -> Result<Self, StartError> {
        let doveadm = settings.doveadm().map_err(StartError::new)?;
        let doveadm = doveadm.as_ref().map(Doveadm::new).transpose()?;
        let policy = match settings.policy_listen {
            Some(address) => Some(PolicyService::bind(address, store.clone()).await.map_err(|e| {
                StartError::new(format!("mail_platform.policy_listen: cannot listen on {address}: {e}"))
            })?),
            None => None,
        };
        Ok(Self { settings: settings.clone(), doveadm, policy, store: store.clone() })
    }

    /// Works until `stop` is cancelled.
    pub async fn run(self, broker: Arc<dyn Broker>, stop: CancellationToken) {
        let ender = Arc::new(SessionEnder::new(self.store, self.doveadm));
        let answering = async {
            if let Some(policy) = self.policy {
                policy.run(&stop).await;
            }
        };
        // Consumed also without a way to Dovecot: nobody else would ever empty the queue.
        tokio::join!(consume(&broker, vec![ender], &stop), answering);
    }
}

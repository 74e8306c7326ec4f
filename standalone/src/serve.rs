//! `mailmoor serve`: all services in one process.

use std::fs::File;
use std::io::{Seek, Write};
use std::net::SocketAddr;
use std::path::Path;

use api_gateway::Gateway;
use service_runtime::service::{self, Consumers, Parts, StartError};
use service_runtime::settings::Settings;
use service_runtime::shutdown::CancellationToken;
use service_runtime::{database, shutdown};
use shared_models::store::{DatabaseSettings, Store};

use crate::bootstrap;

pub(crate) async fn run(config: Option<&Path>) -> Result<(), StartError> {
    let settings = Settings::load(config).map_err(StartError::new)?;
    // First of all: everything below relies on being the only process on this data directory.
    let mut address_file = AddressFile::claim(&settings.data_dir)?;
    let stop = shutdown::on_signals().map_err(StartError::new)?;
    let Some(parts) = Parts::open(&settings, &stop).await? else { return Ok(()) };
    release_leases(&settings, &parts.store).await?;
    let consumers = consumers(&settings, &parts.store, &stop)?;
    let gateway = Gateway::open(&settings, &parts).await?;
    let url = public_url(&settings, gateway.addr());
    if let Some(welcome) = bootstrap::first_start(&parts.store).await.map_err(StartError::new)? {
        welcome.print(&url);
    }
    address_file.write(gateway.addr())?;
    log::info!("mailmoor {} listens on {} ({url})", env!("CARGO_PKG_VERSION"), gateway.addr());
    service::run(&parts.broker, consumers, gateway.run(stop.clone()), &stop).await?;
    log::info!("stopped");
    Ok(())
}

/// Events that the last process had in work are due at once. With PostgreSQL their leases may be those of another
/// process, which still works.
async fn release_leases(settings: &Settings, store: &Store) -> Result<(), StartError> {
    if matches!(settings.database_settings().map_err(StartError::new)?, DatabaseSettings::Sqlite { .. }) {
        let freed = store.release_all_leases().await.map_err(StartError::new)?;
        if freed > 0 {
            log::info!("taking up {freed} events that were in work when the last process ended");
        }
    }
    Ok(())
}

fn consumers(settings: &Settings, store: &Store, stop: &CancellationToken) -> Result<Consumers, StartError> {
    let mut consumers = verifier_service::consumers(settings, store, stop)?;
    consumers.extend(dns_checker_service::consumers(settings, store, stop)?);
    consumers.extend(webhook_service::consumers(settings, store, stop, dialects::webhook_words(dialects::DIALECTS))?);
    Ok(consumers)
}

fn public_url(settings: &Settings, addr: SocketAddr) -> String {
    match settings.http.public_url.trim_end_matches('/') {
        "" => format!("http://{addr}"),
        url => url.to_owned(),
    }
}

/// `DATA_DIR/http.addr`: the address that the running process listens on. Locked while it runs.
struct AddressFile(File);

impl AddressFile {
    fn claim(data_dir: &Path) -> Result<Self, StartError> {
        database::private_folder(data_dir).map_err(StartError::new)?;
        let path = data_dir.join("http.addr");
        let fault = |e: std::io::Error| StartError::new(format!("cannot write {}: {e}", path.display()));
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(fault)?;
        match file.try_lock() {
            // The address of an earlier run is wrong from now on.
            Ok(()) => file.set_len(0).map(|()| Self(file)).map_err(fault),
            Err(std::fs::TryLockError::WouldBlock) => Err(StartError::new(format!(
                "another mailmoor is running on the data directory {}",
                data_dir.display()
            ))),
            Err(std::fs::TryLockError::Error(e)) => Err(fault(e)),
        }
    }

    fn write(&mut self, addr: SocketAddr) -> Result<(), StartError> {
        let mut replace = || {
            self.0.set_len(0)?;
            self.0.rewind()?;
            // In one write: another process may be reading.
            self.0.write_all(addr.to_string().as_bytes())?;
            self.0.sync_all()
        };
        replace().map_err(|e| StartError::new(format!("cannot write http.addr: {e}")))
    }
}

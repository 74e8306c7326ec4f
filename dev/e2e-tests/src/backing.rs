//! The foundations of the distributed mode, as far as a test does not bring them along: a database, a
//! virtual host and a master key for one deployment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_lab::{Database, Postgres, RabbitMq, VirtualHost};

const DATABASE_URL: &str = "MAILMOOR__DATABASE__URL";
const BROKER_URL: &str = "MAILMOOR__BROKER__URL";
pub(crate) const MASTER_KEY: &str = "MAILMOOR__SECRETS__MASTER_KEY";

/// Dropped with the deployment.
#[derive(Default)]
pub(crate) struct Backing {
    database: Option<Database>,
    vhost: Option<VirtualHost>,
}

impl Backing {
    /// Makes what the settings do not name, and names it there.
    pub(crate) fn complete(settings: &mut BTreeMap<String, String>) -> Self {
        let mut backing = Self::default();
        if !settings.contains_key(DATABASE_URL) {
            let database = Postgres::shared().unwrap().database().unwrap();
            settings.insert(DATABASE_URL.to_owned(), database.url());
            backing.database = Some(database);
        }
        if !settings.contains_key(BROKER_URL) {
            let vhost = RabbitMq::shared().unwrap().vhost().unwrap();
            settings.insert(BROKER_URL.to_owned(), vhost.url());
            backing.vhost = Some(vhost);
        }
        settings.entry(MASTER_KEY.to_owned()).or_insert_with(master_key);
        backing
    }

    /// Everything kept there, each with the name of its place.
    pub(crate) fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let dump = self.database.as_ref().map(|database| database.dump().unwrap().into_bytes());
        let mut kept: Vec<_> = dump.into_iter().map(|dump| ("the database".to_owned(), dump)).collect();
        if self.vhost.is_some() {
            // With the messages of other tests in it, which does no harm.
            kept.extend(files_below(&RabbitMq::shared().unwrap().data_dir()));
        }
        kept
    }
}

/// Every file of a folder with its path. What is removed meanwhile counts as empty.
pub(crate) fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let content = |path: &Path| (path.display().to_string(), std::fs::read(path).unwrap_or_default());
    entries.iter().flat_map(|path| if path.is_dir() { files_below(path) } else { vec![content(path)] }).collect()
}

fn master_key() -> String {
    let mut key = [0; 32];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key)).expect("random bytes");
    STANDARD.encode(key)
}

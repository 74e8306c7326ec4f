//! What has to be thrown away after a while.

use diesel::prelude::*;

use super::Store;
use super::schema::verification_results;
use crate::domain::{DomainError, Timestamp};

impl Store {
    /// Forgets results of mailboxes that are long gone. Returns how many.
    pub async fn purge_expired_results(&self) -> Result<usize, DomainError> {
        self.write(|tx| {
            let expired = verification_results::expires_at.le(Timestamp::now().millis());
            Ok(diesel::delete(verification_results::table.filter(expired)).execute(tx.conn)?)
        })
        .await
    }
}

//! Housekeeping that no other file owns: expired verification results and the ids of departed mailboxes.

use std::time::Duration;

use diesel::prelude::*;

use crate::domain::{CoreError, Timestamp};
use crate::store::Store;
use crate::store::schema::{departed_mailboxes, verification_results};

/// No event is on its way for this long.
const REMEMBER_DEPARTED: Duration = Duration::from_secs(30 * 86_400);

impl Store {
    /// Forgets expired results of mailboxes that are gone, and the ids of mailboxes gone for a month. Returns the
    /// number of results.
    pub async fn purge_expired_results(&self) -> Result<usize, CoreError> {
        self.write(|tx| {
            let forgotten = Timestamp::now().minus(REMEMBER_DEPARTED).millis();
            diesel::delete(departed_mailboxes::table.filter(departed_mailboxes::departed_at.le(forgotten)))
                .execute(tx.conn)?;
            let expired = verification_results::expires_at.le(Timestamp::now().millis());
            Ok(diesel::delete(verification_results::table.filter(expired)).execute(tx.conn)?)
        })
        .await
    }
}

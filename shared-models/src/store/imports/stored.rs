//! The forms in which rows of an import are stored: state, settings, fault.

use serde::{Deserialize, Serialize};

use crate::domain::diagnosis::FailureCode;
use crate::domain::imports::{NoRoom, RowFault, RowState};
use crate::domain::mailboxes::{NewMailbox, ProviderLabel, RefusalPolicy};
use crate::domain::{CoreError, EmailAddress, ServerEndpoint};
use crate::store::core::error::{TxError, corrupt};

/// The stored words for the states of a row.
pub(crate) mod state {
    pub(crate) const WAITING: &str = "waiting";
    pub(crate) const TAKEN: &str = "taken";
    pub(crate) const IMPORTED: &str = "imported";
    pub(crate) const SKIPPED: &str = "skipped";
    pub(crate) const FAULTY: &str = "faulty";
    pub(crate) const REFUSED: &str = "refused";
    /// The states of rows that are not settled.
    pub(crate) const OPEN: [&str; 2] = [WAITING, TAKEN];
}

/// The settings of a mailbox to be made, without its credentials.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) email: String,
    email_as_given: Option<String>,
    display_name: String,
    provider: String,
    daily_send_limit: i32,
    signature: Option<String>,
    tags: Vec<String>,
    pub(crate) smtp: ServerEndpoint,
    pub(crate) imap: ServerEndpoint,
    imap_guessed: bool,
}

impl Settings {
    pub(crate) fn of(new: &NewMailbox) -> Self {
        Self {
            email: new.email.as_str().to_owned(),
            email_as_given: new.email_as_given.clone(),
            display_name: new.display_name.clone(),
            provider: new.provider.as_str().to_owned(),
            daily_send_limit: new.daily_send_limit,
            signature: new.signature.clone(),
            tags: new.tags.clone(),
            smtp: new.smtp.clone(),
            imap: new.imap.clone(),
            imap_guessed: new.imap_guessed,
        }
    }

    /// The mailbox with these credentials.
    pub(crate) fn into_new(self, credentials: crate::domain::Credentials) -> Result<NewMailbox, TxError> {
        Ok(NewMailbox {
            email: EmailAddress::parse(&self.email).map_err(|_| corrupt("address"))?,
            email_as_given: self.email_as_given,
            display_name: self.display_name,
            provider: ProviderLabel::parse(&self.provider).ok_or_else(|| corrupt("provider"))?,
            daily_send_limit: self.daily_send_limit,
            signature: self.signature,
            tags: self.tags,
            smtp: self.smtp,
            imap: self.imap,
            imap_guessed: self.imap_guessed,
            credentials,
            on_refusal: RefusalPolicy::Keep,
        })
    }
}

/// The fault of a row, as JSON. Plan faults are stored as a code alone; older versions stored their words, too.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredFault {
    code: FailureCode,
    #[serde(default)]
    error: String,
    #[serde(default)]
    remedy: String,
}

impl From<NoRoom> for StoredFault {
    fn from(reason: NoRoom) -> Self {
        Self { code: reason.code(), error: String::new(), remedy: String::new() }
    }
}

impl From<StoredFault> for RowState {
    fn from(stored: StoredFault) -> Self {
        let StoredFault { code, error, remedy } = stored;
        NoRoom::of_code(code).map_or(Self::Faulty(RowFault { code, error, remedy }), Self::NoRoom)
    }
}

pub(crate) fn read_state(word: &str, mailbox: &str, outcome: Option<&str>) -> Result<RowState, TxError> {
    let outcome = outcome.unwrap_or_default();
    Ok(match word {
        state::WAITING | state::TAKEN => RowState::Open,
        state::IMPORTED => RowState::Imported(mailbox.parse().map_err(|_| corrupt("mailbox id"))?),
        state::SKIPPED => RowState::Skipped,
        state::FAULTY => serde_json::from_str::<StoredFault>(outcome).map_err(|_| corrupt("row fault"))?.into(),
        state::REFUSED => RowState::Refused(serde_json::from_str(outcome).map_err(|_| corrupt("finding"))?),
        _ => return Err(corrupt("row state")),
    })
}

pub(crate) fn json(value: &impl Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|e| CoreError::Internal(format!("a row cannot be serialised: {e}")))
}

//! Request bodies about domains.

use shared_models::domain::MailDomain;
use shared_models::domain::sending_domains::has_room_below;
use shared_models::domain::sending_domains::{DomainMode, NewDomain};
use utoipa::ToSchema;

use crate::http::json::{FromBody, Problem};
use crate::sendmux::errors::SendmuxError;
use crate::sendmux::wire::body::{Field, Members, Sendmux};

/// A domain to add.
#[derive(ToSchema)]
#[schema(as = SendmuxNewDomain)]
pub(in crate::sendmux) struct NewDomainBody {
    /// The name alone, as in `acme.com`.
    #[schema(value_type = String, min_length = 1, max_length = 253, example = "acme.com")]
    domain: MailDomain,
    /// `send_only` or `send_receive`.
    #[schema(value_type = String, required = false, default = "send_receive", pattern = "^(send_only|send_receive)$")]
    mode: DomainMode,
}

impl FromBody<Sendmux> for NewDomainBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let domain = read_name(&mut members.required("domain"));
        let mode = members.optional("mode").choice(&DomainMode::ALL.map(|mode| (mode.as_str(), mode)));
        Some(Self { domain: domain?, mode: mode.unwrap_or(DomainMode::SendReceive) })
    }
}

fn read_name(field: &mut Field<'_, '_>) -> Option<MailDomain> {
    let text = field.text(1..=253)?;
    match MailDomain::parse(&text) {
        Ok(domain) if has_room_below(&domain) => Some(domain),
        Ok(_) => field.refuse(Problem::NoRoom("leaves no room for the records below it")),
        Err(_) => field.refuse("must be a domain name, such as acme.com"),
    }
}

impl From<NewDomainBody> for NewDomain {
    fn from(body: NewDomainBody) -> Self {
        Self { name: body.domain, mode: body.mode }
    }
}

/// A change to a domain: it may begin to receive.
#[derive(ToSchema)]
#[schema(as = SendmuxDomainChange)]
pub(in crate::sendmux) struct DomainChangeBody {
    /// Only `send_receive`.
    #[schema(value_type = String, pattern = "^send_receive$")]
    mode: Option<String>,
}

impl FromBody<Sendmux> for DomainChangeBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        Some(Self { mode: members.optional("mode").text(0..=usize::MAX) })
    }
}

impl DomainChangeBody {
    /// Lets pass the only change that there is.
    ///
    /// # Errors
    /// 422 for every other one, and for none.
    pub(in crate::sendmux) fn check(&self) -> Result<(), SendmuxError> {
        if self.mode.as_deref() == Some(DomainMode::SendReceive.as_str()) {
            return Ok(());
        }
        Err(SendmuxError::semantic_field("mode", "custom", "can only be changed to send_receive"))
    }
}

//! Request bodies about domains.

use shared_models::domain::MailDomain;
use shared_models::domain::sending_domains::has_room_below;
use shared_models::domain::sending_domains::{DomainMode, NewDomain};
use utoipa::ToSchema;

use crate::sendmux::errors::SendmuxError;
use crate::sendmux::wire::body::{FromBody, Members};

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

impl FromBody for NewDomainBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        let domain = members.text("domain", 1..=253);
        let domain = members.required("domain", domain).and_then(|text| read_name(members, &text));
        let mode = members.choice("mode", &DomainMode::ALL.map(|mode| (mode.as_str(), mode)));
        let mode = members.optional("mode", mode).unwrap_or(DomainMode::SendReceive);
        Some(Self { domain: domain?, mode })
    }
}

fn read_name(members: &mut Members<'_>, text: &str) -> Option<MailDomain> {
    let Ok(domain) = MailDomain::parse(text) else {
        members.fault("domain", "invalid_string", "must be a domain name, such as acme.com");
        return None;
    };
    if !has_room_below(&domain) {
        members.fault("domain", "too_big", "leaves no room for the records below it");
        return None;
    }
    Some(domain)
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

impl FromBody for DomainChangeBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        let mode = members.text("mode", 0..=usize::MAX);
        Some(Self { mode: members.optional("mode", mode) })
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

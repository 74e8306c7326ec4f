//! Request bodies about mailboxes. Faults of the schema (400) are found while a body is read. Broken rules (422) are
//! found later, when nothing else is against the request.

use shared_models::domain::hosted::{HostedMailboxChange, NewHostedMailbox, QUOTA_TIERS, SendScope};
use shared_models::domain::{EmailAddress, FieldError, SendingAccountId};
use utoipa::ToSchema;

use crate::http::json::FromBody;
use crate::sendmux::ids;
use crate::sendmux::wire::body::{Field, Members, Sendmux};

const EMAIL: std::ops::RangeInclusive<usize> = 5..=254;
const MAX_NAME: usize = 255;
/// One less for a change: both are in use.
const MAX_NEW_NAME: usize = 254;
const MAX_ID: usize = 128;
/// Ids of a list: more providers than a mailbox is ever limited to.
const MAX_IDS: usize = 1_000;

/// A mailbox to provision.
#[derive(ToSchema)]
#[schema(as = SendmuxNewMailbox)]
pub(in crate::sendmux) struct NewMailboxBody {
    /// Under a verified domain of the team that receives mail.
    #[schema(value_type = String, min_length = 5, max_length = 254, format = Email)]
    email: EmailAddress,
    #[schema(min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// 1, 5 or 50 GiB: 1073741824, 5368709120 or 53687091200.
    #[schema(value_type = Option<i64>, minimum = 1, default = 1073741824_i64, nullable = false)]
    quota_bytes: Option<i64>,
    #[schema(value_type = Option<SendScopeBody>, nullable = false)]
    send_scope: Option<SendScopeBody>,
}

/// Changes to a mailbox. Members that are left out keep their values.
#[derive(ToSchema)]
#[schema(as = SendmuxMailboxChange)]
pub(in crate::sendmux) struct MailboxChangeBody {
    /// `null` takes it away.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 254)]
    display_name: Option<Option<String>>,
    /// As for a new mailbox, and not less than what is in use.
    #[schema(minimum = 1, nullable = false)]
    quota_bytes: Option<i64>,
    /// Replaces what was there.
    #[schema(value_type = Option<SendScopeBody>, nullable = false)]
    send_scope: Option<SendScopeBody>,
}

/// Through which sending accounts a mailbox may send.
#[derive(ToSchema)]
#[schema(as = SendmuxNewSendScope)]
pub(in crate::sendmux) struct SendScopeBody {
    #[schema(value_type = String, pattern = "^(all|providers|group)$")]
    r#type: ScopeType,
    /// With `providers`; at least one.
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    provider_public_ids: Vec<String>,
    /// With `group`. There are no groups here.
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    group_public_ids: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum ScopeType {
    All,
    Providers,
    Group,
}

const SCOPES: [(&str, ScopeType); 3] =
    [("all", ScopeType::All), ("providers", ScopeType::Providers), ("group", ScopeType::Group)];
const PROVIDERS: &str = "provider_public_ids";
const GROUPS: &str = "group_public_ids";

/// A key to make.
#[derive(ToSchema)]
#[schema(as = SendmuxNewMailboxKey)]
pub(in crate::sendmux) struct NewKeyBody {
    /// Program that will use the key.
    #[schema(min_length = 1, max_length = 255)]
    pub(in crate::sendmux) app_name: String,
}

impl FromBody<Sendmux> for NewMailboxBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let email = read_email(&mut members.required("email"));
        let display_name = nullable_name(members, MAX_NAME).flatten();
        let quota_bytes = quota(members);
        let send_scope = scope(members);
        Some(Self { email: email?, display_name, quota_bytes, send_scope })
    }
}

impl FromBody<Sendmux> for MailboxChangeBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let display_name = nullable_name(members, MAX_NEW_NAME);
        Some(Self { display_name, quota_bytes: quota(members), send_scope: scope(members) })
    }
}

impl FromBody<Sendmux> for NewKeyBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        Some(Self { app_name: members.required("app_name").text(1..=MAX_NAME)? })
    }
}

impl NewMailboxBody {
    /// The mailbox, the rules of which are checked where it is provisioned.
    pub(in crate::sendmux) fn into_domain(self) -> NewHostedMailbox {
        let (send_scope, faults) = self.send_scope.map(SendScopeBody::into_domain).unwrap_or_default();
        let quota_bytes = self.quota_bytes.unwrap_or(QUOTA_TIERS[0]);
        NewHostedMailbox { email: self.email, display_name: self.display_name, quota_bytes, send_scope, faults }
    }
}

impl MailboxChangeBody {
    /// As [`NewMailboxBody::into_domain`].
    pub(in crate::sendmux) fn into_domain(self) -> HostedMailboxChange {
        let (send_scope, faults) = self.send_scope.map(SendScopeBody::into_domain).unzip();
        HostedMailboxChange {
            display_name: self.display_name,
            quota_bytes: self.quota_bytes,
            send_scope,
            faults: faults.unwrap_or_default(),
        }
    }
}

impl SendScopeBody {
    /// The scope and its faults. Each list belongs to its own type: a list that would have no effect is a fault.
    fn into_domain(self) -> (SendScope, Vec<FieldError>) {
        let mut faults = vec![];
        let mut broken =
            |field: &str, message: &str| faults.push(FieldError::new(format!("send_scope.{field}"), message));
        for (list, name, its_type) in [
            (&self.provider_public_ids, PROVIDERS, ScopeType::Providers),
            (&self.group_public_ids, GROUPS, ScopeType::Group),
        ] {
            match (self.r#type == its_type, list.is_empty()) {
                (true, true) => broken(name, "must name at least one"),
                (false, false) => broken(name, "belongs to another type"),
                (true, false) | (false, true) => {}
            }
        }
        if self.r#type == ScopeType::Group {
            for index in 0..self.group_public_ids.len() {
                broken(&format!("{GROUPS}.{index}"), "is no group of this team");
            }
        }
        if self.r#type != ScopeType::Providers {
            return (SendScope::All, faults);
        }
        // A text that is no id becomes an id that nobody has, so that it is reported like every unknown one.
        let known = |id: &String| ids::provider::decode(id).unwrap_or_else(|_| SendingAccountId::new());
        (SendScope::Providers(self.provider_public_ids.iter().map(known).collect()), faults)
    }
}

fn read_email(field: &mut Field<'_, '_>) -> Option<EmailAddress> {
    let text = field.text(EMAIL)?;
    EmailAddress::parse(&text).map_or_else(|error| field.refuse(error.to_string()), Some)
}

fn nullable_name(members: &mut Members<'_, '_>, longest: usize) -> Option<Option<String>> {
    members.nullable("display_name", |name| name.text(1..=longest))
}

fn quota(members: &mut Members<'_, '_>) -> Option<i64> {
    members.optional("quota_bytes").integer(1..=i64::MAX)
}

fn scope(members: &mut Members<'_, '_>) -> Option<SendScopeBody> {
    members.optional("send_scope").object(|members| {
        let r#type = members.required("type").choice(&SCOPES);
        let (provider_public_ids, group_public_ids) = (ids(members, PROVIDERS), ids(members, GROUPS));
        Some(SendScopeBody { r#type: r#type?, provider_public_ids, group_public_ids })
    })
}

fn ids(members: &mut Members<'_, '_>, name: &str) -> Vec<String> {
    members.optional(name).list(0..=MAX_IDS, |mut id| id.raw_text(1..=MAX_ID)).unwrap_or_default()
}

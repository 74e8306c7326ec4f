//! Response bodies about providers, as sent and as documented.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shared_models::domain::sending_accounts::LoginTestResult;
use shared_models::domain::sending_accounts::{Quota as Cap, Quotas as Caps, SendingAccount, SendingAccountStatus};
use shared_models::domain::{LimitIncreaseId, SendingAccountId, Timestamp};
use shared_models::store::SendingAccountAllowance;
use utoipa::ToSchema;

use crate::sendmux::ids;

/// A sending account. The password is never returned.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProvider)]
pub(in crate::sendmux) struct Provider {
    id: String,
    name: String,
    #[schema(pattern = "^(smtp|gmail_api|outlook_api|amazon_ses)$")]
    r#type: &'static str,
    /// `pending`: the login was not tried yet, or not since it was changed. `error`: it was refused.
    #[schema(pattern = "^(active|inactive|error|pending)$")]
    status: &'static str,
    #[schema(required)]
    status_reason: Option<String>,
    is_active: bool,
    is_shared: bool,
    is_editable: bool,
    has_smtp_password: bool,
    has_refresh_token: bool,
    allowed_actions: AllowedActions,
    quotas: Quotas,
    #[schema(required)]
    percentage: Option<i32>,
    #[schema(required)]
    smtp_host: Option<String>,
    #[schema(required)]
    smtp_port: Option<u16>,
    #[schema(required)]
    smtp_protocol: Option<&'static str>,
    #[schema(required)]
    smtp_username: Option<String>,
    #[schema(required)]
    from_email: Option<String>,
    #[schema(required)]
    from_name: Option<String>,
    #[schema(required)]
    reply_to_email: Option<String>,
    #[schema(required)]
    reply_to_name: Option<String>,
    #[schema(required)]
    oauth_email: Option<String>,
    #[schema(required)]
    tracking_domain: Option<String>,
    #[schema(value_type = HashMap<String, String>)]
    variables: BTreeMap<String, String>,
    #[schema(required, format = DateTime)]
    last_tested_at: Option<String>,
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Actions that are allowed on the provider now.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderActions)]
struct AllowedActions {
    update: bool,
    delete: bool,
    activate: bool,
    deactivate: bool,
    test: bool,
    update_variables: bool,
}

/// Mails in each window; `null` = any number.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxQuotas)]
struct Quotas {
    #[schema(required)]
    per_second: Option<Quota>,
    #[schema(required)]
    per_minute: Option<Quota>,
    #[schema(required)]
    per_hour: Option<Quota>,
    #[schema(required)]
    per_day: Option<Quota>,
}

/// Somewhere between the two; a fixed cap has both alike.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxQuota)]
struct Quota {
    min: i64,
    max: i64,
}

impl From<&SendingAccount> for Provider {
    fn from(provider: &SendingAccount) -> Self {
        let (standing, sender) = (provider.standing.clone(), provider.sender.clone());
        Self {
            id: ids::provider::encode(provider.id),
            name: provider.name.clone(),
            // The other types need accounts elsewhere that cannot be added here.
            r#type: "smtp",
            status: standing.status.as_str(),
            status_reason: standing.reason,
            is_active: standing.is_active,
            is_shared: false,
            is_editable: true,
            has_smtp_password: true,
            has_refresh_token: false,
            allowed_actions: AllowedActions {
                update: true,
                delete: true,
                activate: !standing.is_active,
                deactivate: standing.is_active,
                test: true,
                update_variables: true,
            },
            quotas: provider.quotas.into(),
            percentage: Some(provider.percentage),
            smtp_host: Some(provider.smtp.host().to_owned()),
            smtp_port: Some(provider.smtp.port()),
            smtp_protocol: Some(provider.protocol.as_str()),
            smtp_username: Some(provider.username.clone()),
            from_email: sender.from_email,
            from_name: sender.from_name,
            reply_to_email: sender.reply_to_email,
            reply_to_name: sender.reply_to_name,
            oauth_email: None,
            tracking_domain: provider.tracking_domain.clone(),
            variables: provider.variables.clone(),
            last_tested_at: provider.last_tested_at.map(Timestamp::to_rfc3339),
            last_used_at: provider.last_used_at.map(Timestamp::to_rfc3339),
            created_at: provider.created_at.to_rfc3339(),
            updated_at: provider.updated_at.to_rfc3339(),
        }
    }
}

impl From<Caps> for Quotas {
    fn from(caps: Caps) -> Self {
        let quota = |cap: Option<Cap>| cap.map(|Cap { min, max }| Quota { min, max });
        Self {
            per_second: quota(caps.per_second),
            per_minute: quota(caps.per_minute),
            per_hour: quota(caps.per_hour),
            per_day: quota(caps.per_day),
        }
    }
}

/// How a test of the login ended.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderTest)]
pub(in crate::sendmux) struct ProviderTest {
    /// The server accepted the login.
    success: bool,
    message: String,
    /// 0 when the server was not asked, because it refused the same login before.
    latency_ms: i64,
    /// When the server decided.
    #[schema(format = DateTime)]
    tested_at: String,
}

impl From<LoginTestResult> for ProviderTest {
    fn from(result: LoginTestResult) -> Self {
        Self {
            success: result.success,
            message: result.message,
            latency_ms: result.latency_ms,
            tested_at: result.tested_at.to_rfc3339(),
        }
    }
}

/// How many there are and may be.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderLimits)]
pub(in crate::sendmux) struct ProviderLimits {
    sending_accounts: SendingAccountsLimit,
    shared_amazon_ses: SharedAmazonSes,
}

/// How many sending accounts there are and may be.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxSendingAccountsLimit)]
struct SendingAccountsLimit {
    /// Always `sending_accounts`.
    resource_type: &'static str,
    usage: i64,
    reserved: i64,
    #[schema(minimum = 1)]
    max_allowed: i64,
    /// From this usage on an increase can be asked for.
    threshold_usage: i64,
    usage_ratio: f64,
    is_near_limit: bool,
    is_at_limit: bool,
    can_request_increase: bool,
    #[schema(required)]
    pending_request_id: Option<String>,
}

/// There is no shared account here.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxSharedAmazonSes)]
struct SharedAmazonSes {
    #[schema(required)]
    provider_id: Option<String>,
    #[schema(required)]
    daily_limit: Option<i64>,
    sent_today: i64,
    #[schema(required)]
    threshold_usage: Option<i64>,
    #[schema(required)]
    usage_ratio: Option<f64>,
    is_near_limit: bool,
    can_request_increase: bool,
    #[schema(required)]
    pending_request_id: Option<String>,
}

impl From<SendingAccountAllowance> for SendingAccountsLimit {
    fn from(SendingAccountAllowance { limit, pending_request }: SendingAccountAllowance) -> Self {
        Self {
            resource_type: "sending_accounts",
            usage: limit.usage,
            reserved: 0,
            max_allowed: limit.max_allowed,
            threshold_usage: limit.threshold(),
            usage_ratio: limit.usage as f64 / limit.max_allowed as f64,
            is_near_limit: limit.is_near(),
            is_at_limit: limit.is_reached(),
            can_request_increase: limit.is_near() && pending_request.is_none(),
            pending_request_id: pending_request.map(ids::limit_increase::encode),
        }
    }
}

impl From<SendingAccountAllowance> for ProviderLimits {
    fn from(allowance: SendingAccountAllowance) -> Self {
        Self {
            sending_accounts: allowance.into(),
            shared_amazon_ses: SharedAmazonSes {
                provider_id: None,
                daily_limit: None,
                sent_today: 0,
                threshold_usage: None,
                usage_ratio: None,
                is_near_limit: false,
                can_request_increase: false,
                pending_request_id: None,
            },
        }
    }
}

/// The wish for more was noted.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxLimitIncrease)]
pub(in crate::sendmux) struct LimitIncrease {
    request_id: String,
    limit: SendingAccountsLimit,
}

impl LimitIncrease {
    pub(in crate::sendmux) fn new(id: LimitIncreaseId, allowance: SendingAccountAllowance) -> Self {
        Self { request_id: ids::limit_increase::encode(id), limit: allowance.into() }
    }
}

/// How many providers stand where.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderStats)]
pub(in crate::sendmux) struct ProviderStats {
    total: i64,
    #[serde(flatten)]
    of_status: CountsByStatus,
    by_status: CountsByStatus,
    by_type: CountsByType,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = SendmuxProviderCountsByStatus)]
struct CountsByStatus {
    active: i64,
    inactive: i64,
    error: i64,
    pending: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderCountsByType)]
struct CountsByType {
    smtp: i64,
    gmail_api: i64,
    outlook_api: i64,
    amazon_ses: i64,
}

impl From<HashMap<SendingAccountStatus, i64>> for ProviderStats {
    fn from(counts: HashMap<SendingAccountStatus, i64>) -> Self {
        let of = |status| counts.get(&status).copied().unwrap_or(0);
        let by_status = CountsByStatus {
            active: of(SendingAccountStatus::Active),
            inactive: of(SendingAccountStatus::Inactive),
            error: of(SendingAccountStatus::Error),
            pending: of(SendingAccountStatus::Pending),
        };
        let total = counts.values().sum();
        let by_type = CountsByType { smtp: total, gmail_api: 0, outlook_api: 0, amazon_ses: 0 };
        Self { total, of_status: by_status, by_status, by_type }
    }
}

/// Mails of each provider.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderUsage)]
pub(in crate::sendmux) struct ProviderUsage {
    /// Days that the sums go back.
    window_days: i64,
    providers: Vec<UsageRow>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxProviderUsageRow)]
struct UsageRow {
    provider_id: String,
    sent_today: i64,
    sent_7d: i64,
    failed_7d: i64,
    rejected_7d: i64,
    pending_7d: i64,
    total_7d: i64,
}

impl ProviderUsage {
    /// No mail goes through providers here, so there is nothing to add up.
    pub(in crate::sendmux) fn of_unused(ids: Vec<SendingAccountId>) -> Self {
        let row = |id| UsageRow {
            provider_id: ids::provider::encode(id),
            sent_today: 0,
            sent_7d: 0,
            failed_7d: 0,
            rejected_7d: 0,
            pending_7d: 0,
            total_7d: 0,
        };
        Self { window_days: 7, providers: ids.into_iter().map(row).collect() }
    }
}

//! Words that several answers about mailboxes share.

use serde::Serialize;
use serde_json::{Map, Value};
use shared_models::domain::MailboxStatus;
use utoipa::ToSchema;

pub(in crate::sendkit::wire) fn status_word(status: MailboxStatus) -> &'static str {
    match status {
        MailboxStatus::Unverified => "inactive",
        MailboxStatus::Pending => "pending",
        MailboxStatus::Active => "active",
        MailboxStatus::Failed => "failed",
    }
}

/// Warm-up is not done here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::sendkit::wire) struct Warmup {
    enabled: bool,
    status: &'static str,
    current_day: u32,
    current_volume: u32,
    #[schema(value_type = Object)]
    metrics: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<WarmupConfig>,
}

/// Never in force.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WarmupConfig {
    starting_volume: u32,
    daily_increase: u32,
    target_volume: u32,
}

impl Warmup {
    pub(in crate::sendkit::wire) fn off(with_config: bool) -> Self {
        let config = with_config.then_some(WarmupConfig { starting_volume: 0, daily_increase: 0, target_volume: 0 });
        Self { enabled: false, status: "not_started", current_day: 0, current_volume: 0, metrics: Map::new(), config }
    }
}

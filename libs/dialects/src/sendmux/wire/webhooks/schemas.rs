//! Schemas of request bodies, for the document alone. `requests.rs` beside this file reads the bodies.
#![allow(dead_code, reason = "only described")]

use utoipa::ToSchema;

/// A receiver for events.
#[derive(ToSchema)]
#[schema(as = SendmuxNewWebhook)]
pub(in crate::sendmux) struct NewWebhook {
    /// `https` only.
    #[schema(min_length = 1, max_length = 2048)]
    url: String,
    #[schema(min_items = 1)]
    event_types: Vec<EventType>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(default = true, nullable = false)]
    enabled: Option<bool>,
    #[schema(nullable = false)]
    filters: Option<NewFilters>,
}

/// Changes to a webhook. Members that are left out keep their values.
#[derive(ToSchema)]
#[schema(as = SendmuxWebhookChange)]
pub(in crate::sendmux) struct WebhookChange {
    #[schema(min_length = 1, max_length = 2048, nullable = false)]
    url: Option<String>,
    /// Replaces all of them.
    #[schema(min_items = 1, nullable = false)]
    event_types: Option<Vec<EventType>>,
    #[schema(max_length = 255)]
    name: Option<String>,
    /// From false to true it is also no longer `failing`.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// Replaces all of them.
    #[schema(nullable = false)]
    filters: Option<NewFilters>,
}

/// Type of an event that a webhook can ask for.
#[derive(ToSchema)]
#[schema(as = SendmuxEventType, pattern = "^(message\\.(delivered|bounced|complained|rejected|delivery_delayed|received|received\\.spam)|sendmux\\.test)$")]
struct EventType(String);

/// Mailboxes whose events are delivered; without any, all events are.
#[derive(ToSchema)]
#[schema(as = SendmuxNewWebhookFilters)]
struct NewFilters {
    #[schema(max_items = 100, nullable = false)]
    mailbox_ids: Option<Vec<String>>,
}

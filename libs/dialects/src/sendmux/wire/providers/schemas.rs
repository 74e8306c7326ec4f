//! Schemas of request bodies, for the document alone. `requests.rs` beside this file reads the bodies.
#![allow(dead_code, reason = "only described")]

use std::collections::HashMap;

use utoipa::ToSchema;

/// An SMTP account to send through.
#[derive(ToSchema)]
#[schema(as = SendmuxNewProvider)]
pub(in crate::sendmux) struct NewProvider {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(min_length = 1, max_length = 255)]
    smtp_host: String,
    #[schema(minimum = 1, maximum = 65535)]
    smtp_port: i32,
    /// `tls`, `ssl` and `starttls` all require encryption. The port decides on the kind: TLS from the first byte
    /// on 465, STARTTLS on 25, 587 and 2525, on others what works. `none` uses encryption where it is offered.
    #[schema(pattern = "^(tls|ssl|none|starttls)$")]
    smtp_protocol: String,
    #[schema(min_length = 1, max_length = 255)]
    smtp_username: String,
    /// Never returned.
    #[schema(min_length = 1, max_length = 500, format = Password)]
    smtp_password: String,
    #[schema(max_length = 255, format = Email)]
    from_email: Option<String>,
    #[schema(max_length = 255)]
    from_name: Option<String>,
    #[schema(max_length = 255, format = Email)]
    reply_to_email: Option<String>,
    #[schema(max_length = 255)]
    reply_to_name: Option<String>,
    #[schema(value_type = Option<NewQuotas>, nullable = false)]
    quotas: Option<NewQuotas>,
    #[schema(minimum = 0, maximum = 100, default = 100, value_type = Option<i32>, nullable = false)]
    percentage: Option<i32>,
    #[schema(max_length = 255)]
    tracking_domain: Option<String>,
    /// Values of at most 4,096 characters.
    #[schema(value_type = Option<HashMap<String, String>>, nullable = false)]
    variables: Option<HashMap<String, String>>,
}

/// Changes to a provider. Members that are left out keep their values.
#[derive(ToSchema)]
#[schema(as = SendmuxProviderChange)]
pub(in crate::sendmux) struct ProviderChange {
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    smtp_host: Option<String>,
    #[schema(minimum = 1, maximum = 65535, nullable = false)]
    smtp_port: Option<i32>,
    #[schema(pattern = "^(tls|ssl|none|starttls)$", nullable = false)]
    smtp_protocol: Option<String>,
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    smtp_username: Option<String>,
    #[schema(min_length = 1, max_length = 500, format = Password, nullable = false)]
    smtp_password: Option<String>,
    #[schema(max_length = 255, format = Email)]
    from_email: Option<String>,
    #[schema(max_length = 255)]
    from_name: Option<String>,
    #[schema(max_length = 255, format = Email)]
    reply_to_email: Option<String>,
    #[schema(max_length = 255)]
    reply_to_name: Option<String>,
    /// Windows that are left out keep their caps, `null` takes a cap away.
    #[schema(value_type = Option<NewQuotas>, nullable = false)]
    quotas: Option<NewQuotas>,
    #[schema(minimum = 0, maximum = 100, nullable = false)]
    percentage: Option<i32>,
    #[schema(max_length = 255)]
    tracking_domain: Option<String>,
    /// Replaces all of them.
    #[schema(value_type = Option<HashMap<String, String>>, nullable = false)]
    variables: Option<HashMap<String, String>>,
}

/// Mails in each window.
#[derive(ToSchema)]
#[schema(as = SendmuxNewQuotas)]
struct NewQuotas {
    per_second: Option<NewQuota>,
    per_minute: Option<NewQuota>,
    per_hour: Option<NewQuota>,
    per_day: Option<NewQuota>,
}

/// A fixed cap, or a range in which it is; at least 1.
#[derive(ToSchema)]
#[schema(as = SendmuxNewQuota)]
#[serde(untagged)]
enum NewQuota {
    Fixed(i64),
    Range {
        #[schema(minimum = 1)]
        min: i64,
        /// Not less than `min`.
        #[schema(minimum = 1)]
        max: i64,
    },
}

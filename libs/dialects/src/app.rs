//! State of the server that every handler can reach.

use std::collections::HashMap;

use actix_web::HttpRequest;
use service_runtime::settings::{MailPlatformSettings, RateLimitSettings};
use shared_models::domain::tenancy::KeyText;
use shared_models::domain::{ApiKeyId, CoreError};
use use_cases::{Account, UseCases};

use crate::dialect::{self, Dialect, ForeignKey};
use crate::http::rate_limit::{self, Limit, RateLimited, RateLimiter};

/// State shared by all handlers.
pub struct App {
    /// The operations that handlers call.
    pub use_cases: UseCases,
    /// The servers that domains and mailboxes of the mail platform are given.
    pub platform: MailPlatformSettings,
    dialects: &'static [&'static Dialect],
    /// By the name of the dialect.
    limiters: HashMap<&'static str, RateLimiter>,
}

impl App {
    /// Serves these dialects.
    ///
    /// # Errors
    /// Plain text, if the dialects do not get along, or if the section `rate_limit` has a key that none of them
    /// knows.
    pub fn new(
        dialects: &'static [&'static Dialect],
        use_cases: UseCases,
        limits: &RateLimitSettings,
        platform: MailPlatformSettings,
    ) -> Result<Self, String> {
        dialect::check(dialects)?;
        let known: Vec<&str> = dialects.iter().flat_map(|dialect| dialect.limits).map(|limit| limit.setting).collect();
        if let Some(unknown) = limits.names().find(|name| !known.contains(name)) {
            return Err(format!("rate_limit.{unknown}: unknown field, expected one of {}", known.join(", ")));
        }
        let limiter = |dialect: &Dialect| {
            let limits = dialect
                .limits
                .iter()
                .map(|limit| Limit { requests: limits.get(limit.setting).unwrap_or(limit.default), per: limit.window });
            (dialect.name, RateLimiter::new(limits))
        };
        let limiters = dialects.iter().map(|dialect| limiter(dialect)).collect();
        Ok(Self { use_cases, platform, dialects, limiters })
    }

    /// The account that a key of this dialect opens, with the scopes of the key; none = everything that its kind
    /// allows. The request is counted.
    ///
    /// # Errors
    /// In this order: `Unauthenticated`, also for a good key of another dialect; [`RateLimited`].
    pub async fn authenticate<E: From<CoreError> + From<RateLimited>>(
        &self,
        request: &HttpRequest,
        dialect: &Dialect,
        key: KeyText,
    ) -> Result<(Account, Vec<String>), E> {
        let (account, granted) = self.use_cases.authenticate_scoped(key, dialect.keys).await?;
        self.count(request, dialect, account.key)?;
        Ok((account, granted))
    }

    /// Counts a request of a good key against the limits of the dialect.
    pub(crate) fn count(&self, request: &HttpRequest, dialect: &Dialect, key: ApiKeyId) -> Result<(), RateLimited> {
        self.limiters.get(dialect.name).map_or(Ok(()), |limiter| rate_limit::count(request, limiter, key))
    }

    /// Set if a key promises by its prefix to be of another dialect.
    pub(crate) fn foreign_key(&self, dialect: &Dialect, key: &KeyText) -> Option<ForeignKey> {
        dialect::foreign_key(self.dialects, dialect, key)
    }
}

//! Rules on who may write to a domain or a mailbox, as they are sent and shown.

use serde::Serialize;
use shared_models::domain::sending_domains::{
    FilterFault, FilterKind, FilterMode, FilterRule, FilterSet, SenderPattern,
};
use utoipa::ToSchema;

use crate::http::json::{FromBody, Listed};
use crate::sendmux::errors::{FieldFault, SendmuxError};
use crate::sendmux::wire::body::{Members, Sendmux};

const MAX_NOTE: usize = 255;

/// All rules, which take the place of those that were there.
#[derive(ToSchema)]
#[schema(as = SendmuxNewFilters)]
pub(in crate::sendmux) struct FiltersBody {
    #[schema(value_type = String, pattern = "^(off|allowlist|denylist)$")]
    mode: FilterMode,
    /// At most 1000. Those of an allowlist allow, those of a denylist deny.
    #[schema(value_type = Vec<RuleBody>)]
    rules: Listed<RuleBody>,
}

#[derive(ToSchema)]
#[schema(as = SendmuxNewFilterRule)]
struct RuleBody {
    #[schema(value_type = String, pattern = "^(allow|deny)$")]
    r#type: FilterKind,
    /// An address, a domain, or `*@` and a domain.
    pattern: String,
    #[schema(max_length = 255)]
    note: Option<String>,
}

impl FromBody<Sendmux> for FiltersBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let mode = members.required("mode").choice(&FilterMode::ALL.map(|mode| (mode.as_str(), mode)));
        let rules = members.required("rules").list_up_to(FilterSet::MAX_RULES, |mut rule| rule.object(RuleBody::read));
        Some(Self { mode: mode?, rules: rules? })
    }
}

impl RuleBody {
    fn read(members: &mut Members<'_, '_>) -> Option<Self> {
        let kind = members.required("type").choice(&FilterKind::ALL.map(|kind| (kind.as_str(), kind)));
        let pattern = members.required("pattern").text(0..=usize::MAX);
        let note = members.nullable("note", |note| note.line(0..=MAX_NOTE)).flatten();
        Some(Self { r#type: kind?, pattern: pattern?, note })
    }
}

impl FiltersBody {
    /// The rules.
    ///
    /// # Errors
    /// 422 that names every rule that is not one or contradicts the mode, or the list when it is too long.
    pub(in crate::sendmux) fn into_domain(self) -> Result<FilterSet, SendmuxError> {
        let Listed::Items(given) = self.rules else { return Err(broken(vec![FilterFault::TooMany])) };
        let (mut rules, mut faults) = (vec![], vec![]);
        for (at, rule) in given.into_iter().enumerate() {
            match SenderPattern::parse(&rule.pattern) {
                Ok(pattern) => rules.push(FilterRule { kind: rule.r#type, pattern, note: rule.note }),
                Err(error) => {
                    faults.push(FieldFault::new(format!("rules.{at}.pattern"), "invalid_string", error.to_string()))
                }
            }
        }
        if !faults.is_empty() {
            return Err(SendmuxError::semantic(faults));
        }
        FilterSet::new(self.mode, rules).map_err(broken)
    }
}

fn broken(faults: Vec<FilterFault>) -> SendmuxError {
    let faults = faults.into_iter().map(|fault| {
        let (field, code) = match fault {
            FilterFault::TooMany => ("rules".to_owned(), "too_big"),
            FilterFault::Contradicts(at) => (format!("rules.{at}.type"), "custom"),
            FilterFault::Repeated(at) => (format!("rules.{at}.pattern"), "custom"),
        };
        FieldFault::new(field, code, fault.to_string())
    });
    SendmuxError::semantic(faults.collect())
}

/// Filter of incoming mail by the envelope sender.
#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxFilters)]
pub(in crate::sendmux) struct Filters {
    #[schema(pattern = "^(off|allowlist|denylist)$")]
    mode: &'static str,
    /// Sorted by pattern.
    rules: Vec<Rule>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SendmuxFilterRule)]
struct Rule {
    #[schema(pattern = "^(allow|deny)$")]
    r#type: &'static str,
    /// An address or a domain, in lower case.
    pattern: String,
    #[schema(required)]
    note: Option<String>,
}

impl From<&FilterSet> for Filters {
    fn from(set: &FilterSet) -> Self {
        let rules = set.rules().iter().map(|rule| Rule {
            r#type: rule.kind.as_str(),
            pattern: rule.pattern.as_str().to_owned(),
            note: rule.note.clone(),
        });
        Self { mode: set.mode().as_str(), rules: rules.collect() }
    }
}

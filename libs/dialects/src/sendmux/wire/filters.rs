//! Rules on who may write to a domain or a mailbox, as they are sent and shown.

use serde::Serialize;
use shared_models::domain::sending_domains::{
    FilterFault, FilterKind, FilterMode, FilterRule, FilterSet, SenderPattern,
};
use utoipa::ToSchema;

use super::body::{FromBody, Members};
use crate::http::fields::Field;
use crate::sendmux::errors::{FieldFault, SendmuxError};

const MAX_NOTE: usize = 255;

/// All rules, which take the place of those that were there.
#[derive(ToSchema)]
#[schema(as = SendmuxNewFilters)]
pub(in crate::sendmux) struct FiltersBody {
    #[schema(value_type = String, pattern = "^(off|allowlist|denylist)$")]
    mode: FilterMode,
    /// At most 1000. Those of an allowlist allow, those of a denylist deny.
    rules: Vec<RuleBody>,
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

impl FromBody for FiltersBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        let mode = members.choice("mode", &FilterMode::ALL.map(|mode| (mode.as_str(), mode)));
        let mode = members.required("mode", mode);
        let rules = members.list("rules", |rules, path, rule| rules.object_at(path, rule, RuleBody::read));
        let rules = members.required("rules", rules);
        Some(Self { mode: mode?, rules: rules? })
    }
}

impl RuleBody {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        let kind = members.choice("type", &FilterKind::ALL.map(|kind| (kind.as_str(), kind)));
        let kind = members.required("type", kind);
        let pattern = members.text("pattern", 0..=usize::MAX);
        let pattern = members.required("pattern", pattern);
        let note = match members.text("note", 0..=MAX_NOTE) {
            Field::Valid(note) if note.chars().any(char::is_control) => {
                members.fault("note", "invalid_string", "must not contain control characters");
                None
            }
            Field::Valid(note) => Some(note),
            Field::Absent | Field::Null | Field::Wrong(_) => None,
        };
        Some(Self { r#type: kind?, pattern: pattern?, note })
    }
}

impl FiltersBody {
    /// The rules.
    ///
    /// # Errors
    /// 422 that names every rule that is not one or contradicts the mode, or the list when it is too long.
    pub(in crate::sendmux) fn into_domain(self) -> Result<FilterSet, SendmuxError> {
        if self.rules.len() > FilterSet::MAX_RULES {
            return Err(broken(vec![FilterFault::TooMany]));
        }
        let (mut rules, mut faults) = (vec![], vec![]);
        for (at, rule) in self.rules.into_iter().enumerate() {
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
    let told = faults.into_iter().map(|fault| {
        let (field, code) = match fault {
            FilterFault::TooMany => ("rules".to_owned(), "too_big"),
            FilterFault::Contradicts(at) => (format!("rules.{at}.type"), "custom"),
            FilterFault::Repeated(at) => (format!("rules.{at}.pattern"), "custom"),
        };
        FieldFault::new(field, code, fault.to_string())
    });
    SendmuxError::semantic(told.collect())
}

/// Who may write, by the envelope sender.
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

//! From a server's reply to a failure with a code, by the table in [`crate::reply::rules`].

use std::time::Duration;

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::known_providers::Operator;
use shared_models::domain::diagnosis::{Class, KnownProvider, Leg, Stage};

use crate::failure::Failure;
use crate::reply::response::{Head, Reply};
use crate::reply::rules::{RULES, Rule, Shape};

/// The facts besides the reply that decide what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyContext<'a> {
    pub(crate) leg: Leg,
    /// The provider that the host belongs to.
    pub(crate) provider: Option<&'static KnownProvider>,
    pub(crate) username: &'a str,
}

impl ReplyContext<'_> {
    pub(crate) fn is_at(&self, operator: Operator) -> bool {
        self.provider.is_some_and(|provider| provider.operator == operator)
    }
}

/// The failure that a refusal means at this stage.
pub(crate) fn classify(reply: &Reply, stage: Stage, context: ReplyContext<'_>) -> Failure {
    let text = reply.text.to_ascii_lowercase();
    let mut failure = RULES
        .iter()
        .find(|rule| matches(rule, reply, &text, stage, context))
        .map_or_else(|| Failure::new(FailureCode::ProtoUnexpected, stage), |rule| apply(rule, stage));
    if is_plain_refusal(failure.code)
        && let Some(form) =
            context.provider.and_then(|provider| provider.wanted_user_name(context.leg, context.username))
    {
        failure = Failure::new(FailureCode::CfgUsernameForm, stage).with("form", form);
    }
    // 4yz means that a later attempt may succeed (RFC 5321 section 4.2.1), whatever the rule usually means.
    if matches!(reply.head, Head::Smtp(400..=499)) && failure.class == Class::Permanent {
        failure.class = Class::Temporary;
    }
    if failure.class == Class::Temporary {
        failure.retry_after = wait_named_in(&text).or(match failure.code {
            FailureCode::LimitLoginRate => Some(Duration::from_secs(3600)),
            _ => None,
        });
    }
    failure.quoting(reply.text.clone())
}

fn matches(rule: &Rule, reply: &Reply, text: &str, stage: Stage, context: ReplyContext<'_>) -> bool {
    rule.leg.is_none_or(|leg| leg == context.leg)
        && (rule.stages.is_empty() || rule.stages.contains(&stage))
        && (rule.operators.is_empty() || rule.operators.iter().any(|operator| context.is_at(*operator)))
        && has_shape(rule.shape, &reply.head)
        && (rule.texts.is_empty() || rule.texts.iter().any(|part| text.contains(part)))
}

fn has_shape(shape: Shape, head: &Head) -> bool {
    match (shape, head) {
        (Shape::Any, _) => true,
        (Shape::Smtp(from, to), Head::Smtp(code)) => (from..=to).contains(code),
        (Shape::Imap(wanted), Head::Imap(status, _)) => wanted == *status,
        (Shape::ImapWithoutCode(wanted), Head::Imap(status, codes)) => wanted == *status && codes.is_empty(),
        (Shape::ImapCode(wanted), Head::Imap(_, codes)) => wanted.iter().any(|code| codes.iter().any(|c| c == code)),
        _ => false,
    }
}

fn apply(rule: &Rule, stage: Stage) -> Failure {
    let mut failure = Failure::new(rule.code, stage);
    failure.class = rule.class.unwrap_or(failure.class);
    failure.remedy = rule.remedy.unwrap_or(failure.remedy);
    failure
}

/// True if the refusal means no more than "wrong user name or password".
fn is_plain_refusal(code: FailureCode) -> bool {
    matches!(code, FailureCode::AuthBadCredentials | FailureCode::AuthAppPasswordLikely)
}

/// The wait in words such as "try again in 5 minutes", at most a day.
fn wait_named_in(text: &str) -> Option<Duration> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    words.windows(3).find_map(|window| {
        let [lead, number, unit] = window else {
            return None;
        };
        let seconds = match *unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "min" | "mins" | "minute" | "minutes" => 60,
            "hour" | "hours" => 3600,
            _ => return None,
        };
        let count = number.parse::<u64>().ok()?;
        ["in", "after", "for", "wait"]
            .contains(lead)
            .then(|| Duration::from_secs(count.saturating_mul(seconds).min(86_400)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;
    use shared_models::domain::diagnosis::Fault;
    use shared_models::domain::diagnosis::fill;

    use super::*;
    use crate::reply::response::status_of;

    /// A line of `fixtures/replies.jsonl`. Lines with the same `row` are about the same kind of failure. A
    /// `synthetic` reply was not seen at a server but made up from a standard or a manual.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Scenario {
        row: u8,
        host: String,
        leg: Leg,
        stage: Stage,
        reply: Vec<String>,
        #[serde(default)]
        username: Option<String>,
        code: FailureCode,
        class: Class,
        fault: Fault,
        #[serde(default)]
        retry_after: Option<u64>,
        /// A part of the remedy.
        #[serde(default)]
        remedy: Option<String>,
        #[serde(default, rename = "synthetic")]
        _synthetic: bool,
    }

    fn parse(leg: Leg, lines: &[String]) -> Reply {
        let (last, before) = lines.split_last().unwrap();
        match leg {
            Leg::Smtp => {
                let texts = lines.iter().map(|line| line[4..].to_owned());
                Reply::smtp(last[..3].parse().unwrap(), &texts.collect::<Vec<_>>())
            }
            Leg::Imap => Reply::imap(status_of(last).unwrap(), last, before),
        }
    }

    #[test]
    fn replies_of_known_servers_are_classified() {
        let file = include_str!("../../fixtures/replies.jsonl");
        let mut wrong = Vec::new();
        for line in file.lines() {
            let scenario: Scenario = serde_json::from_str(line).unwrap();
            let provider = KnownProvider::of_login_host(&scenario.host);
            let context = ReplyContext {
                leg: scenario.leg,
                provider,
                username: scenario.username.as_deref().unwrap_or("me@example.test"),
            };
            let found = classify(&parse(scenario.leg, &scenario.reply), scenario.stage, context);
            let mut values: Vec<_> = found.values.iter().map(|(k, v)| (*k, v.as_str())).collect();
            values.extend(provider.map(|provider| ("provider", provider.name)));
            let remedy = fill(found.remedy, &values);
            let seconds = found.retry_after.map(|wait| wait.as_secs());
            if (found.code, found.class, found.fault) != (scenario.code, scenario.class, scenario.fault)
                || !remedy.contains(scenario.remedy.as_deref().unwrap_or_default())
                || (scenario.retry_after.is_some() && seconds != scenario.retry_after)
            {
                wrong.push(format!("row {}: {line}\n  gave {found:?}\n  {remedy}", scenario.row));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn waits_named_by_the_server() {
        let wait = |text| wait_named_in(text).map(|d| d.as_secs());
        assert_eq!(wait("try again in 5 minutes"), Some(300));
        assert_eq!(wait("retry after 30 seconds."), Some(30));
        assert_eq!(wait("wait 99999999999999999 hours"), Some(86_400));
        assert_eq!(wait("in 3 days, or 2 hours"), None);
    }
}

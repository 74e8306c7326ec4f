//! From a server's reply to a failure with a code. The reply decides, not the library's idea of it;
//! the rules themselves are in [`crate::reply::rules`].

use std::time::Duration;

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Class, Leg, Stage};

use crate::failure::Failure;
use crate::provider::{Operator, Provider, wanted_user_name};
use crate::reply::redact::fold;
use crate::reply::rules::{RULES, Rule, Shape};

/// Status word of an IMAP response (RFC 9051 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// The machine-readable part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Reply code, 200-599.
    Smtp(u16),
    /// Status word and the response codes (`[...]`), upper case, untagged lines included.
    Imap(Status, Vec<String>),
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) head: Head,
    /// All lines joined, white space folded, repeated codes removed.
    pub(crate) text: String,
}

impl Reply {
    /// A reply from its code and the text behind the code of each line. Gmail repeats the enhanced
    /// code on each line; only the first stays.
    pub(crate) fn smtp(code: u16, lines: &[String]) -> Self {
        let enhanced = lines.first().and_then(|line| enhanced_code(line));
        let mut text = code.to_string();
        for (n, line) in lines.iter().enumerate() {
            let line = match enhanced {
                Some(enhanced) if n > 0 => line.trim_start().strip_prefix(enhanced).unwrap_or(line),
                _ => line,
            };
            text.push(' ');
            text.push_str(line);
        }
        Self { head: Head::Smtp(code), text: fold(&text) }
    }

    /// A reply from its last line without the tag, and the untagged lines before it. Of those the
    /// ones that explain a refusal are kept: `NO`, `BYE` and alerts.
    pub(crate) fn imap(status: Status, line: &str, untagged: &[String]) -> Self {
        let telling = untagged.iter().filter_map(|line| line.strip_prefix("* ")).filter(|line| match status_of(line) {
            Some(Status::No | Status::Bye) => true,
            Some(Status::Ok | Status::Bad) => response_code(line) == Some("ALERT".into()),
            _ => false,
        });
        let lines = telling.chain([line]).collect::<Vec<_>>();
        Self {
            head: Head::Imap(status, lines.iter().filter_map(|line| response_code(line)).collect()),
            text: fold(&lines.join(" ")),
        }
    }
}

fn enhanced_code(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next()?;
    let mut parts = word.split('.');
    let numeric =
        |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    (numeric(parts.next()) && numeric(parts.next()) && numeric(parts.next()) && parts.next().is_none()).then_some(word)
}

/// The status word at the start of a line without tag.
pub(crate) fn status_of(line: &str) -> Option<Status> {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    [("OK", Status::Ok), ("NO", Status::No), ("BAD", Status::Bad), ("BYE", Status::Bye), ("PREAUTH", Status::Preauth)]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, status)| status)
}

/// The response code behind the status word, without its arguments.
fn response_code(line: &str) -> Option<String> {
    let rest = line.split_once(' ')?.1.trim_start().strip_prefix('[')?;
    let inside = rest.split_once(']').map_or(rest, |(code, _)| code);
    inside.split_whitespace().next().map(str::to_ascii_uppercase)
}

/// What a classification needs to know besides the reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) leg: Leg,
    pub(crate) operator: Operator,
    pub(crate) username: &'a str,
}

/// Names what a refusing reply means at this stage.
pub(crate) fn classify(reply: &Reply, stage: Stage, given: Circumstances<'_>) -> Failure {
    let text = reply.text.to_ascii_lowercase();
    let mut failure = RULES
        .iter()
        .find(|rule| matches(rule, reply, &text, stage, given))
        .map_or_else(|| Failure::new(FailureCode::ProtoUnexpected, stage), |rule| apply(rule, stage));
    if is_plain_refusal(failure.code)
        && let Some(form) = wanted_user_name(given.operator.provider, given.leg, given.username)
    {
        failure = Failure::new(FailureCode::CfgUsernameForm, stage).with("form", form);
    }
    // 4yz promises that a later try may succeed, whatever the rule is usually about.
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

fn matches(rule: &Rule, reply: &Reply, text: &str, stage: Stage, given: Circumstances<'_>) -> bool {
    let provider: Provider = given.operator.provider;
    rule.leg.is_none_or(|leg| leg == given.leg)
        && (rule.stages.is_empty() || rule.stages.contains(&stage))
        && (rule.providers.is_empty() || rule.providers.contains(&provider))
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

/// Refusals that say no more than "wrong user name or password".
fn is_plain_refusal(code: FailureCode) -> bool {
    matches!(code, FailureCode::AuthBadCredentials | FailureCode::AuthAppPasswordLikely)
}

/// "try again in 5 minutes" and the like, at most a day.
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
    use crate::provider::operator_of;

    /// A line of `fixtures/replies.jsonl`. `row` is that of the catalogue of failures; `synthetic`
    /// replies were made up from a standard or a manual.
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
        /// A part of the words for the user.
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
    fn known_replies_mean_what_they_mean() {
        let file = include_str!("../../fixtures/replies.jsonl");
        let mut wrong = Vec::new();
        for line in file.lines() {
            let scenario: Scenario = serde_json::from_str(line).unwrap();
            let operator = operator_of(&scenario.host);
            let given = Circumstances {
                leg: scenario.leg,
                operator,
                username: scenario.username.as_deref().unwrap_or("me@example.test"),
            };
            let found = classify(&parse(scenario.leg, &scenario.reply), scenario.stage, given);
            let mut values: Vec<_> = found.values.iter().map(|(k, v)| (*k, v.as_str())).collect();
            values.extend(operator.name.map(|name| ("provider", name)));
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
    fn repeated_enhanced_codes_are_said_once() {
        let lines = ["5.7.9 Application-specific", "5.7.9 password", "5.7.9  required"];
        let reply = Reply::smtp(534, &lines.map(str::to_owned));
        assert_eq!(reply.text, "534 5.7.9 Application-specific password required");
    }

    #[test]
    fn untagged_chatter_is_left_out() {
        let before = ["* CAPABILITY IMAP4rev1", "* OK hello", "* OK [ALERT] Quota", "* 3 EXISTS"];
        let reply = Reply::imap(Status::No, "NO [INUSE] later", &before.map(str::to_owned));
        assert_eq!(reply.text, "OK [ALERT] Quota NO [INUSE] later");
        assert_eq!(reply.head, Head::Imap(Status::No, vec!["ALERT".into(), "INUSE".into()]));
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

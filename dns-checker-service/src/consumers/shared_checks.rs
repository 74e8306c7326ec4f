//! Mailboxes of one domain that are added together, as by an import, share one check of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared_models::domain::DnsReport;
use tokio::sync::OnceCell;

use crate::{DnsChecker, DomainHints};

/// How old a verdict may be. Shorter than the pause before a second try.
const FRESH: Duration = Duration::from_secs(8);

/// Domain, and what a check of it is told.
type Question = (String, Option<String>, Option<String>);

/// A checker that asks the same question once.
pub(crate) struct SharedChecks {
    checker: DnsChecker,
    asked: Mutex<Asked>,
}

struct Asked {
    answers: HashMap<Question, Answer>,
    cleared_at: Instant,
}

#[derive(Clone)]
struct Answer {
    asked_at: Instant,
    report: Arc<OnceCell<DnsReport>>,
}

impl SharedChecks {
    pub(crate) fn new(checker: DnsChecker) -> Self {
        Self { checker, asked: Mutex::new(Asked { answers: HashMap::new(), cleared_at: Instant::now() }) }
    }

    /// See [`DnsChecker::check`].
    pub(crate) async fn check(&self, domain: &str, hints: &DomainHints) -> DnsReport {
        let question = (domain.to_owned(), hints.smtp_host.clone(), hints.imap_host.clone());
        let report = self.answer(question).report;
        report.get_or_init(|| self.checker.check(domain, hints)).await.clone()
    }

    fn answer(&self, question: Question) -> Answer {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.cleared_at.elapsed() > FRESH {
            asked.answers.retain(|_, answer| answer.asked_at.elapsed() < FRESH);
            asked.cleared_at = Instant::now();
        }
        let new = || Answer { asked_at: Instant::now(), report: Arc::default() };
        let answer = asked.answers.entry(question).or_insert_with(new);
        if answer.asked_at.elapsed() > FRESH {
            *answer = new();
        }
        answer.clone()
    }
}

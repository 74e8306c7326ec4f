//! Mailboxes of one domain that are added together, as by an import, share one check of the domain.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared_models::domain::DnsReport;
use tokio::sync::OnceCell;

use crate::{DnsChecker, DomainHints};

/// Age up to which a report is shared. Shorter than the pause before a second attempt, which must ask again.
const FRESH: Duration = Duration::from_secs(8);

/// Domain, SMTP host, IMAP host.
type Question = (String, Option<String>, Option<String>);

/// A checker that answers the same question, asked within [`FRESH`], once.
pub(super) struct SharedChecks {
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
    pub(super) fn new(checker: DnsChecker) -> Self {
        Self { checker, asked: Mutex::new(Asked { answers: HashMap::new(), cleared_at: Instant::now() }) }
    }

    /// See [`DnsChecker::check`].
    pub(super) async fn check(&self, domain: &str, hints: &DomainHints) -> DnsReport {
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

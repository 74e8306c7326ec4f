//! Kinds of inboxes. Presets of hosts and ports are advice to people; the kind decides only the most mails a day.

use shared_models::domain::mailboxes::ProviderLabel;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InboxType {
    GoogleWorkspace,
    Outlook365,
    CustomSmtp,
}

impl InboxType {
    pub(super) const WORDS: [&'static str; 3] = ["GOOGLE_WORKSPACE", "OUTLOOK_365", "CUSTOM_SMTP"];
    pub(super) const ALL: [Self; 3] = [Self::GoogleWorkspace, Self::Outlook365, Self::CustomSmtp];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    pub(super) fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub(super) fn of(provider: ProviderLabel) -> Self {
        match provider {
            ProviderLabel::Gmail => Self::GoogleWorkspace,
            ProviderLabel::Outlook | ProviderLabel::Azure => Self::Outlook365,
            ProviderLabel::Custom => Self::CustomSmtp,
        }
    }

    /// The label that a new inbox is stored with.
    pub(super) fn provider(self) -> ProviderLabel {
        match self {
            Self::GoogleWorkspace => ProviderLabel::Gmail,
            Self::Outlook365 => ProviderLabel::Outlook,
            Self::CustomSmtp => ProviderLabel::Custom,
        }
    }
}

/// Mails a day that the provider takes from one account, whatever its owner set.
pub(in crate::coldsend) fn most_mails_a_day(provider: ProviderLabel) -> i64 {
    match InboxType::of(provider) {
        InboxType::GoogleWorkspace => 2_000,
        InboxType::Outlook365 => 5_000,
        InboxType::CustomSmtp => 100_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_a_word_and_the_words_come_back() {
        for kind in InboxType::ALL {
            assert_eq!(InboxType::parse(kind.as_str()), Some(kind));
            assert_eq!(InboxType::of(kind.provider()), kind);
        }
        assert_eq!(InboxType::of(ProviderLabel::Azure).as_str(), "OUTLOOK_365");
        for bad in ["", "google_workspace", "GMAIL", "CUSTOM_SMTP "] {
            assert_eq!(InboxType::parse(bad), None);
        }
    }

    #[test]
    fn providers_have_their_limits() {
        let limits = ProviderLabel::ALL.map(|provider| (provider, most_mails_a_day(provider)));
        use ProviderLabel::{Azure, Custom, Gmail, Outlook};
        assert_eq!(limits, [(Gmail, 2_000), (Outlook, 5_000), (Azure, 5_000), (Custom, 100_000)]);
    }
}

//! The queues of our own consumers. Integrators bind queues of their own to the exchange.

/// A queue: its name at the broker, the service that consumes it, and the work that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the struct says what its fields are")]
pub struct Queue {
    pub name: &'static str,
    pub consumer: &'static str,
    pub purpose: &'static str,
}

macro_rules! queues {
    ($($(#[$doc:meta])* $constant:ident = $name:literal { consumer: $consumer:literal, purpose: $purpose:literal })+) => {
        $($(#[$doc])* #[doc = $purpose] pub const $constant: &str = $name;)+

        /// Every queue with its consumer and its purpose, in the order in which they are declared.
        pub const ALL_QUEUES: &[Queue] =
            &[$(Queue { name: $name, consumer: $consumer, purpose: $purpose }),+];

        /// The name of every queue, in the same order.
        pub const QUEUES: [&str; ALL_QUEUES.len()] = [$($name),+];
    };
}

queues! {
    VERIFIER_QUEUE = "mailmoor.verifier" {
        consumer: "verifier-service",
        purpose: "Logins and test messages that somebody waits for."
    }
    /// Apart from [`VERIFIER_QUEUE`], so that an import delays nobody who waits for one mailbox.
    BULK_VERIFIER_QUEUE = "mailmoor.bulk-verifier" {
        consumer: "verifier-service",
        purpose: "The rows of imports, and the IMAP logins that follow them."
    }
    DNS_CHECKER_QUEUE = "mailmoor.dns-checker" {
        consumer: "dns-checker-service",
        purpose: "DNS checks of the domains of mailboxes."
    }
    /// Apart from [`DNS_CHECKER_QUEUE`], so that the mailboxes of an import delay nobody who waits for a domain.
    DOMAIN_QUEUE = "mailmoor.domain-verifier" {
        consumer: "dns-checker-service",
        purpose: "Verification of sending domains by their DNS records."
    }
    PLATFORM_QUEUE = "mailmoor.mail-platform" {
        consumer: "api-gateway",
        purpose: "Open sessions of hosted mailboxes that have to be closed on the mail servers."
    }
    WEBHOOK_QUEUE = "mailmoor.webhooks" {
        consumer: "webhook-service",
        purpose: "Events that webhooks may want, and the deliveries that are due."
    }
}

//! The data of events: ids, and never a secret. Each kind of reference knows its subject, the path by which the broker
//! orders work: events of the same subject are handled one after the other.

use serde::{Deserialize, Serialize};

use crate::domain::{
    DomainId, HostedMailboxId, ImportId, LoginTestId, MailboxId, SendingAccountId, TestEmailId, WebhookEventId,
    WebhookId, WorkspaceId,
};

/// The data of an event, described for the envelope and the reference page.
pub trait Reference {
    /// The subject with the wire names of its ids, for example `mailboxes/{mailboxId}`.
    const SUBJECT: &'static str;
    /// The wire names of the members of `data`, in order.
    const FIELDS: &'static [&'static str];

    /// [`Self::SUBJECT`] with the ids filled in.
    fn subject(&self) -> String;
}

macro_rules! references {
    ($($(#[$doc:meta])* $name:ident in $subject:literal { $($field:ident: $type:ty = $wire:literal,)+ })+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the ids say what they are of")]
        pub struct $name {
            $(#[serde(rename = $wire)] pub $field: $type,)+
        }

        impl Reference for $name {
            const SUBJECT: &'static str = $subject;
            const FIELDS: &'static [&'static str] = &[$($wire),+];

            fn subject(&self) -> String {
                let mut subject = Self::SUBJECT.to_owned();
                $(
                    let placeholder = concat!("{", $wire, "}");
                    if subject.contains(placeholder) {
                        subject = subject.replace(placeholder, &self.$field.to_string());
                    }
                )+
                subject
            }
        }
    )+ };
}

references! {
    /// A connected mailbox of a workspace.
    MailboxRef in "mailboxes/{mailboxId}" {
        mailbox_id: MailboxId = "mailboxId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// A test message and the mailbox that it goes through.
    TestEmailRef in "mailboxes/{mailboxId}/test-emails/{testEmailId}" {
        test_email_id: TestEmailId = "testEmailId",
        mailbox_id: MailboxId = "mailboxId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// An import of many mailboxes in one request.
    ImportRef in "imports/{importId}" {
        import_id: ImportId = "importId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// One of the lanes of an import, numbered from 0. The rows of a lane are worked on one after the other.
    LaneRef in "imports/{importId}/lanes/{lane}" {
        import_id: ImportId = "importId",
        workspace_id: WorkspaceId = "workspaceId",
        lane: i32 = "lane",
    }
    /// A sending account. Its wire names are those of an earlier version, which called it a provider.
    SendingAccountRef in "providers/{providerId}" {
        sending_account_id: SendingAccountId = "providerId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// A login test of a sending account. Its subject is the account's, so that two tests of one login follow each
    /// other: the result of the first may spare the second.
    LoginTestRef in "providers/{providerId}" {
        login_test_id: LoginTestId = "providerTestId",
        sending_account_id: SendingAccountId = "providerId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// A domain that a workspace sends for.
    DomainRef in "domains/{domainId}" {
        domain_id: DomainId = "domainId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// A mailbox that the mail platform serves.
    HostedMailboxRef in "hosted-mailboxes/{hostedMailboxId}" {
        hosted_mailbox_id: HostedMailboxId = "hostedMailboxId",
        workspace_id: WorkspaceId = "workspaceId",
    }
    /// The delivery of one event to one webhook.
    WebhookDispatchRef in "webhooks/{webhookId}/events/{webhookEventId}" {
        webhook_id: WebhookId = "webhookId",
        webhook_event_id: WebhookEventId = "webhookEventId",
        workspace_id: WorkspaceId = "workspaceId",
    }
}

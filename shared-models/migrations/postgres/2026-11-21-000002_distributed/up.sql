-- Events on their way to a message broker, in the order of their commits or nearly so.
CREATE TABLE outbox (
    id BIGSERIAL PRIMARY KEY,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    envelope TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Ids of mailboxes that are gone, for a while: an event about one of them is late, one about any
-- other unknown id is a fault.
CREATE TABLE departed_mailboxes (
    mailbox_id TEXT PRIMARY KEY,
    departed_at BIGINT NOT NULL
);
CREATE INDEX departed_mailboxes_age ON departed_mailboxes (departed_at);

-- The number of attempts of the verification that is under way.
ALTER TABLE mailboxes ADD COLUMN verification_attempts INTEGER NOT NULL DEFAULT 0;
-- The time of the request for a verification, or of its last attempt, while its result is awaited.
ALTER TABLE mailboxes ADD COLUMN verification_asked_at BIGINT;
UPDATE mailboxes SET verification_asked_at = created_at WHERE status = 'unverified';
CREATE INDEX mailboxes_awaiting ON mailboxes (verification_asked_at) WHERE verification_asked_at IS NOT NULL;

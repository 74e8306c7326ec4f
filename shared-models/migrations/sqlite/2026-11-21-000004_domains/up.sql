-- Domains that a workspace sends for. The private key is sealed; checks is JSON. A request for a check is numbered by
-- its time. answered_at and unclear_at are the numbers of the last request that was answered, and of the last one that
-- could not be answered yet.
CREATE TABLE sending_domains (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    ownership_token TEXT NOT NULL,
    dkim_selector TEXT NOT NULL,
    dkim_public_key TEXT NOT NULL,
    dkim_key_id TEXT NOT NULL REFERENCES master_keys (id),
    dkim_private_key BLOB NOT NULL,
    checks TEXT,
    checked_at BIGINT,
    verified_at BIGINT,
    failures INTEGER NOT NULL,
    asked_at BIGINT NOT NULL,
    asked_by_clock BOOLEAN NOT NULL,
    answered_at BIGINT NOT NULL,
    unclear_at BIGINT,
    created_at BIGINT NOT NULL
);
-- Several workspaces may add a name; only one has proved control of the domain.
CREATE UNIQUE INDEX sending_domains_own ON sending_domains (workspace_id, name);
CREATE UNIQUE INDEX sending_domains_verified ON sending_domains (name) WHERE status = 'verified';
CREATE INDEX sending_domains_asked ON sending_domains (asked_at);

-- The sender rules of a domain or a hosted mailbox. A subject without a row here accepts mail from everybody.
CREATE TABLE sender_filter_modes (
    subject_id TEXT PRIMARY KEY,
    mode TEXT NOT NULL
);
-- A pattern is an address or a domain, in lower case.
CREATE TABLE sender_filters (
    subject_id TEXT NOT NULL REFERENCES sender_filter_modes (subject_id),
    pattern TEXT NOT NULL,
    kind TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (subject_id, pattern)
);

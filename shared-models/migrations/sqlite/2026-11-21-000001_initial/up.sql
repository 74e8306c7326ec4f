-- Times are milliseconds since the Unix epoch, ids 24 hex digits, JSON is text: the same on both backends.
CREATE TABLE owners (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    subscription_active BOOLEAN NOT NULL,
    max_mailboxes BIGINT,
    mailbox_usage BIGINT NOT NULL DEFAULT 0 CHECK (mailbox_usage >= 0),
    created_at BIGINT NOT NULL
);

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX workspaces_name ON workspaces (owner_id, name) WHERE deleted_at IS NULL;

-- key_hash is SHA-256 of the whole text; hint, its beginning, finds the row.
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    workspace_id TEXT REFERENCES workspaces (id),
    hint TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_keys_hint ON api_keys (hint);
-- SendKit: a workspace has at most one key.
CREATE UNIQUE INDEX api_keys_one_of_workspace ON api_keys (workspace_id) WHERE kind = 'sendkit-workspace' AND revoked_at IS NULL;

-- The master keys that have sealed something here; check_value proves that a configured key is the same one.
CREATE TABLE master_keys (
    id TEXT PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE mailboxes (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    provider TEXT NOT NULL,
    status TEXT NOT NULL,
    on_refusal TEXT NOT NULL,
    daily_send_limit INTEGER NOT NULL,
    sending_enabled BOOLEAN NOT NULL,
    signature TEXT,
    tags TEXT NOT NULL,
    smtp_host TEXT NOT NULL,
    smtp_port INTEGER NOT NULL,
    smtp_secure BOOLEAN NOT NULL,
    imap_host TEXT NOT NULL,
    imap_port INTEGER NOT NULL,
    imap_secure BOOLEAN NOT NULL,
    imap_guessed BOOLEAN NOT NULL,
    credentials_key_id TEXT NOT NULL REFERENCES master_keys (id),
    credentials BLOB NOT NULL,
    last_error TEXT,
    recorded_refusal TEXT,
    dns_report TEXT,
    dns_sound_parts INTEGER,
    dns_checked_at BIGINT,
    dns_requested_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT mailboxes_workspace_email UNIQUE (workspace_id, email)
);
CREATE INDEX mailboxes_page ON mailboxes (workspace_id, id);

-- The last verification of each mailbox; outlives a refused mailbox until expires_at.
CREATE TABLE verification_results (
    mailbox_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    passed BOOLEAN NOT NULL,
    finding TEXT,
    report TEXT,
    settled_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX verification_results_expiry ON verification_results (expires_at);

-- The embedded broker. available_at is also the end of the lease of a claimed message.
CREATE TABLE queue_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    envelope TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    available_at BIGINT NOT NULL,
    lease TEXT,
    dead_at BIGINT,
    dead_reason TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX queue_messages_ready ON queue_messages (queue, available_at, id) WHERE dead_at IS NULL;

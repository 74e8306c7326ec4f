-- The address as it was given, where it differs from the stored form.
ALTER TABLE mailboxes ADD COLUMN email_as_given TEXT;

-- Imports of many mailboxes at once.
CREATE TABLE imports (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    owner_id TEXT NOT NULL REFERENCES owners (id),
    source TEXT NOT NULL,
    row_check TEXT NOT NULL,
    total BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX imports_finished ON imports (finished_at);
CREATE INDEX imports_unfinished ON imports (created_at) WHERE finished_at IS NULL;

-- A row is waiting, taken (by a lane), imported, skipped, faulty or refused. Settings and credentials
-- are there until it is settled; credentials are sealed for mailbox_id, which it gets when it is imported.
CREATE TABLE import_rows (
    import_id TEXT NOT NULL REFERENCES imports (id),
    position INTEGER NOT NULL,
    email TEXT NOT NULL,
    given TEXT,
    state TEXT NOT NULL,
    lane INTEGER,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    mailbox_id TEXT NOT NULL,
    settings TEXT,
    credentials_key_id TEXT REFERENCES master_keys (id),
    credentials BLOB,
    recorded_refusal TEXT,
    outcome TEXT,
    settled_at BIGINT,
    PRIMARY KEY (import_id, position)
);
CREATE INDEX import_rows_waiting ON import_rows (import_id, position) WHERE state = 'waiting';

-- Deletions of many mailboxes at once; results is JSON.
CREATE TABLE deletions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    results TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX deletions_age ON deletions (created_at);

-- A state other than asked is written before the server hears of the message, so that it is sent at most once.
CREATE TABLE test_emails (
    id TEXT PRIMARY KEY,
    mailbox_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL,
    finding TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX test_emails_age ON test_emails (created_at);

-- Mails of a day (days since the Unix epoch, UTC).
CREATE TABLE daily_sending (
    mailbox_id TEXT PRIMARY KEY,
    day BIGINT NOT NULL,
    sent BIGINT NOT NULL
);

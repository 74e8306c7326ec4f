-- Subscriptions to events. The secret is sealed; event_types and mailbox_ids are JSON lists.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    dialect TEXT NOT NULL,
    url TEXT NOT NULL,
    event_types TEXT NOT NULL,
    name TEXT,
    enabled BOOLEAN NOT NULL,
    failing BOOLEAN NOT NULL,
    mailbox_ids TEXT NOT NULL,
    secret_key_id TEXT NOT NULL REFERENCES master_keys (id),
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_page ON webhooks (workspace_id, id);

-- Events as they are posted.
CREATE TABLE webhook_events (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_events_age ON webhook_events (created_at);

-- Deliveries that are not over. A dispatch is queued (a worker was asked to attempt it; at due_at that request counts
-- as lost) or waiting (until due_at).
CREATE TABLE webhook_dispatches (
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX webhook_dispatches_due ON webhook_dispatches (due_at);

-- The log, one row for each attempt.
CREATE TABLE webhook_deliveries (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    result TEXT NOT NULL,
    response_status INTEGER,
    response_body TEXT,
    response_ms BIGINT NOT NULL,
    error_message TEXT,
    next_retry_at BIGINT,
    payload_sha256 TEXT NOT NULL,
    payload_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_page ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

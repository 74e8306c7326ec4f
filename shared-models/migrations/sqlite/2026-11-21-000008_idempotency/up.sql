-- Requests that are executed once and then answered from here. The first one holds the record, by a lease, until it is
-- answered. Fingerprint and answer are sealed for (workspace_id, endpoint, request_key).
CREATE TABLE idempotency_records (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    endpoint TEXT NOT NULL,
    request_key TEXT NOT NULL,
    holder TEXT NOT NULL,
    lease_ends_at BIGINT NOT NULL,
    fingerprint_key_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answer_key_id TEXT,
    answer BLOB,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, endpoint, request_key)
);
CREATE INDEX idempotency_records_expiry ON idempotency_records (expires_at);

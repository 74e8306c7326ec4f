-- Sending accounts of tenants. The password is sealed. refusal is the server's answer to this login, which is not sent
-- there again. login_version counts the changes of the login.
CREATE TABLE providers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    smtp_host TEXT NOT NULL,
    smtp_port INTEGER NOT NULL,
    smtp_protocol TEXT NOT NULL,
    smtp_username TEXT NOT NULL,
    password_key_id TEXT NOT NULL REFERENCES master_keys (id),
    password BLOB NOT NULL,
    login_version INTEGER NOT NULL,
    refusal TEXT,
    refused_at BIGINT,
    status TEXT NOT NULL,
    status_reason TEXT,
    is_active BOOLEAN NOT NULL,
    from_email TEXT,
    from_name TEXT,
    reply_to_email TEXT,
    reply_to_name TEXT,
    quotas TEXT NOT NULL,
    percentage INTEGER NOT NULL,
    tracking_domain TEXT,
    variables TEXT NOT NULL,
    last_tested_at BIGINT,
    last_used_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX providers_page ON providers (workspace_id, id);

-- A test is asked, running or done. running is written before the server is contacted, so that no login is made twice.
CREATE TABLE provider_tests (
    id TEXT PRIMARY KEY,
    provider_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    state TEXT NOT NULL,
    login_version INTEGER NOT NULL,
    success BOOLEAN,
    message TEXT,
    latency_ms BIGINT,
    tested_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX provider_tests_of ON provider_tests (provider_id);
CREATE INDEX provider_tests_age ON provider_tests (created_at);

-- Requests for a higher limit than max_allowed, which was the limit then.
CREATE TABLE limit_increases (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    resource TEXT NOT NULL,
    max_allowed BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX limit_increases_of ON limit_increases (workspace_id, resource);

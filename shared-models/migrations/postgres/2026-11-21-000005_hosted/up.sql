-- Mailboxes that the mail platform serves. quota_bytes is the space; send_scope is JSON. A deleted one stays
-- as a record, while its domain may go, so domain_id is no foreign key.
CREATE TABLE hosted_mailboxes (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    domain_id TEXT NOT NULL,
    email TEXT NOT NULL,
    display_name TEXT,
    quota_bytes BIGINT NOT NULL,
    send_scope TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX hosted_mailboxes_email ON hosted_mailboxes (email) WHERE status <> 'deleted';
CREATE INDEX hosted_mailboxes_page ON hosted_mailboxes (workspace_id, id);
CREATE INDEX hosted_mailboxes_domain ON hosted_mailboxes (domain_id) WHERE status <> 'deleted';

-- key_hash is SHA-256 of the whole text in hex; key_prefix, its beginning, finds the row, key_suffix is its end.
CREATE TABLE mailbox_keys (
    id TEXT PRIMARY KEY,
    mailbox_id TEXT NOT NULL REFERENCES hosted_mailboxes (id),
    app_name TEXT NOT NULL,
    key_prefix TEXT NOT NULL UNIQUE,
    key_suffix TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX mailbox_keys_of ON mailbox_keys (mailbox_id) WHERE revoked_at IS NULL;

-- The views that the mail servers query. Only active mailboxes and keys that are not revoked are in here.

-- folder is where the mail is kept. It is no part of the address, so that a later mailbox of the same address
-- is empty.
CREATE VIEW mail_logins AS
SELECT m.email, k.key_prefix, '{SHA256.HEX}' || k.key_hash AS password_hash, m.quota_bytes, m.id AS folder
FROM hosted_mailboxes m
JOIN mailbox_keys k ON k.mailbox_id = m.id
WHERE m.status = 'active' AND k.revoked_at IS NULL;

CREATE VIEW mail_accounts AS
SELECT email, quota_bytes, id AS folder FROM hosted_mailboxes WHERE status = 'active';

-- The senders that a login may use: its own address.
CREATE VIEW mail_senders AS
SELECT email AS sender, email AS login FROM hosted_mailboxes WHERE status = 'active';

-- The domains that mail is accepted for. The domain of a mailbox is here also while its records are not complete.
CREATE VIEW mail_domains AS
SELECT name AS domain FROM sending_domains WHERE status = 'verified' AND mode = 'send_receive'
UNION
SELECT d.name FROM sending_domains d JOIN hosted_mailboxes m ON m.domain_id = d.id WHERE m.status <> 'deleted';

-- The sender rules: a row for each pattern, or one without a pattern. The mailbox's own rules replace those of its
-- domain. A recipient that is not in here accepts mail from everybody.
CREATE VIEW mail_filters AS
SELECT m.email, f.mode, r.pattern
FROM hosted_mailboxes m
LEFT JOIN sender_filter_modes own ON own.subject_id = m.id AND own.mode <> 'off'
JOIN sender_filter_modes f ON f.subject_id = COALESCE(own.subject_id, m.domain_id)
LEFT JOIN sender_filters r ON r.subject_id = f.subject_id
WHERE m.status = 'active' AND f.mode <> 'off';

-- Retries and timeout of a webhook that has its own; NULL means the service's defaults.
ALTER TABLE webhooks ADD COLUMN retry_attempts INTEGER;
ALTER TABLE webhooks ADD COLUMN timeout_ms INTEGER;

-- The secret before the last rotation, sealed for the same location; it signs beside the new one for a while.
ALTER TABLE webhooks ADD COLUMN previous_secret_key_id TEXT REFERENCES master_keys (id);
ALTER TABLE webhooks ADD COLUMN previous_secret BLOB;
ALTER TABLE webhooks ADD COLUMN previous_secret_ends_at BIGINT;

-- The address of the mailbox, remembered when the mailbox is gone.
ALTER TABLE verification_results ADD COLUMN email TEXT;

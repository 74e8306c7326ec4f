ALTER TABLE verification_results DROP COLUMN email;
ALTER TABLE webhooks DROP COLUMN previous_secret_ends_at;
ALTER TABLE webhooks DROP COLUMN previous_secret;
ALTER TABLE webhooks DROP COLUMN previous_secret_key_id;
ALTER TABLE webhooks DROP COLUMN timeout_ms;
ALTER TABLE webhooks DROP COLUMN retry_attempts;

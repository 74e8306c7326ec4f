-- When the key was used last, to the minute; NULL = not since this column is there.
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
-- The key opens nothing from then on, because another one replaces it; NULL = no end.
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
-- The key that this one replaces.
ALTER TABLE api_keys ADD COLUMN replaces TEXT REFERENCES api_keys (id);

-- SendKit: a workspace has at most one key, besides one that is being replaced.
DROP INDEX api_keys_one_of_workspace;
CREATE UNIQUE INDEX api_keys_one_of_workspace ON api_keys (workspace_id)
WHERE kind = 'sendkit-workspace' AND revoked_at IS NULL AND expires_at IS NULL;

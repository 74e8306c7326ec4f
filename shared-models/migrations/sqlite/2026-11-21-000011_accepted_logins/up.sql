-- The login_version that the server accepted, unless it has refused it since; NULL for none.
ALTER TABLE providers ADD COLUMN accepted_version INTEGER;
UPDATE providers SET accepted_version = login_version WHERE status = 'active';

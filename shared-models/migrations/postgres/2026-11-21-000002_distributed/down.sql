DROP INDEX mailboxes_awaiting;
ALTER TABLE mailboxes DROP COLUMN verification_asked_at;
ALTER TABLE mailboxes DROP COLUMN verification_attempts;
DROP TABLE departed_mailboxes;
DROP TABLE outbox;

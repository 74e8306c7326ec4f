DROP TABLE daily_sending;
DROP TABLE test_emails;
DROP TABLE deletions;
DROP TABLE import_rows;
DROP TABLE imports;
ALTER TABLE mailboxes DROP COLUMN email_as_given;

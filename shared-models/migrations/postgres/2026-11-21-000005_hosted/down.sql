DROP VIEW mail_filters;
DROP VIEW mail_domains;
DROP VIEW mail_senders;
DROP VIEW mail_accounts;
DROP VIEW mail_logins;
DROP TABLE mailbox_keys;
DROP TABLE hosted_mailboxes;

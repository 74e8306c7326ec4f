-- A failed domain is served for a week: after 28 failed checks, four a day, its mailboxes neither receive nor send.
-- Their mail is kept. The number is FAILURES_UNTIL_UNSERVED in the domain, and a test compares both.
DROP VIEW mail_senders;
CREATE VIEW mail_senders AS
SELECT m.email AS sender, m.email AS login
FROM hosted_mailboxes m JOIN sending_domains d ON d.id = m.domain_id
WHERE m.status = 'active' AND (d.status <> 'failed' OR d.failures < 28);

-- The domains that mail is accepted for. The domain of a mailbox is here also while its records are not complete.
DROP VIEW mail_domains;
CREATE VIEW mail_domains AS
SELECT name AS domain FROM sending_domains WHERE status = 'verified' AND mode = 'send_receive'
UNION
SELECT d.name FROM sending_domains d JOIN hosted_mailboxes m ON m.domain_id = d.id
WHERE m.status <> 'deleted' AND (d.status <> 'failed' OR d.failures < 28);

-- The mail servers look domains up by name.
CREATE INDEX sending_domains_name ON sending_domains (name);

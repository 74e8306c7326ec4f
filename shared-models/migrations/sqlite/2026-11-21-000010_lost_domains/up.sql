-- Whoever lost a domain does not go on with its mail for ever: after a week of failed checks, four a day, its
-- mailboxes neither get mail nor send it. What is in them stays.
DROP VIEW mail_senders;
CREATE VIEW mail_senders AS
SELECT m.email AS sender, m.email AS login
FROM hosted_mailboxes m JOIN sending_domains d ON d.id = m.domain_id
WHERE m.status = 'active' AND (d.status <> 'failed' OR d.failures < 28);

-- For which domains mail is accepted: that of a mailbox also while the domain's records are not in order.
DROP VIEW mail_domains;
CREATE VIEW mail_domains AS
SELECT name AS domain FROM sending_domains WHERE status = 'verified' AND mode = 'send_receive'
UNION
SELECT d.name FROM sending_domains d JOIN hosted_mailboxes m ON m.domain_id = d.id
WHERE m.status <> 'deleted' AND (d.status <> 'failed' OR d.failures < 28);

-- The mail servers ask by name.
CREATE INDEX sending_domains_name ON sending_domains (name);

-- For psql: the role of the mail servers, which can read their views and nothing else. Its password is in the file
-- that MAIL_DATABASE_PASSWORD_FILE names. Run it after the migrations; repeating it changes nothing.
\set ON_ERROR_STOP on
\set password `cat "$MAIL_DATABASE_PASSWORD_FILE"`
SELECT 'CREATE ROLE mail_platform LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mail_platform') \gexec
ALTER ROLE mail_platform PASSWORD :'password';
GRANT SELECT ON mail_logins, mail_accounts, mail_senders, mail_domains TO mail_platform;

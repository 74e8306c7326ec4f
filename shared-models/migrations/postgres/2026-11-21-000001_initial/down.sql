DROP TABLE queue_messages;
DROP TABLE verification_results;
DROP TABLE mailboxes;
DROP TABLE master_keys;
DROP TABLE api_keys;
DROP TABLE workspaces;
DROP TABLE owners;

DROP TABLE webhook_deliveries;
DROP TABLE webhook_dispatches;
DROP TABLE webhook_events;
DROP TABLE webhooks;

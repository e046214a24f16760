ALTER TABLE outbox_events ALTER COLUMN max_retries SET DEFAULT 3;
DROP TABLE outbox_topic_outages;

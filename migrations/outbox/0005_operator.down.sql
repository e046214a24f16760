DROP TABLE outbox_audit;
DROP TABLE outbox_pauses;
ALTER TABLE outbox_shards DROP COLUMN quiet_epoch, DROP COLUMN marked_at;
DROP INDEX outbox_events_failed;
ALTER TABLE outbox_events DROP COLUMN failed;

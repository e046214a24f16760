DROP TABLE outbox_backfills;
DROP INDEX outbox_events_seq;

ALTER TABLE outbox_meta DROP COLUMN origin;

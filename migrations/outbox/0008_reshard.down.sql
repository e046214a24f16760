ALTER TABLE outbox_meta DROP COLUMN reshard_until;

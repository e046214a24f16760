ALTER TABLE outbox_meta DROP COLUMN sent_deleted_since;

ALTER TABLE outbox_backfills DROP COLUMN IF EXISTS waiting;

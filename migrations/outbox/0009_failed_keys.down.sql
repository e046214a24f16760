ALTER TABLE outbox_blocked_keys DROP COLUMN failed_seq;

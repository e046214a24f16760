-- RELAY_ON_FAILED=block-key: the key waits for as long as this event of it is FAILED.
ALTER TABLE outbox_blocked_keys ADD COLUMN failed_seq BIGINT;

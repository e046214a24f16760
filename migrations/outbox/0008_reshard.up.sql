-- While `outbox-relay reshard` waits until nothing is in flight, relays claim nothing: until then, or until it is moved on.
-- A time, so that a command that was killed holds nothing up for long.
ALTER TABLE outbox_meta ADD COLUMN reshard_until TIMESTAMPTZ;

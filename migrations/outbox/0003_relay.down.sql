DROP TRIGGER outbox_doorbell ON outbox_events;
DROP FUNCTION outbox_doorbell();
DROP TABLE outbox_blocked_keys;
DROP TABLE outbox_relays;
DROP TABLE outbox_shards;
DROP TABLE outbox_meta;

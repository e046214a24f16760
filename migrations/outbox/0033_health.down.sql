DROP VIEW outbox_health;
DROP FUNCTION outbox_shard_health();
DROP FUNCTION outbox_read_health(REGCLASS);

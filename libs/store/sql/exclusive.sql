-- Verbs that run while no relay does.

-- statement: outbox_belonging
-- Reads whom the outbox belongs to, for the verbs that change it.
SELECT outbox_id, name, cluster_id FROM outbox_meta;

-- statement: outbox_alive_relays
-- Names the relays that are alive.
SELECT string_agg(r.name, ', ' ORDER BY r.name) FROM outbox_relays AS r WHERE {relay_alive};

-- statement: outbox_try_shards
-- Takes the locks of all shards that there could be, and tells the first that somebody else has.
SELECT min(s.shard)
  FROM generate_series(0, {last_bucket}) AS s(shard)
 WHERE NOT pg_try_advisory_lock({shard_lock(s.shard)});

-- outbox-relay reshard: the buckets move to another number of shards.

-- statement: outbox_hold_claims
-- Keeps relays from claiming for 3 seconds, unless it is renewed: a command that was killed holds nothing up
-- for longer.
UPDATE outbox_meta SET reshard_until = clock_timestamp() + interval '3 seconds';

-- statement: outbox_let_claim
-- Lets relays claim again.
UPDATE outbox_meta SET reshard_until = NULL;

-- statement: outbox_find_busy
-- Finds shards of which something may be in flight, that are stopped, or whose transactions a broker has not
-- ended everywhere. A shard was given back, or paused, only when all is marked.
SELECT s.shard, coalesce(r.name, s.owner::text, 'none'), coalesce({relay_alive}, false), s.stopped
  FROM outbox_meta AS m
  JOIN outbox_shards AS s ON s.shard < m.shard_count
  LEFT JOIN outbox_relays AS r ON r.relay = s.owner
 WHERE s.owner IS NOT NULL
   AND s.quiet_epoch IS DISTINCT FROM s.epoch
    OR s.stopped IS NOT NULL
    OR EXISTS (SELECT 1 FROM outbox_lost_markers)
 ORDER BY s.shard;

-- statement: outbox_paused_shards
-- Names the shards that are paused.
SELECT string_agg(name, ', ' ORDER BY name::integer) FROM outbox_pauses WHERE scope = 'shard';

-- statement: outbox_lock_meta
-- Reads the number of shards, and keeps others from changing it.
SELECT coalesce(shard_count, 0) FROM outbox_meta FOR UPDATE;

-- statement: outbox_lock_shards
-- Takes the lock of every shard that had buckets or will have: nobody takes one, marks or claims until the
-- move is committed.
SELECT pg_advisory_xact_lock({shard_lock(s.shard)}) FROM generate_series(0, $1::integer - 1) AS s(shard);

-- statement: outbox_add_shards
-- Makes rows of the shards that are new.
INSERT INTO outbox_shards (shard) SELECT generate_series(0, $1::integer - 1) ON CONFLICT DO NOTHING;

-- statement: outbox_free_shards
-- Takes every shard from its owner. marked_batch and marked_offset stay: they go with the shard's control
-- partition, not with its buckets.
UPDATE outbox_shards
   SET owner = NULL, owned_since = NULL, quiet_epoch = NULL, epoch = epoch + 1,
       claimed_seq = (SELECT max(claimed_seq) FROM outbox_shards);

-- statement: outbox_set_shard_count
-- Notes the new number of shards, and lets relays claim again.
UPDATE outbox_meta SET shard_count = $1, reshard_until = NULL;
